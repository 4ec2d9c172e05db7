"""Takes: a folder that is whole at any instant, of what was heard."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import zipfile
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mido
import numpy as np
import pytest
import soundfile
import xmlschema
from numpy.typing import NDArray

from app.audio.ring import PlanRing
from app.audio.stem_ring import StemFeed, StemRing
from app.performance.log import PerformanceLog
from app.performance.score_log import ScoreLog
from app.recording.capture_thread import CaptureThread
from app.recording.take import recorder as module
from app.recording.take.recorder import TakeRecorder, TakeSources, as_heard
from models.engine.interface import NoteEvent, ScoreInfo
from models.errors import SegueError

Samples = NDArray[np.float32]
ROOT = Path(__file__).resolve().parents[3]
SCHEMAS = ROOT / "tests" / "support" / "dawproject"
RATE, BLOCK = 48_000, 4800
PARTS = ("drums", "bass")


def score(number: int) -> ScoreInfo:
    """Of a block of 0.1 s: a beat every fifth block, a kick on it, and a bass note throughout."""
    beat = number // 5
    events = [NoteEvent(10, "bass", 40, 80)] if not number else []
    if number % 5 == 0:
        events += [NoteEvent(10, "drums", 36, 100), NoteEvent(2410, "drums", 36, 0)]
    return ScoreInfo(
        tempo=120.0, key="A minor", beat=float(beat), bars=beat / 4, bars_at=-(number % 5) * BLOCK,
        section="intro" if number < 40 else "a", events=tuple(events),
        held=(NoteEvent(0, "bass", 40, 80),) if number else (),
        instruments={"drums": "tr909", "bass": "acid_bass"}, programs={"drums": 24, "bass": 38},
    )  # fmt: skip


class Band:
    """A plan with stems that was heard as planned."""

    def __init__(self, blocks: int = 100) -> None:
        self.ring = StemRing(PlanRing.local(blocks * BLOCK))
        self.ring.enable(2 * len(PARTS))
        self.scores, self.feed, self.switched = ScoreLog(), StemFeed(), list[bool]()
        self.feed.open(PARTS, self.ring)
        rng = np.random.default_rng(1)
        stems = (0.1 * rng.standard_normal((blocks * BLOCK, 4))).astype(np.float32)
        self.mix = stems[:, :2] + stems[:, 2:]
        self.ring.append(np.concatenate([self.mix, stems], axis=1))
        self.stems = stems
        for number in range(blocks):
            self.scores.put(number * BLOCK, number * BLOCK, (number + 1) * BLOCK, score(number))
        self.scores.mark(30 * BLOCK, "Chorus & <bridge>")
        self.sources = TakeSources(self.scores, self.feed, self.switched.append)

    def play(self, recorder: TakeRecorder, start: int, stop: int) -> None:
        for at in range(start, stop, 2400):
            recorder.feed(at, self.mix[at : min(at + 2400, stop)])


def load(path: Path) -> Samples:
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == RATE
    return np.asarray(sound, np.float32)


def test_a_take_holds_what_was_heard(tmp_path: Path) -> None:
    band, folder = Band(), tmp_path / "take"
    start, stop = 1200, 60 * BLOCK
    recorder = TakeRecorder(folder, start, band.sources, PerformanceLog())
    band.play(recorder, start, stop)
    result = recorder.finish()
    assert (result.path, result.seconds) == (folder, (stop - start) / RATE)
    assert band.switched == [True, False]
    names = ["bass.wav", "drums.wav", "mix.wav", "performance.jsonl", "take.dawproject", "take.mid"]
    assert sorted(path.name for path in folder.iterdir()) == names
    mix, stems = load(folder / "mix.wav"), [load(folder / f"{part}.wav") for part in PARTS]
    assert np.abs(mix - band.mix[start:stop]).max() < 2e-7
    assert np.abs(np.sum(stems, axis=0) - mix).max() < 1e-6
    file = mido.MidiFile(folder / "take.mid")
    assert [track.name for track in file.tracks] == ["Segue", "Drums", "Bass"]
    assert file.length == pytest.approx(result.seconds, abs=0.002)
    kicks = [m for m in file.tracks[1] if m.type == "note_on"]
    assert len(kicks) == 11  # that of block 0 was before
    marks = [m.text for m in file.tracks[0] if m.type == "marker"]
    assert marks == ["intro", "Chorus & <bridge>", "a"]


def test_the_project_follows_the_published_schema(tmp_path: Path) -> None:
    band, folder = Band(), tmp_path / "a & b"
    recorder = TakeRecorder(folder, 700, band.sources)
    band.play(recorder, 700, 50 * BLOCK)
    recorder.finish()
    with zipfile.ZipFile(folder / "a & b.dawproject") as archive:
        assert sorted(archive.namelist()) == ["metadata.xml", "project.xml"]
        project, metadata = archive.read("project.xml"), archive.read("metadata.xml")
    schema = xmlschema.XMLSchema(SCHEMAS / "Project.xsd")
    schema.validate(BytesIO(project))
    xmlschema.XMLSchema(SCHEMAS / "MetaData.xsd").validate(BytesIO(metadata))
    with pytest.raises(xmlschema.XMLSchemaValidationError):
        schema.validate(BytesIO(project.replace(b'key="36"', b'key="C"')))
    for name in ("mix.wav", "drums.wav", "bass.wav"):
        assert f'path="{name}"'.encode() in project
        assert (folder / name).is_file()


def test_stems_can_be_off_and_an_engine_without_them_has_none(tmp_path: Path) -> None:
    band = Band()
    recorder = TakeRecorder(tmp_path / "take", 0, band.sources, with_stems=False, suffix="flac")
    band.play(recorder, 0, 10 * BLOCK)
    recorder.finish()
    names = sorted(path.name for path in (tmp_path / "take").iterdir())
    assert names == ["mix.flac", "take.dawproject", "take.mid"]
    assert band.switched == []


def test_notes_that_cannot_be_written_leave_the_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[str, str]] = []

    def fail(*arguments: object) -> None:
        raise ZeroDivisionError("float division by zero")

    monkeypatch.setattr(module, "write_take", fail)
    band, folder = Band(), tmp_path / "take"
    recorder = TakeRecorder(
        folder, 0, band.sources, report=lambda level, sentence: said.append((level, sentence))
    )
    band.play(recorder, 0, 20 * BLOCK)
    result = recorder.finish()
    assert result.seconds == 20 * BLOCK / RATE and len(load(folder / "mix.wav")) == 20 * BLOCK
    sentence = "the take's notes cannot be written (float division by zero): its sound is there."
    assert said == [("warning", sentence)]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    band = Band(1)
    (tmp_path / "take").mkdir()
    with pytest.raises(SegueError, match="choose another folder"):
        TakeRecorder(tmp_path / "take", 0, band.sources)
    with pytest.raises(SegueError, match="choose another folder"):
        TakeRecorder(tmp_path / "no" / "take", 0, band.sources)


def test_stems_fade_with_the_mix_where_it_pauses() -> None:
    band = Band(2)
    planned, stems = band.mix[:BLOCK], band.stems[:BLOCK]
    assert as_heard(stems, planned, planned) is stems
    gain = np.linspace(1.0, 0.0, BLOCK, dtype=np.float32)[:, None]
    heard = as_heard(stems, planned, planned * gain)
    assert np.abs(heard - stems * gain).max() < 0.01


def test_a_saved_capture_is_a_take_without_stems(tmp_path: Path) -> None:
    band = Band()
    output: Any = SimpleNamespace(tap=SimpleNamespace(end=0))
    thread = CaptureThread(output, performance=PerformanceLog(), sources=band.sources)
    thread.capture.add(0, band.mix)
    result = thread.save_take(tmp_path / "take", 10 * BLOCK, 40 * BLOCK)
    assert result.seconds == pytest.approx(3.0)
    names = sorted(path.name for path in (tmp_path / "take").iterdir())
    assert names == ["mix.wav", "performance.jsonl", "take.dawproject", "take.mid"]
    assert mido.MidiFile(tmp_path / "take" / "take.mid").length == pytest.approx(3.0, abs=0.002)


def test_a_killed_take_is_whole(tmp_path: Path) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from app.recording.take import recorder
        from tests.app.recording.test_take import BLOCK, Band
        recorder.WRITE_SECONDS = 0.1
        band = Band()
        take = recorder.TakeRecorder(Path(sys.argv[1]), 0, band.sources)
        band.play(take, 0, 80 * BLOCK)
        time.sleep(1.5)
        print("ready", flush=True)
        time.sleep(60)
    """
    folder = tmp_path / "take"
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(folder)], cwd=ROOT,
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
    mix = load(folder / "mix.wav")
    assert len(mix) == 80 * BLOCK
    for part in PARTS:
        assert len(load(folder / f"{part}.wav")) == 80 * BLOCK - RATE // 2
    assert mido.MidiFile(folder / "take.mid").length == pytest.approx(7.5, abs=0.002)
    with zipfile.ZipFile(folder / "take.dawproject") as archive:
        assert archive.testzip() is None


def test_a_take_of_nothing_leaves_no_folder(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    band = Band(20)
    recorder = TakeRecorder(tmp_path / "take", 0, band.sources, PerformanceLog())
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (84, before[1]))  # a header and no frame
        band.play(recorder, 0, 20 * BLOCK)
        result = recorder.finish()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert result.stopped_because and not result.seconds
    assert list(tmp_path.iterdir()) == []
