"""What was dropped on a widget: a sound file, or words for a prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PySide6.QtGui import QDropEvent

from models.engine.prompt_checks import MAX_PROMPT_CHARACTERS

SOUND_SUFFIXES: Final = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")


def dropped_sound(event: QDropEvent) -> str | None:
    """Path of the first local sound file of a drop; None without one."""
    for url in event.mimeData().urls():
        path = url.toLocalFile()
        if path and Path(path).suffix.lower() in SOUND_SUFFIXES:
            return path
    return None


def dropped_words(event: QDropEvent) -> str:
    """Words of a drop that can be a prompt; '' without."""
    data = event.mimeData()
    words = "" if data.hasUrls() else " ".join(data.text().split())
    return words if len(words) <= MAX_PROMPT_CHARACTERS else ""
