"""`python main.py teach`: a learned sound from audio files, while the music may play on.

With --json each line of the output is one object, and lines of the input say "pause", "go" and
"stop": so the window runs it as a process of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
import warnings
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict
from typing import Final

from models.command import PROGRAM_NAME
from models.engine.sounds import PREFIX
from models.errors import SegueError
from models.teaching.material import audio_files
from models.teaching.plan import CoursePlan, CourseProgress, is_begun

PATIENT: Final = 19
"""Niceness: any other program goes first."""
IDLE_CLASS: Final = 0x40  # IDLE_PRIORITY_CLASS of Windows


def teach(chosen: Namespace) -> int:
    """Teach a sound, or go on with one."""
    plan = _plan(chosen)
    give_way()
    # Threads that wait for each other must not spin on cores that the music needs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Of torch, about norms in the low number format.
    warnings.filterwarnings("ignore", "Mismatch dtype", UserWarning)
    from models.teaching.course import Course

    orders = Orders()
    report: Callable[[CourseProgress], None] = Printer()
    if chosen.json:
        orders.listen()
        report = print_json
    course = Course(plan, report, orders.waiting, orders.stopped, chosen.name)
    try:
        sound = course.run()
    except KeyboardInterrupt:
        sound = None
    if chosen.json:
        return 0
    if sound is None:
        print(f"\nstopped; {PROGRAM_NAME} teach {chosen.name} goes on")
    else:
        print(f"\n{PREFIX}{sound.name} can be played: --prompt {PREFIX}{sound.name!r}")
        print(
            f"its style is near {sound.terms}; the last preview is {course.folder / 'preview.wav'}"
        )
    return 0


def _plan(chosen: Namespace) -> CoursePlan | None:
    """What is to be taught; None to go on with what was begun."""
    if not chosen.places:
        if chosen.minutes is not None or chosen.rank is not None or chosen.licence:
            raise SegueError("to go on with a sound, give its name alone; else name its files.")
        if not is_begun(chosen.name):
            raise SegueError(
                f"no course of '{chosen.name}' was begun here: say what it shall learn from."
            )
        return None
    audio_files(chosen.places)  # says so now if there are none
    return CoursePlan(
        chosen.name,
        tuple(str(place.expanduser().absolute()) for place in chosen.places),
        10.0 if chosen.minutes is None else chosen.minutes,
        8 if chosen.rank is None else chosen.rank,
        chosen.licence,
        chosen.threads or min(4, os.cpu_count() or 1),
        chosen.device or "auto",
    )


def give_way() -> None:
    """Let every other program go first."""
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            import ctypes

            kernel = ctypes.windll.kernel32
            kernel.SetPriorityClass(kernel.GetCurrentProcess(), IDLE_CLASS)
        else:
            os.nice(PATIENT - os.nice(0))


class Orders:
    """What the window says on the input: "pause", "go" and "stop"; its end means stop."""

    def __init__(self) -> None:
        self._wait, self._stop = threading.Event(), threading.Event()

    def listen(self) -> None:
        """Read the input in a thread."""
        threading.Thread(target=self._read, name="orders", daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            match line.strip():
                case "pause":
                    self._wait.set()
                case "go":
                    self._wait.clear()
                case "stop":
                    break
        self._stop.set()

    def waiting(self) -> bool:
        return self._wait.is_set()

    def stopped(self) -> bool:
        return self._stop.is_set()


def print_json(progress: CourseProgress) -> None:
    """Progress as a line of JSON."""
    print(json.dumps(asdict(progress)), flush=True)


class Printer:
    """Progress for a terminal: one line that moves, and notes above it."""

    def __init__(self) -> None:
        self._moving = sys.stdout.isatty()
        self._shown_at = -60.0
        self._stage = ""

    def __call__(self, progress: CourseProgress) -> None:
        if progress.note:
            print(f"{self._clear()}{progress.note}", flush=True)
            return
        now = time.monotonic()
        every = 0.2 if self._moving else 15.0
        if now - self._shown_at < every and progress.stage == self._stage:
            return
        self._shown_at, self._stage = now, progress.stage
        line = progress_line(progress)
        print(f"{self._clear()}{line}", end="" if self._moving else "\n", flush=True)

    def _clear(self) -> str:
        return "\r\x1b[K" if self._moving else ""


def progress_line(progress: CourseProgress) -> str:
    """Progress in words."""
    parts = [f"{progress.stage} {100 * progress.share:.0f} %"]
    if progress.left is not None and progress.stage == "learning":
        minutes, seconds = divmod(round(progress.left), 60)
        parts.append(f"{minutes}:{seconds:02d} left")
    if progress.loss is not None and progress.loss == progress.loss:
        parts.append(f"loss {progress.loss:.3f}")
    if progress.preview:
        parts.append("new preview")
    return ", ".join(parts)
