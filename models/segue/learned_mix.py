"""Mix of a learned sound: equaliser curve, stereo width and room, taken from the files. No torch.

The low-rank changes teach the renderer what sounds; how the whole was mixed is two measures, the
long-term spectrum and the level of the side against the middle (as mastering engineers match one
record to another: Ma, Reiss and Black, "Implementation of an intelligent equalization tool using
Yule-Walker for music mixing and mastering", AES 2013), and a room (`segue.room`). Their
differences to what is played of itself are kept in the sound's file, once for the renderer and once
for the studio, and act by the sound's amount. The studio has rooms of its own and takes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE
from models.segue.codec.bands import CENTRES_HZ, STEREO_BANDS, scaled
from models.segue.dream.tone import CENTRES, powers
from models.segue.room import DRY, Room, in_room, limited, mixed_room
from models.segue.studio.production import MixParameters
from models.segue.studio.warmth import tilt_gains
from models.sounds.file import LearnedSound
from models.sounds.pieces import KeptSounds, Turn, weights_of

Array = NDArray[np.float32]

RENDERER: Final = "mix.renderer"
STUDIO: Final = "mix.studio"
"""How the names of a change's tensors begin in the file of a sound: of whose playing it is."""
WINDOW: Final = 5 * SAMPLE_RATE
"""Samples of one row of measures."""
REST: Final = 1e-6
"""Mean square under which a window tells nothing."""
BOOST_DB: Final = 9.0
CUT_DB: Final = -15.0
PITCHED_HZ: Final = 1100.0
PITCHED_DB: Final = 6.0
"""Limit of what is learned, both ways, under PITCHED_HZ, where the pitches lie: a part that is
hardly heard, or a bass drum above all, would hide the key."""
WIDER_DB: Final = 9.0
WIDEST: Final = 1.8
STEEPEST_DB: Final = 9.0


@dataclass(frozen=True, eq=False)
class MixChange:
    """What a learned sound changes of a mix.

    Attributes:
        tone_db: (15,) gain in dB at `tone.CENTRES`.
        width_db: gain in dB of the side.
        room: in which it is heard.

    """

    tone_db: Array
    width_db: float
    room: Room = DRY

    def tensors(self, player: str) -> dict[str, NDArray[np.generic]]:
        """Its tensors for the file of a sound; player: RENDERER or STUDIO."""
        return {
            f"{player}.tone": self.tone_db.astype(np.float16),
            f"{player}.width": np.array([self.width_db], np.float16),
            f"{player}.room": np.array(self.room, np.float16),
        }

    def changed(
        self, bands: Array, images: Array, tail: Array | None
    ) -> tuple[Array, Array, Array | None]:
        """Bands (T, 320) and stereo images (T / 4, 40) of the codec with the change.

        Args:
            bands: as they were played.
            images: theirs.
            tail: (320,) power that rings in the room from before; None in silence.

        Returns:
            Bands, images, and what rings after them.

        """
        heard, tail = in_room(scaled(bands, self.gains), self.room, tail)
        return heard, self.widened(images), tail

    @cached_property
    def gains(self) -> Array:
        """Gains (320,) for the codec's bands."""
        octaves = np.log(np.maximum(CENTRES_HZ.astype(np.float64), 20.0))
        line = np.interp(octaves, np.log(CENTRES), self.tone_db)
        return np.asarray(10.0 ** (line / 20.0), np.float32)

    def widened(self, images: Array) -> Array:
        """Stereo images (T, 40) of the codec with the gain on their side."""
        pan, coherence = images[:, :STEREO_BANDS], images[:, STEREO_BANDS:]
        gain = np.float32(10.0 ** (self.width_db / 20.0))
        # Powers of left and right sum to 1; of middle and side, and their product.
        cross = coherence * np.sqrt(np.maximum(1.0 - pan * pan, 0.0))
        middle, side, both = 1.0 + cross, gain * gain * (1.0 - cross), gain * pan
        total = middle + side
        left, right = total + 2.0 * both, total - 2.0 * both
        loud = np.sqrt(np.maximum(left * right, 1e-12))
        parts = [2.0 * both / total, np.clip((middle - side) / loud, -1.0, 1.0)]
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def of_production(self, mix: MixParameters) -> MixParameters:
        """The studio's parameters with the change: its tilt, as near as a tilt comes, and width."""
        shape = 20.0 * np.log10(tilt_gains(np.asarray(CENTRES), 1.0))
        shape = shape - shape.mean()
        slope = float(shape @ self.tone_db / (shape @ shape))
        tilt = mix.tilt_db + min(max(slope, -STEEPEST_DB), STEEPEST_DB)
        width = min(mix.width * 10.0 ** (self.width_db / 20.0), max(WIDEST, mix.width))
        return mix._replace(tilt_db=tilt, width=width)


