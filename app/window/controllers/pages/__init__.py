"""Pages of the controllers window: maps, ports, clock, OSC and monitor."""
