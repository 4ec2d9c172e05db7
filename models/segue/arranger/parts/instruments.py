"""Instruments that the performer gives to parts, and those that locked parts keep."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from models.engine.parts import PartMap
from models.music.score import INSTRUMENTS, KITS, PARTS
from models.music.user_instruments import is_user_instrument
from models.segue.arranger.steps import Setting

USUAL: Final = {
    "drums": "acoustic", "bass": "precision_bass", "chords": "electric_piano",
    "lead": "electric_piano", "extra": "clean_guitar",
}  # fmt: skip
"""What stands for an instrument of the performer's own in a part that the style leaves out."""


def filled(setting: Setting, parts: PartMap) -> Setting:
    """The setting for the network: parts that the style leaves out play where the performer has
    given them an instrument. Other parts keep the style's, so the notes do not change with it.
    """
    return _changed(setting, parts, fill=True) if parts else setting


def heard(setting: Setting, parts: PartMap) -> Setting:
    """The setting that is heard: the performer's instruments instead of the style's."""
    return _changed(setting, parts, fill=False) if parts else setting


def kept(setting: Setting, before: Setting, locked: int) -> Setting:
    """A new setting in which locked parts (bits) that it leaves out keep what they had."""
    if not locked:
        return setting
    kit = setting.kit or (before.kit if locked & 1 else 0)
    pairs = zip(setting.instruments, before.instruments, strict=True)
    bass, chords, lead, extra = (
        new or (old if locked >> part & 1 else 0) for part, (new, old) in enumerate(pairs, start=1)
    )
    return replace(setting, kit=kit, instruments=(bass, chords, lead, extra))


def _changed(setting: Setting, parts: PartMap, fill: bool) -> Setting:
    chosen = [setting.kit, *setting.instruments]
    for index, part in enumerate(PARTS):
        name = parts.of(part).instrument
        if name is None or (fill and chosen[index]):
            continue
        if is_user_instrument(name):
            # Played by it where it is loaded; the score names what plays where it is not.
            name = (INSTRUMENTS if index else KITS)[chosen[index]]
            name = USUAL[part] if name == "none" else name
        chosen[index] = (INSTRUMENTS if index else KITS).index(name)
    kit, bass, chords, lead, extra = chosen
    return replace(setting, kit=kit, instruments=(bass, chords, lead, extra))
