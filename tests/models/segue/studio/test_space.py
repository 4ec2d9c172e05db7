"""Room and echo: convolution in partitions is convolution, and parts can be told apart."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from scipy.signal import fftconvolve

from models.segue.studio.block import BLOCK
from models.segue.studio.rooms import ROOMS, RoomSpec, impulse
from models.segue.studio.space import (
    CONTEXT,
    DOWN,
    SENDERS,
    TURN_BLOCKS,
    Echo,
    Lines,
    Space,
    SpaceState,
    advance_room,
    doubled,
    halved,
)

HALL = RoomSpec((("hall", 1.0),))
ALL = (1.0,) * len(SENDERS)
NO_ECHO = Echo()


def played(
    sends: np.ndarray, room: RoomSpec, echo: Echo = NO_ECHO, gains: tuple[float, ...] = ALL
) -> np.ndarray:
    space, state, out = Space(), SpaceState(), []
    for start in range(0, sends.shape[1], BLOCK):
        state = advance_room(state, room)
        state = space.write(sends[:, start : start + BLOCK], state, echo)
        out.append(space.answer(state, gains, (echo, echo), (1.0, 1.0)))
    return np.concatenate(out, axis=1)


def bursts(blocks: int, seed: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((len(SENDERS), blocks * BLOCK)).astype(np.float32) * 0.1
    gate = np.repeat(rng.random(blocks * 4) < 0.4, BLOCK // 4)
    return x * gate


@pytest.mark.parametrize("kind", ROOMS)
def test_the_room_is_a_convolution(kind: str) -> None:
    sends = bursts(40)
    out = played(sends, RoomSpec(((kind, 1.0),)))
    half = halved(sends, np.zeros((len(SENDERS), len(DOWN) - 1), np.float32)).sum(0)
    response = impulse(kind)
    for side in range(2):
        exact = fftconvolve(half.astype(np.float64), response[side])[: len(half)]
        exact = np.concatenate([np.zeros(CONTEXT), exact]).astype(np.float32)
        error = out[side] - doubled(exact[None])[0]
        # The lines are 16-bit floats, and what has died away to -84 dB is left out.
        assert np.sqrt(np.mean(error**2)) < 10 ** (-60 / 20) * np.sqrt(np.mean(out[side] ** 2))


def test_senders_add_up_to_the_whole() -> None:
    sends, echo = bursts(30), Echo(9001, 0.5, 0.4)
    whole = played(sends, HALL, echo)
    single = np.eye(len(SENDERS))
    parts = [played(sends, HALL, echo, tuple(map(float, row))) for row in single]
    assert np.abs(sum(parts) - whole).max() < 1e-5 * np.abs(whole).max()


def test_a_sender_that_is_off_is_exact_silence() -> None:
    assert not played(bursts(8), HALL, Echo(9001, 0.5, 0.4), (0.0,) * len(SENDERS)).any()


def test_a_sender_that_has_sent_nothing_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sends = bursts(4)
    sends[2] = 0.0
    space, state = Space(), SpaceState(room=HALL, goal=HALL)
    for start in range(0, sends.shape[1], BLOCK):
        state = space.write(sends[:, start : start + BLOCK], state, NO_ECHO)
    monkeypatch.setattr(np.fft, "rfft", None)
    alone = space.answer(state, (0.0, 0.0, 1.0, 0.0), (NO_ECHO, NO_ECHO), (1.0, 1.0))
    assert not alone.any() and alone.shape == (2, BLOCK)


def test_echoes_come_in_time_and_die_away() -> None:
    sends = np.zeros((len(SENDERS), 40 * BLOCK), np.float32)
    sends[2, 1000:1400] = np.hanning(400)
    delay = 10_000
    out = played(sends, RoomSpec(), Echo(delay, 0.8, 0.5))[0]
    peaks = [np.abs(out[1200 + 2 * delay * turn - 500 :][:1100]) for turn in (1, 2, 3)]
    first, second, third = (float(p.max()) for p in peaks)
    assert abs(int(peaks[0].argmax()) - 500) < 80
    assert 0.5 < first < 0.9
    assert 0.3 < second / first < 0.6 and 0.3 < third / second < 0.6
    # A drummer's beat is not repeated.
    sends[0], sends[2] = sends[2], 0
    assert not played(sends, RoomSpec(), Echo(delay, 0.8, 0.5)).any()


def test_a_new_room_comes_in_slowly_and_a_turn_is_finished() -> None:
    state = SpaceState(lines=(Lines((), np.zeros((0, BLOCK // 2), np.float16)),), goal=HALL)
    plate, spring = RoomSpec((("plate", 1.0),)), RoomSpec((("spring", 1.0),))
    state = advance_room(state, plate)
    assert state.room == HALL and state.goal == plate and 0 < state.turned < 0.1
    for _ in range(TURN_BLOCKS - 1):
        state = advance_room(state, spring)
        assert state.goal == plate
    assert state.turned == pytest.approx(1.0)
    state = advance_room(advance_room(state, spring), spring)
    assert state.goal == spring


def test_what_is_remembered_changes_nothing() -> None:
    sends = bursts(20)
    space, state = Space(), SpaceState()
    states = []
    for start in range(0, sends.shape[1], BLOCK):
        state = space.write(sends[:, start : start + BLOCK], advance_room(state, HALL), Echo())
        states.append(state)
        space.answer(state, ALL, (Echo(), Echo()), (1.0, 1.0))
    again = Space().answer(states[9], ALL, (Echo(), Echo()), (1.0, 1.0))
    assert np.array_equal(space.answer(states[9], ALL, (Echo(), Echo()), (1.0, 1.0)), again)
    last = space.answer(states[-1], ALL, (Echo(), Echo()), (1.0, 1.0))
    assert np.array_equal(last, Space().answer(states[-1], ALL, (Echo(), Echo()), (1.0, 1.0)))


def test_going_back_transforms_no_line_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turned knob renders the plan again from an earlier block: that must be as cheap."""
    sends = bursts(30)
    space, states = Space(), [SpaceState(room=HALL, goal=HALL)]
    for start in range(0, sends.shape[1], BLOCK):
        states.append(space.write(sends[:, start : start + BLOCK], states[-1], NO_ECHO))
        space.answer(states[-1], ALL, (NO_ECHO, NO_ECHO), (1.0, 1.0))
    transforms, rfft = [0], np.fft.rfft

    def counted(x: np.ndarray) -> np.ndarray:
        transforms[0] += 1
        return rfft(x)

    monkeypatch.setattr(np.fft, "rfft", counted)
    back = space.write(sends[:, :BLOCK], states[9], NO_ECHO)
    out = space.answer(back, ALL, (NO_ECHO, NO_ECHO), (1.0, 1.0))
    assert transforms == [1]
    assert np.array_equal(out, Space().answer(back, ALL, (NO_ECHO, NO_ECHO), (1.0, 1.0)))
    transforms[0] = 0
    space.answer(states[-1], ALL, (NO_ECHO, NO_ECHO), (1.0, 1.0))
    assert transforms[0] > 20  # what came later was forgotten


def test_doubling_keeps_a_tone() -> None:
    t = np.arange(CONTEXT + 1920)
    x = np.sin(2 * np.pi * 3000 / 24_000 * t)[None].astype(np.float32)
    y = doubled(x)[0, 200:]
    best = np.abs(np.fft.rfft(y * np.hanning(len(y))))
    assert best.argmax() * 48_000 / len(y) == pytest.approx(3000, abs=20)
    assert np.abs(y).max() == pytest.approx(1.0, abs=0.02)


def test_each_thread_has_its_own_cache() -> None:
    """Streams of one engine may play in several threads."""
    space = Space()
    mine = space._cache((1.0, 0.5))
    assert space._cache((1.0, 0.5)) is mine
    others: list[object] = []
    thread = threading.Thread(target=lambda: others.append(space._cache((1.0, 0.5))))
    thread.start()
    thread.join()
    assert others and others[0] is not mine
