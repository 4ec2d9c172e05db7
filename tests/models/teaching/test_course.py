"""Course: from a folder to the finished sound, stopped, killed, without room and damaged."""

from __future__ import annotations

import errno
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from app.cli.learned.sounds import delete_sound
from models.errors import SegueError
from models.music.score import SAMPLE_RATE
from models.segue.arranger.idiom.idiom import SHAPES, Idiom
from models.segue.learned_mix import STUDIO, MixChange
from models.segue.renderer.features import unknown_score
from models.segue.renderer.network import Renderer
from models.sounds.library import FOLDER_VARIABLE, SoundLibrary
from models.teaching import course as courses
from models.teaching.computing import Computing
from models.teaching.course import Course
from models.teaching.lesson import CHECKPOINT, Study
from models.teaching.listening import PICTURE
from models.teaching.material import Passage
from models.teaching.plan import PLAN, PREVIEW, CoursePlan, CourseProgress, delete_course
from models.teaching.rehearsal import ScoredClip
from models.teaching.store import EncodedFile
from models.teaching.taken import Taken
from tests.models.teaching.test_lesson import CONFIG, FEATURES, SAMPLER, heard

ROOT = Path(__file__).resolve().parents[3]
STEPS = 6
"""Steps of learning of a whole course."""


class StubListener:
    """Hears noise in any file."""

    class codec:  # noqa: N801
        network = None

    def encode(self, name: str, pieces: list[Passage]) -> EncodedFile:
        rng = np.random.default_rng(len(name))
        study = Study(rng.standard_normal((60, 8)).astype(np.float32), heard(60))
        styles = rng.standard_normal((1, 128)).astype(np.float32)
        mix = rng.standard_normal((4, 16)).astype(np.float32)
        seconds = sum(each.seconds for each in pieces)
        return EncodedFile(name, (study,), styles, seconds, mix, np.ones((4, 3), np.float32))

    def picture(self, piece: Passage) -> np.ndarray:  # type: ignore[type-arg]
        return np.full((48, 96, 3), 7, np.uint8)

    def terms(self, style: np.ndarray) -> str:  # type: ignore[type-arg]
        return "noise"


class StubPlayer:
    """Plays silence."""

    def play(self, *given: object) -> np.ndarray:  # type: ignore[type-arg]
        return np.zeros((4800, 2), np.float32)

    def stream(self, *given: object) -> np.ndarray:  # type: ignore[type-arg]
        noise = np.random.default_rng(3).standard_normal((6 * SAMPLE_RATE, 2))
        return (0.1 * noise).astype(np.float32)


