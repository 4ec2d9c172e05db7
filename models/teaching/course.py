"""Course: all that makes a learned sound of a folder, from listening to the finished file.

It goes on from what an earlier course of the name left in its folder. Between two steps it asks
whether to pause or stop, so that it can give way to the music at any time.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError

from models.engine.sounds import check_name
from models.errors import SegueError
from models.segue.arranger.arranger import Arranger
from models.segue.arranger.idiom.sounds import SoundIdioms
from models.segue.learned_mix import RENDERER as OF_RENDERER
from models.segue.renderer.inference import RendererInference
from models.segue.renderer.loading import load_inference, load_renderer, load_sampler
from models.segue.renderer.network import Renderer
from models.sounds.description import describe
from models.sounds.file import LearnedSound, SoundPiece
from models.sounds.library import RENDERER, SoundLibrary, base_checksum
from models.sounds.pieces import alone
from models.storage.weights import WEIGHTS
from models.teaching.computing import Computing, computing
from models.teaching.frames import features_of
from models.teaching.lesson import Lesson
from models.teaching.listener import Listener
from models.teaching.listening import Listening
from models.teaching.pieces import TaughtPiece, mean_style, named, pieces_of
from models.teaching.plan import (
    PLAN,
    PREVIEW,
    CoursePlan,
    CourseProgress,
    begun_places,
    course_folder,
    one_at_a_time,
)
from models.teaching.preview import PreviewPlayer, SoundOnTrial, write_preview
from models.teaching.rehearsal import CLIPS, ScoredClip, load_clip, play_clip, save_clip
from models.teaching.taken import (
    Taken,
    learn_taken,
    played_mixes,
    read_taken,
    stream_of,
    write_taken,
)

IDIOM: Final = "idiom.safetensors"
SAVE_SECONDS: Final = 60.0
STREAMS: Final = 8
OF_A_PIECE: Final = 3
"""Streams of the sound in which its mix is measured at last, each with a band of its own: so many
in all at least, and of each piece."""
NO_ROOM: Final = "what was learned last could not be kept on the disk ({reason}): make room there."
NO_MEMORY: Final = (
    "the graphics card has no memory left: close what else uses it, or teach with --device cpu."
)

Report = Callable[[CourseProgress], object]


class Course:
    """A course in a folder of its own.

    Args:
        plan: What is taught; None to go on with the course of `name`.
        report: Called with the progress.
        waiting: Whether it must wait now; asked between steps.
        stopped: Whether it must stop; what was learned is kept.
        name: Of the course that goes on.
        weights: Folder of the base weights.
        folder: Where courses are kept.
        library: Where the finished sound goes.

    Raises:
        SegueError: There is no course of that name to go on with, another process teaches it, its
            folder cannot be written, or there is a sound of the name that was learned from other
            files.

    """

    def __init__(
        self,
        plan: CoursePlan | None,
        report: Report = lambda progress: None,
        waiting: Callable[[], bool] = lambda: False,
        stopped: Callable[[], bool] = lambda: False,
        name: str = "",
        weights: Path = WEIGHTS,
        folder: Path | None = None,
        library: SoundLibrary | None = None,
    ) -> None:
        name = plan.name if plan is not None else check_name(name)
        self.folder = course_folder(name, folder)
        self._report, self._waiting, self._stopped = report, waiting, stopped
        self._weights = weights
        self._library = SoundLibrary(weights=weights) if library is None else library
        self.plan = self._read_plan(name) if plan is None else plan
        if plan is not None:
            self._check_name_is_free()
        self._base = base_checksum(weights)
        self._listener = Listener(weights)
        self._listening = Listening(self.folder, self._listener, report, self._no_room, self._pause)
        self._taken: Taken | None = None  # by arranger and studio
        self._trial = SoundOnTrial()
        try:
            with one_at_a_time(self.folder, name):
                self._write_plan()
        except OSError as error:
            raise SegueError(
                f"{self.folder} cannot be written ({error.strerror}): make room there."
            ) from error

    def _check_name_is_free(self) -> None:
        """Raise SegueError where a sound of the name is here that this course did not make."""
        name = self.plan.name
        known = begun_places(name, self.folder.parent)
        if self._library.path(name).exists() and known != self.plan.places:
            raise SegueError(
                f"there is a sound '{name}' already, learned from other files: choose another "
                "name, or delete it first."
            )

    def _write_plan(self) -> None:
        """Write the plan where it changed, whole or not at all: a full disk loses none."""
        path = self.folder / PLAN
        data = json.dumps({**asdict(self.plan), "base": self._base}, ensure_ascii=False)
        self.folder.mkdir(parents=True, exist_ok=True)
        if path.is_file() and path.read_bytes() == data.encode():
            return
        partial = path.with_suffix(".partial")
        partial.write_text(data, encoding="utf-8")
        partial.replace(path)

    def _read_plan(self, name: str) -> CoursePlan:
        path = self.folder / PLAN
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            data.pop("base", None)
            return CoursePlan(**{**data, "places": tuple(data["places"])})
        except (OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, SegueError):
                raise
            raise SegueError(
                f"no course of '{name}' was begun here: say what it shall learn from."
            ) from error

    # -- the whole -------------------------------------------------------------------------------
    def run(self) -> LearnedSound | None:
        """Teach; None where it was stopped before the end.

        Raises:
            SegueError: Nothing to learn from, weights that are damaged, no room for the sound, or
                another process that teaches it.

        """
        with one_at_a_time(self.folder, self.plan.name):
            return self._run()

    def _run(self) -> LearnedSound | None:
        torch.set_num_threads(self.plan.threads)
        files = self._listening.files(self.plan.places)
        if files is None:
            return None
        rehearsal = self._rehearse()
        if rehearsal is None:
            return None
        pieces = pieces_of(files)
        self._report(CourseProgress("rehearsing", 1.0, note=named(pieces)))
        if not self._learn_idiom(pieces):
            return None
        lesson = self._lesson(pieces, rehearsal)
        if not self._learn(lesson, pieces):
            return None
        sound = self._with_mix(self.sound(lesson, pieces), pieces)
        if sound is None:
            return None
        self._library.add(sound)
        self._report(CourseProgress("mixing", 1.0, note=describe(sound)))
        self._report(CourseProgress("done", 1.0, 0.0, lesson.loss, lesson.step))
        return sound

    def _pause(self) -> bool:
        """Wait while it must; whether to go on."""
        while self._waiting() and not self._stopped():
            time.sleep(0.1)
        return not self._stopped()

    def _no_room(self, stage: str, share: float, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or error
        self._report(CourseProgress(stage, share, note=NO_ROOM.format(reason=reason)))

    # -- rehearsal -------------------------------------------------------------------------------
    def _rehearse(self) -> list[ScoredClip] | None:
        """Music of the base, from a folder that all courses share."""
        folder = self.folder.parent / f"rehearsal-{self._base[:12]}"
        clips = []
        for number in range(CLIPS):
            path = folder / f"{number:02d}.safetensors"
            try:
                clips.append(load_clip(path))
            except (OSError, SafetensorError, KeyError, RuntimeError):
                clip = play_clip(self._arranger, self._inference, number)
                clips.append(clip)
                try:
                    folder.mkdir(exist_ok=True)
                    save_clip(clip, path)
                except (OSError, SafetensorError) as error:
                    self._no_room("rehearsing", number / CLIPS, error)
            self._report(CourseProgress("rehearsing", (number + 1) / CLIPS))
            if not self._pause():
                return None
        return clips

    def _learn_idiom(self, pieces: Sequence[TaughtPiece]) -> bool:
        """What arranger and studio take from the pieces; False where it was stopped before."""
        styles = b"".join(piece.style.tobytes() for piece in pieces)
        source = hashlib.sha256(f"{self._base} {styles.hex()}".encode()).hexdigest()
        path = self.folder / IDIOM
        taken = read_taken(path, source)
        if taken is None:
            taken = learn_taken(pieces, self._weights, self._listener, self._comparing)
            if taken is None:
                return False
            try:
                write_taken(taken, path, source)
            except OSError as error:
                self._no_room("comparing", 1.0, error)
        self._taken = taken
        return True

    def _comparing(self, share: float) -> bool:
        self._report(CourseProgress("comparing", share))
        return self._pause()

    # -- learning --------------------------------------------------------------------------------
    def _lesson(self, pieces: Sequence[TaughtPiece], rehearsal: Sequence[ScoredClip]) -> Lesson:
        plan, on = self.plan, self._computing
        network = self._network
        if on.device != "cpu":  # previews are played on the CPU
            network = load_renderer(self._weights / RENDERER, on.device)
        studied = [
            (study, piece.style)
            for piece in pieces
            for encoded in piece.files
            for study in encoded.studies
        ]
        lesson = Lesson(
            network,
            load_sampler(self._weights / RENDERER),
            [study for study, _ in studied],
            rehearsal,
            [style for _, style in studied],
            features_of(self._listener.codec.network),
            self.folder,
            plan.minutes * 60,
            plan.rank,
            on.number_format,
            on.clock,
            note=" ".join((self._base, *plan.places)),  # with other files it begins afresh
        )
        if lesson.resume():
            note = f"goes on after {lesson.spent / 60:.1f} minutes"
            self._report(CourseProgress("learning", lesson.share, None, note=note))
        return lesson

    def _learn(self, lesson: Lesson, pieces: Sequence[TaughtPiece]) -> bool:
        """Learn to the end; False where it was stopped before."""
        began, spent = time.monotonic(), lesson.spent
        kept = began
        while not lesson.finished:
            if not self._pause():
                self._keep(lesson)
                return False
            try:
                lesson.learn()
            except KeyboardInterrupt:
                self._keep(lesson)
                raise
            except torch.OutOfMemoryError as error:
                self._keep(lesson)
                raise SegueError(NO_MEMORY) from error
            now = time.monotonic()
            pace = (lesson.spent - spent) / max(1e-6, now - began)
            left = (lesson.seconds - lesson.spent) / max(1e-6, pace)
            preview = now - kept >= SAVE_SECONDS
            if preview:
                self._keep(lesson)
                self._preview(lesson, pieces)
                kept = time.monotonic()
            self._report(
                CourseProgress(
                    "learning", lesson.share, max(0.0, left), lesson.loss, lesson.step,
                    preview=preview,
                )
            )  # fmt: skip
        self._keep(lesson)
        self._preview(lesson, pieces)
        return True

    def _keep(self, lesson: Lesson) -> None:
        try:
            lesson.save()
        except OSError as error:
            self._no_room("learning", lesson.share, error)

    def _preview(self, lesson: Lesson, pieces: Sequence[TaughtPiece]) -> None:
        try:
            audio = self._player.play(self.sound(lesson, pieces))
            write_preview(audio, self.folder / PREVIEW)
        except OSError as error:
            self._no_room("learning", lesson.share, error)

    def _with_mix(self, sound: LearnedSound, pieces: Sequence[TaughtPiece]) -> LearnedSound | None:
        """The sound with what its mix lacks of that of the pieces;
        None where it was stopped before.
        """
        each = max(OF_A_PIECE, -(-STREAMS // len(pieces)))
        own = []
        for place, piece in enumerate(sound.pieces):
            played, heard = alone(sound, piece), []
            for seed in range(place * each, (place + 1) * each):
                heard.append(stream_of(self._player.stream(played, seed, seed % STREAMS)))
                self._report(CourseProgress("mixing", (seed + 1) / (each * len(pieces))))
                if not self._pause():
                    return None
            own.append(heard)
        assert self._taken is not None
        return self._with_taken(
            sound, self._taken.with_mixes(*played_mixes(pieces, own), OF_RENDERER)
        )

    def sound(self, lesson: Lesson, pieces: Sequence[TaughtPiece]) -> LearnedSound:
        """The sound as far as it is learned."""
        files = [encoded for piece in pieces for encoded in piece.files]
        style = mean_style(files)
        sound = LearnedSound(
            name=self.plan.name,
            base=self._base,
            style=style,
            changes=lesson.changes(),
            picture=self._listening.picture(),
            files=tuple(encoded.name for encoded in files),
            licence=self.plan.licence,
            terms=self._listener.terms(style),
            created=datetime.date.today().isoformat(),
            seconds=sum(encoded.seconds for encoded in files),
            minutes=lesson.spent * self._computing.cores / 60,
            steps=lesson.step,
            loss=lesson.loss,
            rank=self.plan.rank,
            pieces=tuple(SoundPiece(p.names, p.seconds, p.style) for p in pieces),
        )
        return sound if self._taken is None else self._with_taken(sound, self._taken)

    @staticmethod
    def _with_taken(sound: LearnedSound, taken: Taken) -> LearnedSound:
        """The sound with what arranger and studio take on."""
        pieces = tuple(
            replace(piece, changes=own)
            for piece, own in zip(sound.pieces, taken.pieces, strict=True)
        )
        return replace(sound, changes={**sound.changes, **taken.whole}, pieces=pieces)

    # -- networks, loaded when they are needed ---------------------------------------------------
    @cached_property
    def _computing(self) -> Computing:
        return computing(self.plan.device, self.plan.threads)

    @cached_property
    def _arranger(self) -> Arranger:
        return Arranger.load(self._weights / "arranger.safetensors", SoundIdioms(self._trial))

    @cached_property
    def _player(self) -> PreviewPlayer:
        network, inference, codec = self._network, self._inference, self._listener.codec
        return PreviewPlayer(network, inference, self._arranger, codec, self._trial)

    @cached_property
    def _network(self) -> Renderer:
        return load_renderer(self._weights / RENDERER)

    @cached_property
    def _inference(self) -> RendererInference:
        return load_inference(self._weights / RENDERER)
