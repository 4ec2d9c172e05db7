"""Stems of a saved capture: bit-identical to those that would have been recorded."""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.audio.past.rerender import RerenderedBlock
from app.performance.log import PerformanceLog
from app.performance.score_log import ScoreLog
from app.recording.capture import SCALE
from app.recording.capture_thread import CaptureThread
from app.recording.take.past_stems import PastStems, joined
from app.recording.take.recorder import TakeRecorder, TakeSources
from models.engine.controls import Controls
from models.engine.interface import Stream
from tests.app.inference.test_past import Past
from tests.app.inference.test_stems import FRAMES, PARTS, NoiseEngine, NoiseStream
from tests.app.recording.test_take import load


class Saved:
    """A performance that was captured, of which a take is saved."""

    def __init__(self, engine: NoiseEngine | None = None) -> None:
        self.stage = Past()
        self.stage.log.of(engine or NoiseEngine())
        for number in range(12):
            self.stage.play(9600)
            self.stage.planner.submit(Controls(density=0.05 * number))
        self.sound = np.concatenate(self.stage.heard)
        self.said: list[str] = []
        self.spare = True
        self.sources = TakeSources(
            ScoreLog(),
            self.stage.feed,
            lambda on: None,
            self.stage.log,
            spare=lambda: self.spare,
        )
        output: Any = SimpleNamespace(tap=SimpleNamespace(end=0))
        self.thread = CaptureThread(
            output, performance=PerformanceLog(), sources=self.sources,
            on_incident=lambda level, sentence: self.said.append(sentence),
        )  # fmt: skip
        self.thread.capture.add(0, self.sound[:, :2])

    def save(self, folder: Path, start: int, stop: int, suffix: str = "wav") -> PastStems:
        self.thread.save_take(folder, start, stop, suffix=suffix, stems=True)
        past = self.thread._past[-1]
        assert isinstance(past, PastStems)
        return past


def finish(past: PastStems) -> None:
    past._thread.join(60.0)
    assert not past.running


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_stems_of_the_past_are_those_of_a_recording(tmp_path: Path, suffix: str) -> None:
    saved = Saved()
    start, stop = 3 * FRAMES + 17, len(saved.sound) - 501
    finish(saved.save(tmp_path / "late", start, stop, suffix))
    recorder = TakeRecorder(tmp_path / "live", start, saved.sources, suffix=suffix)
    for at in range(start, stop, 2400):
        recorder.feed(at, saved.sound[at : min(at + 2400, stop), :2])
    # The ring holds the whole of this short performance.
    recorder.finish()
    for name in ("mix", *PARTS):
        late = load(tmp_path / "late" / f"{name}.{suffix}")
        live = load(tmp_path / "live" / f"{name}.{suffix}")
        assert len(late) == stop - start
        assert np.array_equal(late, live), name
    assert not saved.said
    with zipfile.ZipFile(tmp_path / "late" / "late.dawproject") as archive:
        project = archive.read("project.xml")
    assert f'path="mix.{suffix}"'.encode() in project
    assert not list((tmp_path / "late").glob(".*"))


def test_it_gives_way_to_the_music_and_can_be_cancelled(tmp_path: Path) -> None:
    saved = Saved()
    saved.spare = False
    past = saved.save(tmp_path / "take", FRAMES, len(saved.sound))
    past._thread.join(0.2)
    assert past.running and past.done < 0.5
    assert saved.thread.past_stems is past
    saved.thread.cancel_stems()
    assert not past.running and saved.thread.past_stems is None
    names = sorted(path.name for path in (tmp_path / "take").iterdir())
    assert names == ["mix.wav", "performance.jsonl", "take.dawproject", "take.mid"]


def test_one_take_after_the_other(tmp_path: Path) -> None:
    saved = Saved()
    saved.spare = False
    first = saved.save(tmp_path / "a", FRAMES, 9 * FRAMES)
    second = saved.save(tmp_path / "b", FRAMES, 9 * FRAMES)
    saved.spare = True
    finish(second)
    assert not first.running and first.done == second.done == 1.0
    assert (tmp_path / "a" / "low.wav").exists() and (tmp_path / "b" / "low.wav").exists()


class OtherStream(NoiseStream):
    """A stream that has forgotten how it played."""

    def render(self, controls: Controls) -> NDArray[np.float32]:
        return super().render(Controls(density=0.999))


class OtherEngine(NoiseEngine):
    broken = False

    def start(self, seed: int = 0) -> Stream:
        if self.broken:
            raise RuntimeError("no memory")
        return OtherStream()


def test_what_differs_or_fails_is_said_and_the_take_stays(tmp_path: Path) -> None:
    saved = Saved(OtherEngine())
    finish(saved.save(tmp_path / "other", FRAMES, len(saved.sound)))
    assert len(saved.said) == 1 and "may differ from what was heard" in saved.said[0]
    heard = load(tmp_path / "other" / "mix.wav")
    assert np.abs(heard - saved.sound[FRAMES:, :2]).max() < 1.0 / SCALE
    engine = OtherEngine()
    engine.broken = True
    saved.stage.log.of(engine)
    finish(saved.save(tmp_path / "broken", FRAMES, len(saved.sound)))
    assert saved.said[-1] == "broken has no stems: they could not be rendered (no memory)."
    names = sorted(path.name for path in (tmp_path / "broken").iterdir())
    assert names == ["broken.dawproject", "mix.wav", "performance.jsonl", "take.mid"]


def test_a_pause_fades_the_stems_and_an_echo_is_in_the_mix_alone() -> None:
    rng = np.random.default_rng(3)
    sound = (0.1 * rng.standard_normal((4800, 6))).astype(np.float32)
    sound[:, :2] = sound[:, 2:4] + sound[:, 4:]
    exact = np.rint(sound[:, :2] * SCALE) / SCALE
    mix, stems, same = joined(RerenderedBlock(0, sound), exact.astype(np.float32))
    assert same and mix is not exact and np.array_equal(stems, sound[:, 2:])
    gain = np.linspace(1.0, 0.0, 4800, dtype=np.float32)[:, None]
    faded = (np.rint(sound[:, :2] * gain * SCALE) / SCALE).astype(np.float32)
    mix, stems, same = joined(RerenderedBlock(0, sound), faded)
    assert same and np.abs(stems - sound[:, 2:] * gain).max() < 0.01
    echo = exact.astype(np.float32) + 0.1
    mix, stems, same = joined(RerenderedBlock(0, sound, echoes=True), echo)
    assert same and np.array_equal(mix, echo) and np.array_equal(stems, sound[:, 2:])
    assert not joined(RerenderedBlock(0, sound), -exact.astype(np.float32))[2]
