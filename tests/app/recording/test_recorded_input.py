"""Performances with a microphone: rendered again to the sample where the input was recorded, and
nothing of it on the disk where it was not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from app.audio.input.history import InputHistory
from app.audio.ring import PlanRing
from app.audio.shared_memory import INPUT_RUNNING
from app.audio.stem_ring import StemFeed
from app.cli.rendering import blocks
from app.inference.messages import WorkerSettings
from app.inference.planner import Planner
from app.performance.file import read_performance
from app.performance.log import PerformanceLog
from app.performance.player import PerformancePlayer
from app.performance.score_log import ScoreLog
from app.recording import files
from app.recording.capture_thread import CaptureThread
from app.recording.take.recorder import TakeRecorder, TakeSources
from app.session.ears.memory_ear import MemoryEar
from app.session.ears.memory_link import MemoryLink
from models.engine.controls import Controls
from models.engine.hearing import Hearing
from models.engine.interface import (
    SENDS,
    Audio,
    Engine,
    EngineInfo,
    Samples,
    Snapshot,
    Stream,
    Style,
)
from models.errors import SegueError
from tests.support.ears import EarsByHand

RATE, FRAMES = 48_000, 4800


class ListeningStream(Stream):
    """Each block depends on all that can be heard: sound, notes, hits, places, and on the style."""

    def __init__(self) -> None:
        self.state = 0.0
        self.hearing: Hearing | None = None

    def hear(self, hearing: Hearing | None) -> None:
        self.hearing = hearing

    def render(self, controls: Controls) -> Audio:
        out = np.full((FRAMES, 2), 0.01 * (self.state % 7.0), np.float32)
        heard, mark = self.hearing, 1.0
        if heard is not None and (controls.memory or controls.echo):
            sound = heard.sound(heard.known - FRAMES // 2, heard.known + FRAMES // 2)
            # As a mix of what was played: the input itself is in no output.
            out[:, 0] += 0.001 * float(np.abs(sound).sum() % 1.0)
            mark += len(heard.transcript.hits) + len(heard.transcript.notes)
            mark += heard.position % 97 + sum(note.pitch for note in heard.transcript.notes)
        if controls.style is not None:
            mark += float(controls.style.sum())
        self.state = (self.state * 1.37 + mark) % 1000.0
        return out

    def snapshot(self) -> Snapshot:
        return self.state

    def restore(self, snapshot: Snapshot) -> None:
        assert isinstance(snapshot, float)
        self.state = snapshot

    def clear(self) -> None:
        self.state = 0.0


class ListeningEngine(Engine):
    @property
    def info(self) -> EngineInfo:
        controls = frozenset({"memory", "echo", "density"})
        return EngineInfo("listening", RATE, 2, FRAMES, 1.0, 4, controls, sends=SENDS)

    def embed_text(self, text: str) -> Style:
        return np.full(4, 0.25, np.float32)

    def embed_audio(self, samples: Samples, sample_rate: int) -> Style:
        return np.full(4, 0.5, np.float32)

    def start(self, seed: int = 0) -> Stream:
        return ListeningStream()


def played_in(seconds: float) -> np.ndarray:
    """Four notes a second over noise that is like nothing else, (n, 2)."""
    at = np.arange(round(seconds * RATE)) / RATE
    line = 0.3 * np.sin(2 * np.pi * 330 * at) * np.exp(-10 * (at % 0.25))
    noise = 0.02 * np.random.default_rng(11).standard_normal((len(at), 2))
    return (line[:, None] + noise).astype(np.float32)


class Stage:
    """A performer with a microphone: an engine that listens, a plan, a take; a clock of 10 ms."""

    def __init__(self) -> None:
        ring = PlanRing.local(8 * RATE)
        ring.words[INPUT_RUNNING] = 1
        self.input = InputHistory(ring.words, np.zeros((40 * RATE, 2), np.float32))
        self.performance = PerformanceLog()
        self.planner = Planner(
            ListeningEngine(), ring, WorkerSettings(plan_seconds=0.6, reserve_seconds=0.2),
            performance=self.performance, clock=lambda: self.clock / RATE,
        )  # fmt: skip
        self.ring, self.clock = ring, 0
        self.ears = EarsByHand(
            lambda say: MemoryEar(self.input, say), lambda level, sentence: pytest.fail(sentence)
        )
        link = MemoryLink(
            self.ears, self.input,
            lambda *heard: self.planner.input_changed(self.clock / RATE, *heard),
        )  # fmt: skip
        link.configure(0.5, frozen=False, echo=0.5)
        self.sources = TakeSources(ScoreLog(), StemFeed(), lambda on: None, input=self.input)
        self.sound = played_in(12.0)
        self.planner.submit(Controls(memory=0.5, echo=0.5))
        self.planner.step()
        self.planner.reader_stopped = False

    def play(self, seconds: float, take: TakeRecorder | None = None) -> None:
        for tick in range(round(100 * seconds)):
            new = self.sound[self.clock : self.clock + 480]
            self.input.write(self.clock, new)
            if take is not None and tick % 5 == 0:
                take.listen()
            if tick % 5 == 0:
                self.ears.hear()
            for _ in range(3):
                self.planner.step()
            read = self.ring.read
            self.ring.advance(480)
            if take is not None:
                take.feed(read, self.ring.copy(read, read + 480))
            self.clock += 480


def record(folder: Path, *, with_input: bool) -> np.ndarray:
    """A performance of three seconds, recorded; the blocks that were heard."""
    stage = Stage()
    take = TakeRecorder(
        folder, 0, stage.sources, stage.performance, with_stems=False, with_input=with_input
    )
    stage.play(1.2, take)
    style = np.linspace(0.0, 1.0, 4, dtype=np.float32)  # what the style send made of it
    stage.planner.submit(Controls(memory=0.5, echo=0.5, style=style))
    stage.play(1.8, take)
    take.finish()
    sound, _ = soundfile.read(folder / "mix.wav", dtype="float32", always_2d=True)
    return np.asarray(sound)


def rendered(folder: Path, frames: int) -> np.ndarray:
    engine = ListeningEngine()
    performance = read_performance(folder / "performance.jsonl")
    player = PerformancePlayer(performance, lambda prompts: None, engine.info.block_seconds)
    pieces = []
    for block in blocks(engine, player, performance.seed or 0):
        pieces.append(block)
        if sum(map(len, pieces)) >= frames:
            return np.concatenate(pieces)[:frames]
    raise AssertionError


def test_a_performance_with_its_input_renders_again(tmp_path: Path) -> None:
    heard = record(tmp_path / "take", with_input=True)
    names = {path.name for path in (tmp_path / "take").iterdir()}
    assert "input.wav" in names
    again = rendered(tmp_path / "take", len(heard))
    # Where the plan was rewritten within a block its front is of the block before: there it fades.
    starts = np.arange(2 * FRAMES - 100, len(heard), FRAMES)
    assert len(starts) > 20
    assert np.abs(heard[starts] - again[starts]).max() < 1e-6
    kept, rate = soundfile.read(tmp_path / "take" / "input.wav", dtype="float32")
    assert rate == RATE and np.array_equal(kept[:RATE], played_in(12.0)[:RATE])
    (tmp_path / "take" / "input.wav").unlink()
    with pytest.raises(SegueError, match=r"input\.wav is missing or damaged"):
        rendered(tmp_path / "take", FRAMES)


def forms(sound: np.ndarray) -> list[bytes]:
    """How a file may hold a piece of the input: as numbers or PCM, two channels or one."""
    found = []
    for piece in (sound, sound[:, 0], sound.mean(axis=1)):
        piece = piece.astype(np.float32)
        found += [piece.tobytes(), piece.astype(np.float64).tobytes()]
        found.append(np.rint(piece * 32768).astype("<i2").tobytes())
        wide = np.rint(piece.astype(np.float64) * 8388608).astype("<i4")
        found.append(wide[..., None].view(np.uint8)[..., :3].tobytes())
    return found


def holds(folder: Path, sound: np.ndarray) -> list[str]:
    """Files in which a piece of the input is."""
    starts = range(0, len(sound) - 64, RATE // 4)
    pieces = [form for at in starts for form in forms(sound[at : at + 16])]
    found = [path for path in folder.rglob("*") if path.is_file()]
    return [p.name for p in found if any(piece in p.read_bytes() for piece in pieces)]


def saved_capture(folder: Path) -> np.ndarray:
    stage = Stage()
    output: Any = SimpleNamespace(tap=SimpleNamespace(end=0))
    thread = CaptureThread(output, performance=stage.performance, sources=stage.sources)
    stage.play(2.0)
    thread.capture.add(0, stage.ring.copy(0, stage.ring.read))
    thread.save_take(folder)
    return stage.sound


def recorded(folder: Path) -> np.ndarray:
    record(folder, with_input=False)
    return played_in(12.0)


@pytest.mark.parametrize("write", [saved_capture, recorded])
def test_without_it_nothing_of_the_input_reaches_the_disk(
    tmp_path: Path, write: Callable[[Path], np.ndarray]
) -> None:
    sound = write(tmp_path / "take")
    assert not holds(tmp_path, sound[: 3 * RATE])
    text = (tmp_path / "take" / "performance.jsonl").read_text()
    assert "memory" in text
    assert not any(word in text for word in ('"heard"', '"input"', '"style"'))


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    record(tmp_path / "take", with_input=True)
    sound = played_in(3.0)
    assert holds(tmp_path, sound) == ["input.wav"]
    for subtype in ("PCM_16", "PCM_24"):
        other = files.create(tmp_path / f"{subtype}.wav", subtype)
        other.write(sound)
        other.close()
    np.save(tmp_path / "numbers.npy", sound[:, 0])
    assert set(holds(tmp_path, sound)) == {
        "input.wav", "PCM_16.wav", "PCM_24.wav", "numbers.npy"
    }  # fmt: skip
