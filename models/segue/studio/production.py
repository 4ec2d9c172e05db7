"""Mix parameters of a style: what the corpus decides once a song, for any mix of prompts.

A style vector is taken apart into the terms that it is a mean of
(they are linearly independent), and their productions are averaged; changes glide.
"""

from __future__ import annotations

import json
import math
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import SegueError
from models.music.score import PARTS, SAMPLE_RATE
from models.music.song import Production
from models.segue.studio.bank import FOLDER
from models.segue.studio.rooms import RoomSpec
from models.segue.style.anchors import decomposition

MIN_SHARE: Final = 0.12  # share under which a term is ignored
GLIDE: Final = 0.9  # seconds
AMBIENCE: Final = 0.15
"""Room of a hall on every mix, beside the style's own, as no record is quite without one."""
OPEN_HZ: Final = 21_500.0  # a low-pass that lets everything through


class MixParameters(NamedTuple):
    """Parameters of a mix; amounts 0 to 1 as in `models.music.song.MixParameters`, `levels_db` by
    part.
    """

    reverb_amount: float = 0.2
    delay: float = 0.0
    delay_beats: float = 0.75
    delay_feedback: float = 0.35
    drive: float = 0.0
    tape: float = 0.0
    vinyl: float = 0.0
    pump: float = 0.0
    width: float = 1.0
    tilt_db: float = 0.0
    compress: float = 0.3
    crush: float = 0.0  # share of the sampler's sound
    bits: float = 12.0
    rate_hz: float = 26_000.0
    lowpass_hz: float = OPEN_HZ
    chorus: float = 0.0
    phaser: float = 0.0
    levels_db: tuple[float, ...] = (0.0,) * len(PARTS)


AVERAGED: Final = ("reverb_amount", "delay", "delay_feedback", "drive", "tape", "vinyl", "pump",
                "width", "tilt_db", "compress", "chorus", "phaser")  # fmt: skip


def glide_towards(now: MixParameters, goal: MixParameters, seconds: float) -> MixParameters:
    """A step of `seconds` on the way to a goal, which is reached at last."""
    if now == goal:
        return goal
    pull = 1.0 - math.exp(-seconds / GLIDE)
    values: dict[str, float] = {}
    for name in now._fields:
        a, b = getattr(now, name), getattr(goal, name)
        if name == "levels_db":
            continue
        if name == "lowpass_hz":
            ratio = math.log(b / a)
            values[name] = b if abs(ratio) < 0.01 else a * math.exp(ratio * pull)
        elif name in ("delay_beats", "bits", "rate_hz"):
            values[name] = b
        else:
            values[name] = _near(a, b, pull, 0.004)
    levels = zip(now.levels_db, goal.levels_db, strict=True)
    return MixParameters(**values, levels_db=tuple(_near(a, b, pull, 0.02) for a, b in levels))


def _near(a: float, b: float, pull: float, close: float) -> float:
    return b if abs(b - a) < close else a + (b - a) * pull


class MixTable:
    """The table of productions by prompt term, and the terms' places in the style space."""

    def __init__(self, anchors: NDArray[np.float32], names: tuple[str, ...],
                 folder: Path = FOLDER) -> None:  # fmt: skip
        try:
            table = json.loads((folder / "productions.json").read_text())
        except (OSError, ValueError) as error:
            raise SegueError(
                f"the productions in {folder} cannot be read: restore them."
            ) from error
        self.table: dict[str, list[tuple[float, Production]]] = {
            name: [(weight, Production(**fields)) for weight, fields in entries]
            for name, entries in table.items()
        }
        self.names = names
        self.anchors = anchors.astype(np.float64)
        self._found: dict[bytes, tuple[MixParameters, RoomSpec]] = {}

    @cached_property
    def _inverse(self) -> NDArray[np.float64]:
        return decomposition(self.anchors)

    def shares(self, style: NDArray[np.float32]) -> list[tuple[str, float]]:
        """Terms that a style is made of, and their shares, which sum to 1."""
        parts = np.maximum(self._inverse @ style.astype(np.float64), 0.0)
        near = np.maximum(self.anchors @ style.astype(np.float64), 0.0)
        weight = parts * near
        if weight.max() <= 0.0:
            return []
        weight /= weight.max()
        order = [int(i) for i in np.argsort(-weight, kind="stable")[:6] if weight[i] > MIN_SHARE]
        total = float(weight[order].sum())
        return [(self.names[i], float(weight[i]) / total) for i in order]

    def of(self, style: NDArray[np.float32] | None) -> tuple[MixParameters, RoomSpec]:
        """The production and the room of a style; a plain one for none."""
        if style is None:
            return MixParameters(), RoomSpec((("room", 1.0),))
        key = style.tobytes()
        found = self._found.get(key)
        if found is None:
            if len(self._found) > 512:
                self._found.clear()
            found = self._found[key] = self._averaged(self.shares(style))
        return found

    def _averaged(self, shares: list[tuple[str, float]]) -> tuple[MixParameters, RoomSpec]:
        entries = [
            (share * weight, production)
            for name, share in shares
            for weight, production in self.table.get(name, [])
        ]
        total = sum(weight for weight, _ in entries)
        if total <= 0:
            return self.of(None)
        entries = [(weight / total, production) for weight, production in entries]
        values: dict[str, float] = {
            name: sum(w * float(getattr(p, name)) for w, p in entries) for name in AVERAGED
        }
        levels = [sum(w * p.level(part) for w, p in entries) for part in PARTS]
        closed = sum(w * math.log(p.lowpass_hz or OPEN_HZ) for w, p in entries)
        dirty = [(w, p) for w, p in entries if p.bits or p.rate_hz]
        main = max(entries, key=lambda entry: entry[0])[1]
        # The delay's beats are a rhythm: an average of two would be none.
        delayed = max(entries, key=lambda entry: entry[0] * entry[1].delay)[1]
        values["delay_beats"] = float(delayed.delay_beats)
        values["crush"] = round(sum(w for w, _ in dirty), 2)
        crushed = max(dirty, key=lambda entry: entry[0])[1] if dirty else main
        values["bits"] = float(crushed.bits or 16)
        values["rate_hz"] = float(crushed.rate_hz or SAMPLE_RATE)
        values["reverb_amount"] += AMBIENCE
        rooms = {"hall": AMBIENCE}
        for weight, production in entries:
            if production.reverb != "none":
                gain = weight * float(production.reverb_amount)
                rooms[production.reverb] = rooms.get(production.reverb, 0.0) + gain
        whole = sum(rooms.values())
        loudest = sorted(rooms.items(), key=lambda item: -item[1])[:3]
        spec = tuple(
            (kind, round(math.sqrt(gain / whole), 1))
            for kind, gain in loudest
            if gain > 0.04 * whole
        )
        mix = MixParameters(
            **values, lowpass_hz=min(math.exp(closed), OPEN_HZ), levels_db=tuple(levels)
        )
        return mix, RoomSpec(tuple(sorted(spec)))
