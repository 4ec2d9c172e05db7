"""Recording: what was heard, as audio files, and what was done, as a performance. Own threads.

`keeper.SoundKeeper` follows the audio lane's tap on a thread of its own. What comes goes into the
capture (`capture`, always) and to the recorder (`recorder`, while recording), which writes WAV
(`wav`) or FLAC (`flac`) on a thread of its own, so that a slow disk holds up nobody. Neither Qt nor
torch is imported here.
"""
