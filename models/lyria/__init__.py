"""Lyria RealTime, Google's service, as an engine: its protocol, its line, its key."""
