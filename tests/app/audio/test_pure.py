"""Ring, fades, limiter, meters, splice and player: in memory, no process, no device."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.audio import shared_memory as s
from app.audio.callback import CallbackRenderer
from app.audio.fades import UnderrunFade, correlation, crossfade, crossfade_gains
from app.audio.limiter import Limiter
from app.audio.meters import Meters
from app.audio.resample import DeviceRate
from app.audio.rewrite_buffer import RewriteBuffer
from app.audio.ring import PlanRing, TapRing
from app.audio.splice import LATE, WAIT, WRITTEN, PlanWriter, edge
from app.audio.stem_ring import StemRing
from app.cli.plan_check import PlanCheck

Samples = NDArray[np.float32]


def ramp(start: int, count: int) -> Samples:
    values = np.arange(start, start + count, dtype=np.float32)
    return np.stack([values, -values], axis=1)


def sine(count: int, hz: float = 220.0, level: float = 0.3, start: int = 0) -> Samples:
    wave = level * np.sin(2 * np.pi * hz * (start + np.arange(count)) / s.SAMPLE_RATE)
    return np.repeat(wave[:, None], 2, axis=1).astype(np.float32)


# The ring


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("war"), st.integers(0, 40)), max_size=40))
def test_the_ring_is_a_list_that_forgets(steps: list[tuple[str, int]]) -> None:
    """Against a plain list: append, rewrite from a margin on, read; positions grow past the end."""
    ring = PlanRing.local(64)
    model: list[float] = []
    value = 1.0
    for kind, size in steps:
        fresh = np.full((size, 2), value, np.float32)
        value += 1.0
        if kind == "w":
            if ring.depth + size <= ring.capacity:
                ring.append(fresh)
                model.extend([value - 1.0] * size)
            else:
                with pytest.raises(ValueError):
                    ring.append(fresh)
        elif kind == "a":
            start = ring.read + size // 2
            if start <= ring.end and start + size - ring.read <= ring.capacity:
                ring.look()
                assert ring.rewrite(start, fresh, 3) == (size // 2 >= 3)
                if size // 2 >= 3:
                    model[start : start + size] = [value - 1.0] * size
        else:
            count = min(size, ring.depth)
            out = np.zeros((count, 2), np.float32)
            ring.look()
            ring.read_into(ring.read, out)
            assert out[:, 0].tolist() == model[ring.read : ring.read + count]
            ring.advance(count)
    assert ring.end == len(model)


def test_positions_beyond_32_bits() -> None:
    ring = PlanRing.local(100)
    ring.words[s.END] = ring.words[s.READ] = 2**40 + 7
    ring.append(ramp(0, 80))
    assert ring.rewrite(2**40 + 17, ramp(500, 30), 10)
    out = np.zeros((80, 2), np.float32)
    ring.look()
    ring.read_into(ring.read, out)
    assert out[:, 0].tolist() == [*range(10), *range(500, 530), *range(40, 80)]


class SuspendedWriter(RewriteBuffer):
    """Writer to whom something happens at a step of a rewrite, as when the system suspends it."""

    def __init__(self, ring: PlanRing, step: str, happens: Callable[[], object]) -> None:
        assert ring.rewrites is not None
        super().__init__(ring.words, ring.rewrites._halves)
        self.step, self.happens = step, happens

    def offer(self, start: int, frames: Samples) -> None:
        if self.step == "before":
            self.happens()
        super().offer(start, frames)
        if self.step == "offered":
            self.happens()

    def end(self) -> None:
        if self.step == "stored":
            self.happens()
        super().end()


class SharedRings:
    """A writer and a reader of one plan, as in two processes. READING frames at a time."""

    READING = 100

    def __init__(self, step: str, readings: int) -> None:
        words, data = np.zeros(s.WORDS, np.int64), np.zeros((2000, 2), np.float32)
        halves = np.zeros((2, 1000, 4), np.float32)  # a part beside the mix
        self.writer, self.reader = (PlanRing(words, data, None, halves) for _ in range(2))
        self.writer.rewrites = SuspendedWriter(self.writer, step, lambda: self.read(readings))
        self.heard: list[float] = []
        self.writer.append(ramp(0, 1000))

    def read(self, count: int) -> None:
        for _ in range(count):
            out = np.zeros((self.READING, 2), np.float32)
            self.reader.look()
            self.reader.read_into(self.reader.read, out)
            self.heard += out[:, 0].tolist()
            self.reader.advance(self.READING)


@pytest.mark.parametrize("step", ["before", "offered", "stored"])
@pytest.mark.parametrize("readings", range(7))
def test_a_rewrite_is_heard_whole_or_not_at_all(step: str, readings: int) -> None:
    """Wherever the writer is suspended, and for however long."""
    rings = SharedRings(step, readings)
    rings.read(1)
    answered = readings and step == "before"  # by a reader that goes on meanwhile
    going_on = threading.Timer(0.01, rings.read, [1])
    if answered:
        going_on.start()
    written = rings.writer.rewrite(400, ramp(5000, 300), rings.READING)
    going_on.cancel()
    if answered:
        going_on.join()
    rings.read(10 - len(rings.heard) // rings.READING)
    expected = [*range(1000)]
    if written:
        expected[400:700] = range(5000, 5300)
    assert rings.heard == expected
    assert written == (step != "before" or readings <= 3)
    assert rings.writer.copy(0, 1000)[:, 0].tolist() == expected


@pytest.mark.parametrize("step", ["offered", "stored"])
def test_who_looks_back_sees_a_rewrite_as_it_was_heard(step: str) -> None:
    """Also before the writer has copied it into the ring; the parts' sound beside the mix too."""
    rings = SharedRings(step, 0)
    writer = StemRing(rings.writer)
    writer.enable(2)
    looked: list[list[float]] = []

    def look_back() -> None:
        rings.read(6)
        played = writer.played_stems(0, rings.reader.read)
        assert played is not None
        looked.append(played[0][:, 0].tolist())
        assert not played[1][:400].any()
        assert played[1][400:, 0].tolist() == [-at for at in range(5000, 5200)]

    writer.rewrites = SuspendedWriter(writer, step, look_back)
    new = ramp(5000, 300)
    assert writer.rewrite(400, np.concatenate([new, new[:, ::-1]], axis=1), rings.READING)
    assert looked == [[*range(400), *range(5000, 5200)]]
    assert writer.copy_played(0, 1000)[:, 0].tolist() == [
        *range(400), *range(5000, 5300), *range(700, 1000),
    ]  # fmt: skip


