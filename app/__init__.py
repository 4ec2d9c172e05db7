"""The instrument: window, widgets, inference worker, audio, control surfaces. Imports `models`."""
