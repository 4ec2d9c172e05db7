"""Control surfaces in the window: learn mode, maps, ports, clock, OSC, monitor. GUI lane."""
