"""The spectrogram: past, playhead and planned future."""