def test_the_check_of_the_output_takes_no_unfinished_rewrite_for_a_torn_one() -> None:
    rings = SharedRings("offered", 0)
    tap = TapRing.local(4096)
    check = PlanCheck(SimpleNamespace(ring=rings.writer, tap=tap, limiting_lowest=1.0))

    def look_back() -> None:
        rings.read(6)
        heard = np.array(rings.heard[tap.end :], np.float32)
        tap.append(np.stack([heard, -heard], axis=1))
        check.update()

    rings.writer.rewrites = SuspendedWriter(rings.writer, "offered", look_back)
    assert rings.writer.rewrite(400, ramp(5000, 300), rings.READING)
    assert (check.frames, check.torn) == (600, 0)
    tap.append(ramp(9000, 100))
    check.update()
    assert check.torn == 1


def test_a_writer_that_comes_too_late_waits_no_longer_than_it_must() -> None:
    """The reader stands still after it came close: nobody answers, and nothing is changed."""
    rings = SharedRings("before", 4)
    began = time.monotonic()
    assert not rings.writer.rewrite(400, ramp(5000, 300), rings.READING)
    assert time.monotonic() - began < 2.0
    rings.read(6)
    assert rings.heard == [*range(1000)]


def test_a_half_that_is_filled_again_while_it_is_copied_is_not_played() -> None:
    rings = SharedRings("never", 0)
    buffer = rings.reader.rewrites
    assert buffer is not None and rings.writer.rewrites is not None
    rings.writer.rewrites.offer(200, ramp(5000, 300))
    rings.reader.look()
    assert rings.writer.rewrites.taken(200, 100)
    rings.writer._store(200, ramp(5000, 300))
    rings.writer.rewrites.end()
    for value in (6000, 7000):  # two more, while one reading goes on
        rings.writer.rewrites.offer(600, ramp(value, 300))
        rings.writer._store(600, ramp(value, 300))
        rings.writer.rewrites.end()
    out = np.zeros((300, 2), np.float32)
    assert not buffer.overlay(200, out.copy())
    rings.reader.read_into(200, out)
    assert out[:, 0].tolist() == [*range(5000, 5300)]


