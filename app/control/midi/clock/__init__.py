"""MIDI clock: `follower` measures tempo with `tempo` and `blocks`, `sender` sends clocks."""