def measures(audio: Array) -> Array:
    """Measures (k, 16) of windows of audio (n, 2) at 48 kHz: the level in dB of each of
    `tone.CENTRES` against the whole, and of the side against the middle. Rests are left out.
    """
    rows = []
    for start in range(0, len(audio) - WINDOW + 1, WINDOW):
        part = audio[start : start + WINDOW]
        found = powers(part).astype(np.float64)
        if float(np.square(part, dtype=np.float64).mean()) < REST or found.sum() <= 0.0:
            continue
        middle, side = part.mean(axis=1), (part[:, 0] - part[:, 1]) / 2
        same, other = (np.square(x, dtype=np.float64).mean() for x in (middle, side))
        wide = other / max(same, REST**2)  # files whose channels are opposite have no middle
        rows.append(10.0 * np.log10([*(found / found.sum() + 1e-9), wide + 1e-3]))
    return np.asarray(rows, np.float32).reshape(-1, len(CENTRES) + 1)


def change_towards(music: Array, own: Array) -> MixChange:
    """The change that leads what is played of itself to music.

    Args:
        music: (n, 16), as of `measures`.
        own: (m, 16).

    Returns:
        One that changes nothing where there is nothing to compare.

    """
    if not len(music) or not len(own):
        return MixChange(np.zeros(len(CENTRES), np.float32), 0.0)
    return _change(_sure(music.astype(np.float64), own.astype(np.float64)), own)


def piece_changes(music: Sequence[Array], own: Sequence[Array]) -> list[MixChange]:
    """The change for each of some pieces: that of all of them, and what the piece has apart from
    it as far as that is no chance.

    Args:
        music: (n, 16) of each piece, as of `measures`.
        own: (m, 16) of what is played of itself in its place.

    """
    pairs = [(a.astype(np.float64), b.astype(np.float64)) for a, b in zip(music, own, strict=True)]
    whole = [np.concatenate(rows) for rows in zip(*pairs, strict=True)]
    if not all(map(len, whole)):
        return [change_towards(*pair) for pair in zip(music, own, strict=True)]
    middle = np.median(whole[0], axis=0) - np.median(whole[1], axis=0)
    # A few streams of each piece hardly tell how much they vary; those of all do.
    varied = [
        _variance(np.concatenate([rows - np.median(rows, axis=0) for rows in each if len(rows)]))
        for each in zip(*pairs, strict=True)
    ]
    common = _likely(middle, _error(whole[0], varied[0]) + _error(whole[1], varied[1]))
    found = []
    for heard, played in pairs:
        towards = common
        if len(heard) and len(played):
            apart = np.median(heard, axis=0) - np.median(played, axis=0) - middle
            error = _error(heard, varied[0]) + _error(played, varied[1])
            towards = common + _likely(apart, error)
        found.append(_change(towards, played if len(played) else whole[1]))
    return found


def _change(towards: NDArray[np.float64], own: NDArray[np.floating]) -> MixChange:
    """The change by (16,) dB of what is played, (m, 16)."""
    *played, _ = np.median(own, axis=0)
    *tone, width = towards
    # What is loud keeps its level.
    share = 10.0 ** (np.array(played) / 10.0)
    curve = np.array(tone) - float(share @ tone / share.sum())
    pitched = np.array(CENTRES) < PITCHED_HZ
    curve = np.where(pitched, np.clip(curve, -PITCHED_DB, PITCHED_DB), curve)
    return MixChange(
        np.clip(curve, CUT_DB, BOOST_DB).astype(np.float32),
        float(np.clip(width, -WIDER_DB, WIDER_DB)),
    )