def test_of_a_long_rewrite_the_buffer_holds_the_beginning() -> None:
    rings = SharedRings("offered", 1)
    assert rings.writer.rewrite(300, ramp(5000, 1200), rings.READING)
    assert rings.writer.end == 1500
    rings.read(14)
    assert rings.heard == [*range(300), *range(5000, 6200)]


def test_two_threads_and_never_a_torn_block() -> None:
    """Blocks of equal numbers: what is read is one block or another, never a mixture."""
    ring = PlanRing.local(4096)
    block, stop, seen, rewritten = 64, 20_000, [], 0

    def write() -> None:
        nonlocal rewritten
        value = 0
        while ring.end < stop:
            value += 1
            fresh = np.full((block, 2), value, np.float32)
            if ring.depth < 2048:
                ring.append(fresh)
            start = (ring.read // block + 1) * block  # the next that will be read
            if start + block <= ring.end:
                rewritten += ring.rewrite(start, fresh, block)

    writer = threading.Thread(target=write)
    writer.start()
    out = np.zeros((block, 2), np.float32)
    while ring.read < stop - block:
        ring.look()
        if ring.depth >= block:
            ring.read_into(ring.read, out)
            seen.append(bool((out == out[0, 0]).all()))
            ring.advance(block)
    writer.join()
    assert len(seen) > 100 and all(seen) and rewritten > 20


def test_rewriting_refuses_a_gap_and_the_readers_neighbourhood() -> None:
    ring = PlanRing.local(1000)
    ring.append(ramp(0, 300))
    ring.advance(100)
    with pytest.raises(ValueError, match="gap"):
        ring.rewrite(301, ramp(0, 5), 0)
    assert not ring.rewrite(149, ramp(900, 5), 50)
    assert ring.copy(100, 300)[49, 0] == 149
    assert ring.rewrite(150, ramp(900, 5), 50)
    with pytest.raises(ValueError, match="longer"):
        ring.append(ramp(0, 900))
    with pytest.raises(ValueError):
        ring.truncate(99)
    ring.truncate(100)
    assert ring.depth == 0


def test_the_tap_follows_and_tells_what_it_lost() -> None:
    tap = TapRing.local(800)
    tap.append(ramp(0, 500))
    start, got = tap.follow(120)
    assert start == 120 and got[:, 0].tolist() == list(range(120, 500))
    tap.append(ramp(500, 700))
    start, got = tap.follow(120)
    assert start == 1200 - 800 + 100 and got[0, 0] == start and len(got) == 1200 - start
    assert tap.follow(1200)[1].shape == (0, 2)


# Fades


@pytest.mark.parametrize("alike", [0.0, 0.3, 0.9, 1.0])
def test_crossfade_keeps_the_power(alike: float) -> None:
    old, new = (g[:, 0].astype(float) for g in crossfade_gains(400, alike))
    assert old**2 + new**2 + 2 * alike * old * new == pytest.approx(np.ones(400), abs=1e-6)
    assert old[0] > 0.99 and new[0] < 0.01 and old[-1] < 0.01 and new[-1] > 0.99


def test_crossfade_of_the_same_is_the_same_and_of_noise_has_its_power() -> None:
    same = sine(720)
    assert np.allclose(crossfade(same, same), same, atol=1e-6)
    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal((48_000, 2)).astype(np.float32) for _ in range(2))
    assert abs(correlation(a, b)) < 0.02
    mixed = crossfade(a, b)
    power = np.square(mixed).reshape(10, -1).mean(axis=1)
    assert power == pytest.approx(np.ones(10), abs=0.05)


