"""The room of a learned sound: how it rings, and how it is found."""

from __future__ import annotations

import numpy as np
import pytest

from models.segue.codec import bands as B
from models.segue.room import (
    DRY,
    LONGEST,
    ROOMS,
    WIDEST,
    Room,
    contrasts,
    contrasts_in_rooms,
    in_room,
    limited,
    mixed_room,
    nearest_rooms,
)

FRAMES = 1200


def strokes(every: int, seed: int, decay_db: float = 4.0) -> np.ndarray:
    """Bands (FRAMES, 320) of strokes every so many frames, which fall by so many dB a frame."""
    rng = np.random.default_rng(seed)
    since = (np.arange(FRAMES) + rng.integers(every)) % every
    powers = 10 ** (-(20.0 + decay_db * since[:, None]) / 10) * np.ones((1, B.BANDS))
    powers = powers * rng.uniform(0.8, 1.25, powers.shape) + 1e-9
    return B.from_powers(powers.astype(np.float32))


def test_powers_and_bands_are_the_same_sound() -> None:
    bands = strokes(50, 0)
    assert np.allclose(B.from_powers(B.to_powers(bands)), bands, atol=1e-4)
    assert B.to_powers(np.full((2, B.BANDS), B.SILENCE)).max() < 1e-20


def test_a_dry_room_changes_nothing() -> None:
    bands = strokes(50, 0)
    heard, tail = in_room(bands, DRY, np.ones(B.BANDS, np.float32))
    assert heard is bands and tail is None


@pytest.mark.parametrize("seconds", [0.5, 2.0])
def test_what_ends_falls_by_60_db_in_its_time_and_what_is_held_keeps_its_level(
    seconds: float,
) -> None:
    held = B.compress(np.full((1000, B.BANDS), 0.1, np.float32))
    rest = np.full((100, B.BANDS), B.SILENCE, np.float32)
    heard, tail = in_room(held, Room(0.5, seconds), None)
    level = 10 * np.log10(B.to_powers(heard)[:, 50])
    assert level[-1] == pytest.approx(-20.0, abs=0.1) and tail is not None
    after, _ = in_room(rest, Room(0.5, seconds), tail)
    fall = 10 * np.log10(B.to_powers(after)[:, 50])
    assert fall[0] == pytest.approx(-23.0, abs=0.1)  # the room's half
    assert fall[20] - fall[70] == pytest.approx(60.0 * 0.5 / seconds, rel=0.05)


def test_blocks_ring_as_the_whole_does() -> None:
    bands, room, tail = strokes(70, 1), Room(0.4, 1.5), None
    whole, end = in_room(bands, room, None)
    parts = []
    for start in range(0, FRAMES, 24):
        part, tail = in_room(bands[start : start + 24], room, tail)
        parts.append(part)
    assert np.allclose(np.concatenate(parts), whole, atol=1e-5)
    assert tail is not None and end is not None and np.allclose(tail, end, rtol=1e-4)


def test_the_room_of_the_music_is_found() -> None:
    room = Room(0.05, 2.0)
    own = [np.concatenate([contrasts_in_rooms(strokes(40, s)) for s in (1, 2)]) for _ in range(2)]
    music = [
        np.concatenate([contrasts(in_room(strokes(40, s), each, None)[0]) for s in range(3, 7)])
        for each in (room, room)
    ]
    whole, rooms = nearest_rooms(music, own)
    assert whole == room and rooms == [room, room]
    # A piece that is drier than the others rings less.
    music[1] = np.concatenate([contrasts(strokes(40, s)) for s in range(3, 7)])
    _, (first, second) = nearest_rooms(music, own)
    assert second.share * second.seconds < first.share * first.seconds


def test_music_that_is_as_sharp_as_what_is_played_has_no_room() -> None:
    own = contrasts_in_rooms(strokes(40, 1))
    assert own.shape[1:] == (len(ROOMS), 3)
    for music in (contrasts(strokes(40, 2)), contrasts(strokes(40, 2, decay_db=8.0))):
        assert nearest_rooms([music], [own]) == (DRY, [DRY])
    nothing = np.zeros((0, 3), np.float32)
    assert nearest_rooms([nothing], [own]) == (DRY, [DRY])
    rest = np.full((FRAMES, B.BANDS), B.SILENCE, np.float32)
    assert len(contrasts(rest)) == 0 and len(contrasts_in_rooms(rest)) == 0


def test_rooms_add_up_within_limits() -> None:
    assert mixed_room([]) == DRY and mixed_room([(DRY, 1.0), (Room(0.4, 2.0), 0.0)]) == DRY
    half = mixed_room([(Room(0.08, 2.0), 0.5)])
    assert half == pytest.approx((0.04, 2.0))
    both = mixed_room([(Room(0.04, 1.0), 1.0), (Room(0.04, 3.0), 1.0)])
    assert both == pytest.approx((0.08, 2.0))
    assert limited(3.0, 99.0) == (WIDEST, LONGEST)
