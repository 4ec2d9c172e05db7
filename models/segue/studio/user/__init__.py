"""Instruments of the performer's own: samples, folders of them, SFZ and SoundFonts."""
