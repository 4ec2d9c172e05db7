"""Recording: the output as audio files, and what was steered as performance files.

`capture_thread.CaptureThread` follows the tap ring on a thread of its own and feeds the rolling
capture (`capture`) and, while recording, the recorder (`recorder`), which writes WAV or FLAC
(`files`) on another thread, so that a slow disk holds up nothing. Neither Qt nor torch is imported.
"""
