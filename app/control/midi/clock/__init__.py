"""MIDI clock: `follower` measures tempo with `tempo` and `posterior`, `sender` sends clocks."""
