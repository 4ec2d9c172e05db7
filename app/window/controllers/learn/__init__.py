"""Learn mode in the window: what can be mapped, lit, and the panel that guides."""
