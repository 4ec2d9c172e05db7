"""Controllers in the window: learn mode, maps, ports, clock, OSC, monitor."""