def _sure(music: NDArray[np.float64], own: NDArray[np.float64]) -> NDArray[np.float64]:
    """Difference of the medians of rows, the less of it the more it may be chance. Medians, as a
    passage in which hardly anybody plays says nothing of the mix.
    """
    difference = np.median(music, axis=0) - np.median(own, axis=0)
    return _likely(difference, sum(_error(rows, _variance(rows)) for rows in (music, own)))


def _likely(
    difference: NDArray[np.float64], error: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """What is left of a difference d with the variance s^2 of its error: d^2 / (d^2 + s^2) of it,
    as of a Wiener filter.
    """
    square = np.square(difference)
    return np.asarray(difference * square / (square + error + 1e-9))


def _error(rows: NDArray[np.float64], variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Variance of the middle of rows that vary so."""
    return variance / max(1, len(rows) - 1)


def _variance(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Variance over rows by their median absolute deviation (Rousseeuw and Croux 1993)."""
    deviation = np.median(np.abs(rows - np.median(rows, axis=0)), axis=0)
    return np.asarray(np.square(1.4826 * deviation))


def mix_change_of(tensors: Mapping[str, NDArray[np.generic]], player: str) -> MixChange | None:
    """The change of a sound's tensors; None where it has none, or one of another shape."""
    tone, width = tensors.get(f"{player}.tone"), tensors.get(f"{player}.width")
    if tone is None or width is None or tone.shape != (len(CENTRES),) or width.shape != (1,):
        return None
    room = tensors.get(f"{player}.room", np.array(DRY))  # of before there were rooms
    if room.shape != np.shape(DRY):
        return None
    curve = np.clip(np.asarray(tone, np.float32), CUT_DB, BOOST_DB)
    wider = float(np.clip(np.float32(width[0]), -WIDER_DB, WIDER_DB))
    return MixChange(curve, wider, limited(*np.asarray(room, np.float64).tolist()))


def mixed_changes(changes: Iterable[tuple[MixChange, float]]) -> MixChange | None:
    """The sum in dB of changes by their scales; None where there is none."""
    acting = [(change, scale) for change, scale in changes if scale > 0.0]
    if not acting:
        return None
    tone = sum((scale * change.tone_db for change, scale in acting), np.zeros(len(CENTRES)))
    width = sum(scale * change.width_db for change, scale in acting)
    room = mixed_room([(change.room, scale) for change, scale in acting])
    return MixChange(np.asarray(tone, np.float32), width, room)


Scaled: TypeAlias = tuple[tuple[LearnedSound, float], ...]


class LearnedMixes:
    """Changes of the mix by the sounds of a library; the last one is kept.

    Args:
        library: where the sounds are.
        player: RENDERER or STUDIO, whose playing is changed.

    """

    def __init__(self, library: KeptSounds, player: str) -> None:
        self._library, self._player = library, player
        self._kept: tuple[tuple[Scaled, Turn], MixChange | None] = (((), Turn()), None)

    def __call__(self, scales: Mapping[str, float], turn: Turn) -> MixChange | None:
        """The change of a mix of sounds at a turn of their pieces; None where none of them has one.

        Raises:
            SegueError: a sound that is not here, damaged or of other weights.

        """
        if not scales:
            return None
        sounds = tuple((self._library.kept(name), scale) for name, scale in scales.items())
        known, change = self._kept
        if (sounds, turn) != known:
            parts = ((change_at(s, self._player, turn), scale) for s, scale in sounds)
            change = mixed_changes((one, scale) for one, scale in parts if one is not None)
            self._kept = (sounds, turn), change
        return change


def change_at(sound: LearnedSound, player: str, turn: Turn) -> MixChange | None:
    """The change of a sound's mix at a turn; None where it has none."""
    whole = mix_change_of(sound.changes, player)
    pieces = weights_of(sound.pieces, turn)
    parts = [(mix_change_of(piece.changes, player) or whole, weight) for piece, weight in pieces]
    own = [(change, weight) for change, weight in parts if change is not None]
    return mixed_changes(own) if own else whole
