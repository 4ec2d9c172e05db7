"""Room of a learned sound: how what is played rings on, as in its files. No torch.

What the renderer plays often ends in the dark, where records end in a room or in their reverb. On
the codec's bands a room is what diffuse reverberation does to the power in each of them: it follows
what sounds and falls exponentially (Schroeder, "New method of measuring reverberation time", JASA
1965; Moorer, "About this reverberation business", Computer Music Journal 1979). A share of what is
heard is that; held sounds keep their level.

Which room it is is found by trying some of them: the one in which things begin as sharply, and rest
as deeply, as in the files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE
from models.segue.codec.bands import (
    BANDS,
    CENTRES_HZ,
    HOP,
    from_powers,
    to_powers,
)

Array = NDArray[np.float32]

WIDEST: Final = 0.1
"""Most of what is heard that may be the room. A tenth keeps what is played from ending in the dark;
more smears what begins, and the notes that are asked for with it."""
LONGEST: Final = 6.0
WINDOW: Final = 500
"""Band frames of one row of contrasts: 5 s."""
REST: Final = 1e-6
"""Mean power under which a window tells nothing."""
FAINT: Final = 1e-12
"""Power that nobody hears, added to all."""
CONTRASTS: Final = 3
ATTACKS_HZ: Final = (190.0, 9400.0)
HIGHS_HZ: Final = (4000.0, 12_000.0)


class Room(NamedTuple):
    """share: of the power that is the room's, 0 to 1; seconds: in which it falls by 60 dB."""

    share: float = 0.0
    seconds: float = 1.0


DRY: Final = Room()
SHARES: Final = (0.025, 0.05, 0.1)
SECONDS: Final = (0.5, 1.0, 2.0, 4.0)
ROOMS: Final = (DRY, *(Room(share, time) for time in SECONDS for share in SHARES))
"""Those that are tried."""


def limited(share: float, seconds: float) -> Room:
    """A room within the limits of what is played."""
    return Room(float(np.clip(share, 0.0, WIDEST)), float(np.clip(seconds, 0.1, LONGEST)))


def mixed_room(rooms: Sequence[tuple[Room, float]]) -> Room:
    """The sum of rooms by their scales: of their shares, and the mean of their seconds by these."""
    share = sum(room.share * scale for room, scale in rooms)
    if share <= 0.0:
        return DRY
    seconds = sum(room.share * scale * room.seconds for room, scale in rooms) / share
    return limited(share, seconds)


def in_room(bands: Array, room: Room, tail: Array | None) -> tuple[Array, Array | None]:
    """Bands as they are heard in a room.

    Args:
        bands: (T, 320) of the codec.
        room: DRY changes nothing.
        tail: (320,) power that rang before them; None in silence.

    Returns:
        Bands (T, 320), and the power that rings after them.

    """
    if room.share <= 0.0:
        return bands, None
    powers = to_powers(bands)
    rung, tails = _rung(powers, np.array([room.seconds]), tail)
    heard = (1.0 - room.share) * powers + room.share * rung[:, 0]
    return from_powers(heard), tails[0]


def contrasts(bands: Array) -> Array:
    """Contrasts (k, 3) of windows of bands (T, 320); rests are left out.

    All in dB: how sharply things begin, as the mean rise of the bands from frame to frame in its
    strongest percent, and that of the level of the highs; and how deep it rests.
    """
    starts = range(0, len(bands) - WINDOW + 1, WINDOW)
    windows = [to_powers(bands[start : start + WINDOW]) for start in starts]
    rows = [_contrasts(powers) for powers in windows if _sounds(powers)]
    return np.asarray(rows, np.float32).reshape(-1, CONTRASTS)


