"""Audio input without devices: clocks, converter, history, shaping."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from app.audio import shared_memory as s
from app.audio.input.capture import InputCapture
from app.audio.input.clock_filter import ClockFilter
from app.audio.input.clock_map import ClockMap
from app.audio.input.converter import InputConverter, InputLevels
from app.audio.input.faults import InputWatch
from app.audio.input.history import InputHistory
from app.audio.input.loopback import find_click
from app.audio.input.monitor import InputMonitor, click
from app.audio.input.settings import InputSettings
from app.audio.input.shaping import Gate, LowCut
from app.audio.input.shared_clock import SharedClock
from models.errors import SegueError

RATE = 48_000
HZ = 40.0
Samples = NDArray[np.float32]


def history(seconds: float = 40.0) -> InputHistory:
    return InputHistory(np.zeros(s.WORDS, np.int64), np.zeros((round(seconds * RATE), 2), "f4"))


@dataclass
class Simulation:
    """Two devices with their own clocks, and callbacks that come late at random.

    The input is a sine that is exact in true time, so that its phase in the history tells where
    each frame was put. deviation: of the input's clock from the output's.
    """

    rate: int = RATE
    deviation: float = 0.0
    late: float = 0.001
    latency: float = 0.02
    history: InputHistory = field(default_factory=history)

    def __post_init__(self) -> None:
        self.converter = InputConverter(self.rate, self.history)
        self.rng = np.random.default_rng(1)
        self.input_clock, self.output_clock = ClockFilter(self.rate), ClockFilter(RATE)
        self.errors: list[float] = []
        self.whole: list[Samples] = []

    def run(self, seconds: float, block: int = 256) -> None:
        true_rate = self.rate * (1.0 + self.deviation)
        outputs = iter(np.arange(0, seconds * RATE, block))
        played = next(outputs)
        seen = 0
        for start in range(0, round(seconds * true_rate), block):
            now = (start + block) / true_rate
            while played is not None and played / RATE <= now:
                late = self.rng.exponential(self.late)
                self.output_clock.update(int(played), 1000.0 + played / RATE + late)
                played = next(outputs, None)
            self.input_clock.update(start, 1000.0 + now + self.rng.exponential(self.late))
            # Heard when the block begins to be taken in, as far as the clocks can tell.
            times = now + np.arange(block) / true_rate
            raw = (0.5 * np.sin(2 * np.pi * HZ * times)).astype(np.float32)[:, None]
            self.converter.process(
                raw, self.input_clock, self.output_clock, self.latency, InputLevels()
            )
            end = self.history.end
            if end and end - seen >= RATE:
                self.whole.append(self.history.copy(end - RATE, end))
                seen = end
                self.errors.append(self.misplaced(end))

    def misplaced(self, end: int) -> float:
        """Seconds by which the last fifth of a second is off its place in true time."""
        n = RATE // 5
        places = np.arange(end - n, end)
        sound = self.history.copy(end - n, end)[:, 0]
        phase = np.angle(np.vdot(np.exp(2j * np.pi * HZ * places / RATE), sound * 2j))
        expected = 2 * np.pi * HZ * self.latency
        return float(np.angle(np.exp(1j * (phase - expected)))) / (2 * np.pi * HZ)


@pytest.mark.parametrize(
    ("rate", "deviation"), [(RATE, 2e-4), (RATE, -2e-4), (44_100, 2e-4), (96_000, -1e-4)]
)
def test_clocks_that_differ_leave_no_gap_and_no_drift(rate: int, deviation: float) -> None:
    simulation = Simulation(rate, deviation)
    simulation.run(60.0)
    errors = np.array(simulation.errors[3:])
    assert len(errors) > 50
    assert np.abs(errors).max() < 0.003  # 200 ppm would be 12 ms by now
    assert simulation.converter.jumps == 0
    for second in simulation.whole[3:]:
        # A sample left out or doubled would show in the curvature: (2 pi f / r)^2 / 2 at most.
        assert np.abs(np.diff(second[:, 0], n=2)).max() < 5e-5


def test_clock_follows_a_device_that_left_out_frames() -> None:
    clock = ClockFilter(RATE)
    for block in range(400):
        left_out = 0.008 if block >= 200 else 0.0
        late = 0.005 if block % 7 == 0 else 0.0  # the system was busy now and then
        clock.update(256 * block, 256 * block / RATE + left_out + late)
        if block == 199:
            assert abs(clock.time_at(256 * block) - 256 * block / RATE) < 0.0008
    assert abs(clock.time_at(0.0) - 0.008) < 0.002


def test_history_is_found_by_plan_position() -> None:
    """The plan stands still twice while the clock goes on."""
    heard = history(4.0)
    clock_map = ClockMap(heard.words)
    clock_map.stood(100, 0)  # silence at the start
    clock_map.stood(200, 0)
    clock_map.stood(1300, 1000)  # a pause of 100 frames behind plan frame 1000
    assert [clock_map.plan_at(c) for c in (200, 700, 1250, 1300, 1400)] == [
        0,
        500,
        1000,
        1000,
        1100,
    ]
    ramp = np.arange(2000, dtype=np.float32)
    heard.write(0, np.repeat(ramp[:, None], 2, axis=1))
    block = heard.at_plan(990, 1010)
    assert block.samples[:, 0].tolist() == [*range(1190, 1200), *range(1300, 1310)]
    assert block.known == 20
    later = heard.at_plan(1690, 1710)
    assert later.known == 10 and not later.samples[10:].any()


def test_history_fills_gaps_with_silence_and_forgets() -> None:
    heard = history(2.0)
    ones = np.ones((1000, 2), np.float32)
    heard.write(0, ones)
    heard.write(1500, ones)
    assert heard.copy(900, 1600)[:, 0].tolist() == [1.0] * 100 + [0.0] * 500 + [1.0] * 100
    heard.write(10 * RATE, ones)
    assert heard.latest(0.5).sum() == 2000.0
    assert not heard.copy(0, 2500).any()


def one_block(raw: Samples, rate: int = RATE, levels: InputLevels | None = None) -> InputHistory:
    """Raw input (n, 1 or 2) through a converter with two true clocks."""
    heard = history(8.0)
    converter = InputConverter(rate, heard)
    clocks = ClockFilter(rate), ClockFilter(RATE)
    for start in range(0, len(raw), 256):
        clocks[0].update(start, start / rate)
        clocks[1].update(round(start * RATE / rate), start / rate)
        converter.process(raw[start : start + 256], *clocks, 0.0, levels or InputLevels())
    heard.words[s.INPUT_CLIPS], heard.words[s.INPUT_LOST] = converter.clips, converter.invalid
    return heard


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("width", [1, 2])
def test_input_of_any_rate_and_width_is_48_khz_stereo(rate: int, width: int) -> None:
    wave = 0.5 * np.sin(2 * np.pi * 1000.0 * np.arange(2 * rate) / rate)
    sound = one_block(np.repeat(wave[:, None], width, axis=1).astype(np.float32), rate).latest(1.0)
    assert sound.shape == (RATE, 2) and np.array_equal(sound[:, 0], sound[:, 1])
    spectrum = np.abs(np.fft.rfft(sound[:, 0] * np.hanning(RATE)))
    assert abs(int(spectrum.argmax()) - 1000) <= 1
    assert 0.48 < np.abs(sound).max() < 0.52


def test_bad_values_are_left_out_and_clipping_is_counted() -> None:
    raw = np.full((RATE, 1), 0.1, np.float32)
    raw[5000], raw[6000], raw[7000] = np.nan, np.inf, 1.0
    raw[8000] = 1e30
    heard = one_block(raw)
    sound = heard.latest(0.9)
    assert np.isfinite(sound).all() and np.abs(sound).max() < 5.0
    assert heard.words[s.INPUT_CLIPS] == 2 and heard.words[s.INPUT_LOST] == 2


def test_muted_input_is_silent_and_a_gate_closes_on_noise() -> None:
    rng = np.random.default_rng(3)
    noise = (0.001 * rng.standard_normal((RATE, 1))).astype(np.float32)
    assert not one_block(noise, levels=InputLevels(gain=0.0)).latest(0.5).any()
    assert not one_block(noise, levels=InputLevels(gate=0.02)).latest(0.5).any()
    assert one_block(noise, levels=InputLevels(gate=0.0005)).latest(0.5).any()
    gate, loud = Gate(), np.full((480, 2), 0.5, np.float32)
    gate.process(0.0 * loud, 0.1)
    for _ in range(20):
        gate.process(0.0 * loud, 0.1)
    assert gate.process(loud, 0.1)[200:].min() == 0.5  # open within 4 ms


@pytest.mark.parametrize(
    ("hz", "low", "high"), [(20.0, 0.0, 0.1), (80.0, 0.4, 0.6), (1e3, 0.97, 1.0)]
)
def test_low_cut(hz: float, low: float, high: float) -> None:
    wave = np.sin(2 * np.pi * hz * np.arange(RATE) / RATE).astype(np.float32)
    cut = LowCut(80.0)
    out = np.concatenate([cut.process(part) for part in np.split(np.stack([wave] * 2, 1), 375)])
    assert low <= np.abs(out[RATE // 2 :]).max() <= high


def test_capture_skips_when_nobody_reads() -> None:
    capture = InputCapture(RATE, 1, 1)
    for number in range(300):
        capture.callback(np.full((480, 3), number, np.float32), 480, None, None)
    raw = capture.take(4096)
    assert raw.shape == (4096, 1) and capture.lost == 0 and capture.skipped > 0
    assert capture.skipped + len(raw) + 480 <= capture.count
    assert raw[0, 0] == capture.skipped // 480


@pytest.mark.parametrize(
    "wrong",
    [
        {"first_channel": 0},
        {"first_channel": 99},
        {"sample_rate": 1},
        {"low_cut": -1},
        {"round_trip_ms": -3.0},
    ],
)
def test_wrong_settings_are_refused_in_a_sentence(wrong: dict[str, float]) -> None:
    with pytest.raises(SegueError, match="choose|measure"):
        InputSettings(**wrong)  # type: ignore[arg-type]


def test_faults_are_said_once() -> None:
    watch = InputWatch("Mic", 0.0)
    said = [x for t in range(8) for x in watch.update(float(t), 0.0, 0, 0, 0)]
    assert len(said) == 1 and "muted" in said[0][1]
    assert "again" in watch.update(8.0, 0.1, 0, 0, 0)[0][1]
    said = [x for t in range(9, 20) for x in watch.update(float(t), 1.0, 10 * t, 0, 0)]
    assert len(said) == 1 and "clips" in said[0][1]
    assert "no numbers" in watch.update(21.0, 0.1, 190, 3, 0)[0][1]
    assert "lost" in watch.update(22.0, 0.1, 190, 3, 1)[0][1]
    assert not watch.update(23.0, 0.1, 190, 3, 1)


def test_monitor_adds_the_input_only_when_asked_for() -> None:
    words, floats = np.zeros(s.WORDS, np.int64), np.zeros(s.FLOATS)
    heard = InputHistory(words, np.zeros((RATE, 2), np.float32))
    monitor = InputMonitor(words, floats, heard, 512)
    heard.write(0, np.full((2 * 4800, 2), 0.25, np.float32))
    words[s.INPUT_RUNNING] = 1
    out = np.zeros((256, 2), np.float32)
    monitor.mix(out, 0)
    assert not out.any()
    floats[s.INPUT_MONITOR] = 1.0
    monitor.mix(out, 0)
    assert out[-1, 0] == 0.25 and np.abs(np.diff(out[:, 0])).max() < 0.01
    words[s.INPUT_RUNNING] = 0
    out[:] = 0.0
    monitor.mix(out, 0)
    assert out[0, 0] > 0.2 and out[-1, 0] == 0.0  # faded


def test_click_is_found_to_a_fraction_of_a_frame() -> None:
    rng = np.random.default_rng(5)
    sound = (0.002 * rng.standard_normal(9600)).astype(np.float32)
    assert find_click(sound) is None
    sound[5000 : 5000 + len(click())] -= 0.3 * click()  # a cable may invert it
    place = find_click(sound)
    assert place is not None and abs(place - 5000) < 0.2


def test_the_outputs_clock_is_read_whole_by_another_process() -> None:
    words, floats = np.zeros(s.WORDS, np.int64), np.zeros(s.FLOATS)
    writer, reader = SharedClock(words, floats), SharedClock(words, floats)
    clock = ClockFilter(RATE)
    writer.publish(clock)
    assert not reader.ready
    for block in range(50):
        clock.update(256 * block, 100.0 + 256 * block / RATE)
        writer.publish(clock)
    assert reader.ready and reader.period == clock.period
    assert reader.frames_at(100.5) == clock.frames_at(100.5)
    words[s.CLOCK_SEQ] += 1  # the writer is killed as it writes
    floats[s.CLOCK_LINE] = -1e9
    assert reader.frames_at(100.5) == clock.frames_at(100.5)
    writer.publish(clock)
    assert words[s.CLOCK_SEQ] % 2 == 0 and reader.frames_at(100.6) == clock.frames_at(100.6)