@given(
    chunks=st.lists(st.integers(1, 700), min_size=1, max_size=40),
    fills=st.lists(st.integers(0, 1500), min_size=1, max_size=40),
    wanted=st.lists(st.booleans(), min_size=1, max_size=40),
)
@settings(max_examples=60, deadline=None)
def test_the_dry_fade_never_has_an_edge(
    chunks: list[int], fills: list[int], wanted: list[bool]
) -> None:
    """Whatever comes and is asked for, the gain moves smoothly and takes no more than there is."""
    fade = UnderrunFade(480, 2000, 1024)
    available, gains = 0, [0.0]
    for i, frames in enumerate(chunks):
        available += fills[i % len(fills)]
        take = fade.next_gains(frames, available, wanted[i % len(wanted)])
        assert 0 <= take <= min(frames, available)
        assert (fade.gain[take:frames] == 0).all()
        gains.extend(fade.gain[:frames, 0].tolist())
        available -= take
    steepest = np.abs(np.diff(gains)).max()
    assert steepest <= np.pi / 2 / 480 + 1e-6


def test_running_dry_is_told_once_and_waits_for_more() -> None:
    fade = UnderrunFade(100, 500, 256)
    assert fade.next_gains(50, 150, True) == 0 and not fade.underrun  # too little for in and out
    assert fade.next_gains(200, 260, True) == 200 and fade.underrun
    assert fade.next_gains(200, 60, True) == 60 and fade.silent
    assert fade.next_gains(200, 400, True) == 0
    assert fade.next_gains(60, 600, True) == 60 and fade.underrun  # not open yet
    assert fade.next_gains(200, 540, True) == 200 and not fade.underrun


# Limiter and meters


@given(
    st.lists(st.integers(1, 300), min_size=1, max_size=20),
    st.integers(0, 2**32 - 1),
    st.floats(0.1, 8.0),
)
@settings(max_examples=50, deadline=None)
def test_nothing_leaves_the_limiter_above_its_ceiling(
    sizes: list[int], seed: int, level: float
) -> None:
    rng = np.random.default_rng(seed)
    limiter = Limiter(ceiling=0.9, lookahead=32, release=400, max_frames=512)
    sound = (rng.standard_normal((sum(sizes), 2)) * level).astype(np.float32)
    sound[rng.random(len(sound)) < 0.5] *= 0.05
    out = np.empty_like(sound)
    at = 0
    for size in sizes:
        limiter.process(sound[at : at + size], out[at : at + size])
        at += size
    assert np.abs(out).max() <= 0.9 + 1e-6
    if np.abs(sound).max() <= 0.9:
        assert np.array_equal(out[32:], sound[:-32] if len(sound) > 32 else sound[:0])


def test_the_limiter_is_the_same_for_every_cut_and_comes_to_rest() -> None:
    sound = sine(20_000, 100.0, 0.5)
    sound[4000:8000] *= 1.0 + 3.0 * np.hanning(4000)[:, None].astype(np.float32)
    whole, pieces = np.empty_like(sound), np.empty_like(sound)
    one = Limiter(max_frames=20_000)
    one.process(sound, whole)
    many = Limiter(max_frames=512)
    for at in range(0, 20_000, 160):
        many.process(sound[at : at + 160], pieces[at : at + 160])
    assert np.allclose(pieces, whole, atol=1e-6)
    assert many.min_gain == 1.0
    assert np.array_equal(pieces[-5000:], sound[-5096:-96])
    assert np.abs(np.diff(whole[:, 0], n=2)).max() < 0.01  # no crackle


def test_meters_rise_at_once_hold_and_fall() -> None:
    meters = Meters()
    loud = np.zeros((480, 2), np.float32)
    loud[7] = (0.5, 0.25)
    meters.measure(loud)
    assert meters.peak.tolist() == [0.5, 0.25] == meters.hold.tolist()
    for _ in range(100):  # one second
        meters.measure(np.zeros((480, 2), np.float32))
    assert meters.hold[0] == 0.5
    assert 20 * np.log10(meters.peak[0] / 0.5) == pytest.approx(-20 / 1.7, abs=0.5)
    for _ in range(200):
        meters.measure(np.zeros((480, 2), np.float32))
    assert meters.hold[0] < 0.2
    for _ in range(300):
        meters.measure(sine(480, 1000.0, 0.5))
    assert meters.rms[0] == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


