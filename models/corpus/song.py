"""The song as the corpus knows it. Lane: offline. It lives in `models.music.song`, which goes into the
bundle with the arranger; nothing else of the corpus does."""

from __future__ import annotations

from models.music.song import MACHINES, NOTE, REVERBS, STRUMMED, Production, Song

__all__ = ["MACHINES", "NOTE", "REVERBS", "STRUMMED", "Production", "Song"]
