"""Instruments that the performer gives to parts, and those that locked parts keep."""

from __future__ import annotations

from dataclasses import replace

from models.engine.parts import PartMap
from models.music.score import INSTRUMENTS, KITS, PARTS
from models.segue.arranger.steps import Setting


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
        if name is not None and not (fill and chosen[index]):
            chosen[index] = (INSTRUMENTS if index else KITS).index(name)
    kit, bass, chords, lead, extra = chosen
    return replace(setting, kit=kit, instruments=(bass, chords, lead, extra))
