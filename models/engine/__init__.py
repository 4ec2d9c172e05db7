"""Engine interface: engines, streams, controls, prompts, loudness."""
