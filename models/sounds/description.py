"""Description of a learned sound in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePath

from models.sounds.file import LearnedSound


def titles(pieces: Iterable[Sequence[str]]) -> str:
    """Names for pieces by their files: "caves; desert and 2 more"."""
    words = []
    for first, *others in pieces:
        more = f" and {len(others)} more" if others else ""
        words.append(f"{PurePath(first).stem}{more}")
    return "; ".join(words)


def describe(sound: LearnedSound) -> str:
    """What a learned sound was learned from, how long, and what it may be used for."""
    learned = f"{sound.seconds / 60:.1f} minutes of {len(sound.files)} files"
    pieces = [piece.files for piece in sound.pieces if piece.files]
    if len(pieces) > 1:
        learned += f", played as {len(pieces)} pieces ({titles(pieces)})"
    terms = f", near {sound.terms}" if sound.terms else ""
    licence = sound.licence or "not said"
    return (
        f"learned on {sound.created or 'an unknown day'} from {learned}{terms}, in "
        f"{sound.minutes:.1f} minutes of computing ({sound.steps} steps); may be used: {licence}"
    )