# Splicing


def test_a_rewritten_block_and_its_reserve() -> None:
    ring = PlanRing.local(100_000)
    writer = PlanWriter(ring, 200, 100)
    for i in range(4):
        assert writer.write(i * 1000, ramp(i * 1000, 1000), follows=i > 0).outcome == WRITTEN
    new = np.full((1000, 2), 9.0, np.float32)
    done = writer.write(1000, new, follows=False)
    assert (done.outcome, done.join, done.faded) == (WRITTEN, 1000, 200)
    assert (ring.copy(1200, 1800) == 9.0).all()
    assert np.array_equal(ring.copy(2000, 4000), ramp(2000, 2000))  # the reserve
    assert (ring.copy(1800, 2000)[:, 0] != 9.0).all()  # leads into it
    done = writer.write(2000, new, follows=True)
    assert (done.outcome, done.join, done.faded) == (WRITTEN, 2000, 0)
    assert (ring.copy(1200, 2800) == 9.0).all()  # put right again
    assert ring.end == 4000


def test_a_late_block_joins_in_its_middle_or_not_at_all() -> None:
    ring = PlanRing.local(100_000)
    writer = PlanWriter(ring, 200, 100)
    writer.write(0, ramp(0, 3000), follows=False)
    ring.advance(1400)
    new = np.full((1000, 2), 9.0, np.float32)
    done = writer.write(1000, new, follows=False)
    assert (done.outcome, done.join) == (WRITTEN, 1500)
    assert np.array_equal(ring.copy(1000, 1500), ramp(1000, 500))
    assert (ring.copy(1700, 1800) == 9.0).all()
    assert writer.write(500, new, follows=False).outcome == LATE
    done = writer.write(1500, new, follows=False, earliest=1777)
    assert done.join == 1777


def test_other_music_behind_the_end_fades_out_and_in() -> None:
    ring = PlanRing.local(100_000)
    writer = PlanWriter(ring, 200, 100)
    ones = np.ones((1000, 2), np.float32)
    writer.write(0, ones, follows=False)
    done = writer.write(1000, ones, follows=False)
    assert done.outcome == WRITTEN
    around = ring.copy(700, 1300)[:, 0]
    assert np.abs(np.diff(around)).max() < 0.01 and around[300] < 0.01
    ring.advance(1850)  # too near to fade out the old: wait until it is dry
    assert writer.write(2000, ones, follows=False).outcome == WAIT
    ring.advance(150)
    assert writer.write(2000, ones, follows=False).outcome == WRITTEN
    assert ring.copy(2000, 2001)[0, 0] < 0.01


@pytest.mark.parametrize(
    ("jump", "seen"), [(0.0, False), (0.05, True), (0.3, True), (0.002, False)]
)
def test_an_edge_is_seen_in_smooth_sound(jump: float, seen: bool) -> None:
    sound = sine(960)
    assert edge(sound[:480], sound[480:] + np.float32(jump)) is seen


# The player