def contrasts_in_rooms(bands: Array) -> Array:
    """As `contrasts`, in each of ROOMS: (k, rooms, 3)."""
    powers = to_powers(bands)
    seconds = sorted({room.seconds for room in ROOMS})
    rung, _ = _rung(powers, np.array(seconds), None)
    rows = []
    for start in range(0, len(bands) - WINDOW + 1, WINDOW):
        part = slice(start, start + WINDOW)
        if not _sounds(powers[part]):
            continue
        rows.append(
            [
                _contrasts(
                    (1.0 - room.share) * powers[part]
                    + room.share * rung[part, seconds.index(room.seconds)]
                )
                for room in ROOMS
            ]
        )
    return np.asarray(rows, np.float32).reshape(-1, len(ROOMS), CONTRASTS)


def nearest_rooms(music: Sequence[Array], own: Sequence[Array]) -> tuple[Room, list[Room]]:
    """The room of all pieces, and that of each, in which what is played is most like the music.

    A few streams of a piece hardly tell its room; those of all count with them.

    Args:
        music: (n, 3) of each piece, as of `contrasts`.
        own: (m, rooms, 3) of what is played of itself in its place, as of `contrasts_in_rooms`.

    Returns:
        DRY where there is nothing to compare, or where no room comes nearer.

    """
    pairs = [(heard, played) for heard, played in zip(music, own, strict=True)]
    known = [(heard, played) for heard, played in pairs if len(heard) and len(played)]
    if not known:
        return DRY, [DRY] * len(pairs)
    spread = np.mean([_spread(heard) + _spread(played[:, 0]) for heard, played in known], axis=0)

    def cost(heard: Array, played: Array) -> NDArray[np.float64]:
        apart = np.median(played, axis=0) - np.median(heard, axis=0)
        return np.asarray((np.square(apart) / (spread + 1e-6)).sum(axis=-1), np.float64)

    common = cost(*(np.concatenate(rows) for rows in zip(*known, strict=True)))
    found = [
        common + cost(heard, played) if len(heard) and len(played) else common
        for heard, played in pairs
    ]
    return ROOMS[int(common.argmin())], [ROOMS[int(each.argmin())] for each in found]


def _rung(powers: Array, seconds: NDArray[np.float64], tail: Array | None) -> tuple[Array, Array]:
    """What rings before each frame of powers (T, 320) for some decays: (T, n, 320), and after the
    last, (n, 320).
    """
    keep = np.float32(10.0) ** (-6.0 * HOP / SAMPLE_RATE / seconds).astype(np.float32)[:, None]
    ringing = np.zeros((len(seconds), BANDS), np.float32) + (0.0 if tail is None else tail)
    rung = np.empty((len(powers), *ringing.shape), np.float32)
    for frame, power in enumerate(powers):
        rung[frame] = ringing
        ringing = keep * ringing + (1.0 - keep) * power
    return rung, ringing.astype(np.float32)


def _contrasts(powers: Array) -> list[float]:
    logs = 10.0 * np.log10(powers[:, _ATTACKS] + FAINT)
    rises = np.maximum(np.diff(logs, axis=0), 0.0).mean(axis=1)
    levels = 10.0 * np.log10(powers @ _WIDTHS + FAINT)
    highs = 10.0 * np.log10(powers[:, _HIGHS] @ _WIDTHS[_HIGHS] + FAINT)
    return [
        float(np.percentile(rises, 99)),
        float(np.percentile(np.diff(highs), 99)),
        float(np.percentile(levels, 50) - np.percentile(levels, 5)),
    ]


def _sounds(powers: Array) -> bool:
    return float((powers @ _WIDTHS).mean()) > REST


def _spread(rows: Array) -> NDArray[np.float64]:
    """Variance over rows by their median absolute deviation."""
    deviation = np.median(np.abs(rows - np.median(rows, axis=0)), axis=0)
    return np.asarray(np.square(1.4826 * deviation), np.float64)


_ATTACKS: Final = (ATTACKS_HZ[0] <= CENTRES_HZ) & (ATTACKS_HZ[1] > CENTRES_HZ)
_HIGHS: Final = (HIGHS_HZ[0] <= CENTRES_HZ) & (HIGHS_HZ[1] > CENTRES_HZ)
_WIDTHS: Final = (np.gradient(CENTRES_HZ) / CENTRES_HZ[1]).astype(np.float32)
"""(320,) of the bands in FFT bins, so that powers add up."""
