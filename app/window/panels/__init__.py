"""Panels of the main window: transport, controls, scenes, recording, bars."""