class CallbackRig:
    """A player on local memory."""

    def __init__(self, plan: int = 100_000) -> None:
        self.words, self.floats = np.zeros(s.WORDS, np.int64), np.zeros(s.FLOATS)
        self.floats[s.VOLUME] = 1.0
        self.words[s.PLAYING] = 1
        self.plan = np.zeros((plan, 2), np.float32)
        self.tap = np.zeros((plan, 2), np.float32)
        self.player = CallbackRenderer(self.words, self.floats, self.plan, self.tap)
        self.ring = self.player.ring

    def play(self, frames: int, buffer: int = 256) -> Samples:
        pieces = []
        for _ in range(-(-frames // buffer)):
            out = np.full((buffer, 2), 7.0, np.float32)
            self.player.process(out)
            pieces.append(out)
        return np.concatenate(pieces)


def test_what_is_planned_is_what_is_heard_and_tapped_at_its_position() -> None:
    rig = CallbackRig()
    sound = sine(30_000)
    rig.ring.append(sound)
    heard = rig.play(20_000, 300)
    assert np.array_equal(heard[960 + 96 : 20_000], sound[960 : 20_000 - 96])
    start, tapped = rig.player.tap.follow(0)
    assert start == 0
    assert np.array_equal(tapped[960:19_000], sound[960:19_000])
    assert rig.floats[s.PEAK] == pytest.approx(0.3, abs=0.01)


def test_pause_holds_the_place_and_leaves_no_gap_in_the_tap() -> None:
    rig = CallbackRig()
    rig.ring.append(sine(60_000))
    rig.play(10_000)
    rig.words[s.PLAYING] = 0
    quiet = rig.play(20_000)
    place = rig.ring.read
    assert (quiet[2000:] == 0).all()
    rig.words[s.PLAYING] = 1
    rig.play(10_000)
    assert rig.ring.read == place + 10_240
    assert rig.words[s.UNDERRUNS] == 0
    tapped = rig.player.tap.follow(0)[1]
    later = tapped[place + 1000 : place + 9000]
    assert np.array_equal(later, sine(60_000)[place + 1000 : place + 9000])


def test_running_dry_is_counted_once_and_fades() -> None:
    rig = CallbackRig()
    rig.ring.append(sine(10_000))
    out = rig.play(30_000)
    assert rig.words[s.UNDERRUNS] == 1
    rig.ring.append(sine(40_000, start=10_000))
    out = np.concatenate([out, rig.play(20_000)])
    assert rig.words[s.UNDERRUNS] == 1
    assert np.abs(np.diff(out[:, 0], n=2)).max() < 0.002
    assert np.abs(out[-1000:]).max() == pytest.approx(0.3, abs=0.01)


def test_panic_is_silent_within_10_ms() -> None:
    rig = CallbackRig()
    rig.ring.append(sine(60_000))
    rig.play(10_000)
    rig.words[s.PANIC] = 1
    out = rig.play(2000)
    assert np.abs(out[480:]).max() == 0.0
    assert np.abs(np.diff(out[:, 0], n=2)).max() < 0.01
    assert rig.words[s.PANIC_DONE] == 1 and rig.words[s.PLAYING] == 0


def test_volume_glides_and_does_not_touch_the_tap() -> None:
    rig = CallbackRig()
    rig.ring.append(np.full((40_000, 2), 0.5, np.float32))
    rig.play(10_000)
    rig.floats[s.VOLUME] = 0.25
    out = rig.play(10_000)
    assert np.abs(np.diff(out[:, 0])).max() < 0.0006
    assert out[-1, 0] == pytest.approx(0.125)
    assert (rig.player.tap.follow(5000)[1] == 0.5).all()


def test_a_new_process_goes_on_where_the_old_one_died() -> None:
    rig = CallbackRig()
    sound = sine(60_000)
    rig.ring.append(sound)
    rig.play(10_000)
    read = rig.ring.read
    rig.player = CallbackRenderer(rig.words, rig.floats, rig.plan, rig.tap)
    assert rig.player.tap.end == read
    rig.play(10_000)
    tapped = rig.player.tap.follow(0)[1]
    assert np.array_equal(tapped[960:read], sound[960:read])
    assert np.array_equal(tapped[read + 960 : 19_000], sound[read + 960 : 19_000])


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 2), (96_000, 2), (48_000, 1)])
def test_other_rates_and_channels(rate: int, channels: int) -> None:
    position = 0

    def source(out: Samples) -> None:
        nonlocal position
        out[:] = sine(len(out), 1000.0, 0.5, position)
        position += len(out)

    device = DeviceRate(source, rate, channels)
    out = np.zeros((rate, channels), np.float32)
    for at in range(0, rate - 333, 333):
        device.process(out[at : at + 333])
    tone = out[rate // 2 : rate // 2 + rate // 10, 0]
    spectrum = np.abs(np.fft.rfft(tone * np.hanning(len(tone))))
    assert np.argmax(spectrum) * 10 == 1000
    assert np.abs(tone).max() == pytest.approx(0.5, abs=0.01)
    assert np.abs(np.diff(tone, n=2)).max() < 0.5 * (2 * np.pi * 1000 / rate) ** 2 * 1.05
