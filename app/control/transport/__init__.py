"""Transport shared with other programs: JACK and Ableton Link, each by a helper process."""