class Room:
    """Folders of a small renderer, of audio files, of courses and of sounds."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.said = folder, list[CourseProgress]()
        self.weights, self.audio = folder / "weights", folder / "audio"
        self.weights.mkdir()
        self.audio.mkdir()
        torch.manual_seed(0)
        header = {**CONFIG.as_metadata(), **SAMPLER.as_metadata()}
        network = Renderer(CONFIG).state_dict()
        save_file(network, self.weights / "renderer.safetensors", metadata=header)
        (self.weights / "manifest.json").write_text("{}")
        noise = 0.1 * np.random.default_rng(0).standard_normal((12 * SAMPLE_RATE, 2))
        for name in ("one.wav", "second.wav"):
            soundfile.write(self.audio / name, noise, SAMPLE_RATE)
        self.library = SoundLibrary(folder / "sounds", self.weights)

    def course(self, new: bool = True, stopped: Callable[[], bool] = lambda: False) -> Course:
        """The course of "mine": a new one, or the one that goes on."""
        plan = CoursePlan("mine", (str(self.audio),), STEPS / 60, 4, "mine alone", 1, "cpu")
        made = Course(
            plan if new else None, self.said.append, stopped=stopped, name="mine",
            weights=self.weights, folder=self.folder / "teaching", library=self.library,
        )  # fmt: skip
        vars(made)["_player"] = StubPlayer()
        vars(made)["_arranger"] = None
        ticks = iter(range(100_000))  # each step of learning takes a second of it
        vars(made)["_computing"] = Computing("cpu", torch.float32, lambda: next(ticks), 1)
        return made

    @property
    def notes(self) -> str:
        return "\n".join(progress.note for progress in self.said if progress.note)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    rng = np.random.default_rng(1)

    def clip(*given: object) -> ScoredClip:
        return ScoredClip(torch.randn(48, 8), unknown_score(48), torch.zeros(128))

    def taken(pieces: list[object], *given: Any) -> Taken | None:
        if not all(given[-1](share) for share in (0.5, 1.0)):
            return None
        mix = MixChange(np.ones(15, np.float32), 1.0).tensors(STUDIO)

        def one() -> dict[str, Any]:
            drawn = {n: rng.uniform(-1, 1, s).astype(np.float32) for n, s in SHAPES.items()}
            return {**Idiom(**drawn).tensors(), **mix}

        return Taken(one(), tuple(one() for _ in pieces))

    monkeypatch.setattr("models.teaching.lesson.BLOCKS", 6)
    monkeypatch.setattr(courses, "CLIPS", 2)
    monkeypatch.setattr(courses, "play_clip", clip)
    monkeypatch.setattr(courses, "learn_taken", taken)
    monkeypatch.setattr(courses, "Listener", lambda weights: StubListener())
    monkeypatch.setattr(courses, "features_of", lambda codec: FEATURES)
    return Room(tmp_path)


def test_a_course_makes_a_sound_of_a_folder(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courses, "SAVE_SECONDS", 0.0)
    sound = room.course().run()
    assert sound is not None
    kept = room.library.get("mine")
    assert kept.files == ("one.wav", "second.wav") and kept.licence == "mine alone"
    assert (kept.steps, kept.rank, len(kept.pieces)) == (STEPS, 4, 2)
    assert kept.seconds == pytest.approx(24.0) and kept.minutes == pytest.approx(STEPS / 60)
    assert kept.picture.max() == 7 and kept.terms == "noise"
    assert {"mix.renderer.tone", "mix.studio.tone", "idiom.onsets"} <= kept.changes.keys()
    stages = list(dict.fromkeys(progress.stage for progress in room.said))
    assert stages == ["listening", "rehearsing", "comparing", "learning", "mixing", "done"]
    for stage in ("comparing", "mixing"):  # each takes a minute
        shares = [progress.share for progress in room.said if progress.stage == stage]
        assert len(shares) > 1 and shares == sorted(shares) and shares[-1] == 1.0
    assert any(progress.preview for progress in room.said)
    assert (room.folder / "teaching" / "mine" / PREVIEW).is_file()
    assert "2 pieces" in room.notes and "mine alone" in room.notes


def test_a_course_that_is_stopped_anywhere_goes_on_and_loses_nothing(room: Room) -> None:
    whole = room.course().run()
    assert whole is not None
    (room.folder / "teaching" / "mine" / CHECKPOINT).unlink()
    asked, stops = 0, 0

    def stopped_at(place: int) -> Callable[[], bool]:
        nonlocal asked
        asked = 0

        def stopped() -> bool:
            nonlocal asked
            asked += 1
            return asked > place

        return stopped

    before = 0
    while (sound := room.course(not stops, stopped_at(3 + stops)).run()) is None:
        stops += 1
        steps = max(progress.step for progress in room.said)
        assert steps >= before
        before = steps
        assert stops < 40
    assert stops > 3
    # Each step was learned once, whenever it was.
    assert (sound.steps, sound.files) == (whole.steps, whole.files)
    assert room.library.get("mine").steps == STEPS


def test_a_course_that_was_killed_goes_on_from_its_last_checkpoint(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courses, "SAVE_SECONDS", 0.0)
    learn, steps = courses.Lesson.learn, iter(range(1000))

    def killed(lesson: courses.Lesson) -> dict[str, float]:
        if next(steps) == 3:
            raise MemoryError  # nothing of the course catches it, as nothing catches a kill
        return learn(lesson)

    monkeypatch.setattr(courses.Lesson, "learn", killed)
    with pytest.raises(MemoryError):
        room.course().run()
    assert room.library.names() == ()
    sound = room.course(new=False).run()
    assert sound is not None and sound.steps == STEPS
    assert "goes on after" in room.notes


def full(*given: object, **named: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_said_and_the_course_goes_on(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.teaching.listening.write_encoded", full)
    for name in ("save_clip", "write_taken", "write_preview"):
        monkeypatch.setattr(courses, name, full)
    monkeypatch.setattr(courses.Lesson, "save", full)
    sound = room.course().run()
    assert sound is not None and sound.steps == STEPS
    assert "No space left on device): make room there" in room.notes
    assert {p.stage for p in room.said if "make room" in p.note} == {
        "listening", "rehearsing", "comparing", "learning",
    }  # fmt: skip


def test_a_sound_for_which_there_is_no_room_can_be_written_later(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("models.sounds.file.save_file", full)
        with pytest.raises(SegueError, match="make room there"):
            room.course().run()
    assert max(progress.step for progress in room.said) == STEPS
    room.said.clear()
    sound = room.course(new=False).run()
    assert sound is not None and sound.steps == STEPS
    assert not any(progress.loss is not None and progress.share < 1 for progress in room.said)


@pytest.mark.parametrize("cut", [0, 40, 400])
def test_what_is_damaged_is_made_again(room: Room, cut: int) -> None:
    assert room.course().run() is not None
    folder = room.folder / "teaching"
    damaged = [path for path in folder.rglob("*") if path.is_file() and path.name != PLAN]
    assert {CHECKPOINT, PICTURE, PREVIEW} <= {path.name for path in damaged}
    for path in damaged:
        path.write_bytes(path.read_bytes()[:cut])
    sound = room.course(new=False).run()
    assert sound is not None and sound.steps == STEPS
    (folder / "mine" / PLAN).write_bytes(b"{"[:cut])
    with pytest.raises(SegueError, match="say what it shall learn from"):
        room.course(new=False)


def test_files_that_are_gone_are_told(room: Room) -> None:
    room.course(stopped=lambda: True).run()
    for path in room.audio.iterdir():
        path.unlink()
    with pytest.raises(SegueError, match="no audio file was found"):
        room.course(new=False).run()
    with pytest.raises(SegueError, match="no course of 'other'"):
        Course(None, name="other", folder=room.folder, library=room.library, weights=room.weights)


def test_a_plan_is_kept_whole_on_a_full_disk(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.course(stopped=lambda: True).run()
    path = room.folder / "teaching" / "mine" / PLAN
    plan = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        room.course(new=False)  # nothing of it changed
        with pytest.raises(SegueError, match="make room there"):
            Course(CoursePlan("mine", (str(room.audio),), 5.0), weights=room.weights,
                   folder=room.folder / "teaching", library=room.library)  # fmt: skip
    assert path.read_bytes() == plan


def test_a_sound_of_other_files_is_not_overwritten(room: Room) -> None:
    made = room.course().run()
    assert made is not None
    assert room.course().run() is not None  # of the same files
    other = CoursePlan("mine", (str(room.audio / "one.wav"),))
    folders = {"weights": room.weights, "folder": room.folder / "teaching"}
    with pytest.raises(SegueError, match="learned from other files"):
        Course(other, library=room.library, **folders)  # type: ignore[arg-type]
    room.library.delete("mine")
    Course(other, library=room.library, **folders)  # type: ignore[arg-type]


def test_a_name_is_taught_by_one_process_at_a_time(room: Room) -> None:
    course = room.course()
    plan = (course.folder / PLAN).read_bytes()
    command = (
        "import sys; from pathlib import Path; from models.teaching.plan import *\n"
        "with one_at_a_time(Path(sys.argv[1]), 'mine'): print('held', flush=True); input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", command, str(course.folder)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, cwd=ROOT, text=True,
    )  # fmt: skip
    assert other.stdout is not None and other.stdout.readline() == "held\n"
    with pytest.raises(SegueError, match="'mine' is being taught already"):
        course.run()
    with pytest.raises(SegueError, match="being taught already"):
        Course(CoursePlan("mine", ("else.wav",)), weights=room.weights,
               folder=room.folder / "teaching", library=room.library)  # fmt: skip
    with pytest.raises(SegueError, match="being taught already"):
        delete_course("mine", room.folder / "teaching")
    assert (course.folder / PLAN).read_bytes() == plan
    other.kill()  # whoever is killed lets the lock go
    other.communicate()
    assert course.run() is not None and course.run() is not None


def test_what_a_course_kept_is_deleted_with_the_sound(
    room: Room, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(room.library.folder))
    course = room.course()
    assert course.run() is not None
    size = sum(path.stat().st_size for path in course.folder.iterdir())
    shared = [path.name for path in course.folder.parent.glob("rehearsal-*")]
    delete = Namespace(name="mine")
    assert delete_sound(delete) == 0
    said = capsys.readouterr().out
    assert said.startswith("deleted: mine, and what teaching had kept of it") and size > 0
    assert not course.folder.exists() and room.library.names() == ()
    assert [path.name for path in course.folder.parent.iterdir()] == shared  # of all courses
    with pytest.raises(SegueError, match="no learned sound 'mine'"):
        delete_sound(delete)
    room.course(stopped=lambda: True).run()  # begun, and no sound yet
    assert delete_sound(delete) == 0 and not course.folder.exists()
    assert "what teaching had kept" in capsys.readouterr().out
