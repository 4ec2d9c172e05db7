"""Spectrogram of the past and of the planned future."""
