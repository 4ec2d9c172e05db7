"""Stems of a saved capture: rendered after the fact, in a thread that gives way to the music.

Each file is written beside its place and takes it when all are whole, so the take is whole at any
instant: first without stems, then with them. The mix, 16 bits in the capture, is then that of the
plan, wherever both are the same to the capture's last bit.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.audio.past.render_log import RenderRecord
from app.audio.past.rerender import RerenderedBlock, rerender
from app.recording import files
from app.recording.capture import SCALE
from app.recording.recorder import Report
from app.recording.take.recorder import as_heard, write_take
from app.recording.take.score import ScoreGatherer
from models.engine.interface import Engine
from models.errors import SegueError
from models.music.score import SAMPLE_RATE

Samples = NDArray[np.float32]

NICENESS: Final = 5
WAIT_SECONDS: Final = 0.05
CHUNK: Final = 4800
"""Frames that are compared with the capture at a time."""


@dataclass(frozen=True)
class SavedCapture:
    """A take whose stems are to be rendered.

    folder: of the take. start, stop: its plan positions. suffix: of its sound files. records: of
    its blocks. gatherer: of its notes.
    """

    folder: Path
    start: int
    stop: int
    suffix: str
    records: Sequence[RenderRecord]
    gatherer: ScoreGatherer


class StemsCancelledError(Exception):
    """Nobody wants the stems any more."""


class PastStems:
    """Rendering of a take's stems; starts at once.

    Args:
        take: what was saved.
        engine: that it was played with.
        spare: whether the plan is deep enough to be left alone.
        report: takes level and sentence, in the thread.
        earlier: is finished first.

    """

    def __init__(
        self,
        take: SavedCapture,
        engine: Engine,
        spare: Callable[[], bool],
        report: Report,
        earlier: PastStems | None = None,
    ) -> None:
        self.folder = take.folder
        self.done = 0.0
        """Share that is rendered, 0 to 1."""
        self._take, self._engine, self._spare, self._report = take, engine, spare, report
        self._earlier = earlier
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="past stems", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it is not at its end."""
        return self._thread.is_alive()

    def cancel(self) -> None:
        """End it; the take stays as it was without stems. Waits for a block."""
        self._cancelled.set()
        self._thread.join()

    # Its thread.

    def _run(self) -> None:
        if self._earlier is not None:
            self._earlier._thread.join()
            self._earlier = None
        with contextlib.suppress(OSError, AttributeError):  # Linux has it for a single thread
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        name = self.folder.name
        try:
            changed = self._render()
        except StemsCancelledError:
            return
        except SegueError as error:
            self._report("warning", f"{name} has no stems: {error}")
        except OSError as error:
            self._report("warning", f"{name} has no stems: {files.reason(error)}.")
        except Exception as error:  # an engine may fail in any way; the take is whole without
            self._report("warning", f"{name} has no stems: they could not be rendered ({error}).")
        else:
            seconds = changed / SAMPLE_RATE
            if seconds >= 1.0:
                self._report(
                    "warning",
                    f"{name}: {seconds:.0f} s of the stems may differ from what was heard.",
                )

    def _render(self) -> int:
        """Write the files; frames that were not rendered as they were heard."""
        take, parts = self._take, self._engine.info.parts
        names = [f"{name}.{take.suffix}" for name in ("mix", *parts)]
        hidden = [take.folder / f".{name}" for name in names]  # keeps its ending for the writer
        opened: list[files.AudioFile] = []
        try:
            for path in hidden:
                path.unlink(missing_ok=True)
                opened.append(files.create(path))
            changed = self._write(opened)
            while opened:
                opened.pop().close()
            for path, name in zip(hidden, names, strict=True):
                path.replace(take.folder / name)
        finally:
            for file in opened:
                with contextlib.suppress(OSError):
                    file.close()
            for path in hidden:
                path.unlink(missing_ok=True)
        sounds = dict(zip(("mix", *parts), names, strict=True))
        write_take(take.folder, take.gatherer, take.stop, sounds)
        return changed

    def _write(self, opened: Sequence[files.AudioFile]) -> int:
        from soundfile import SoundFile

        take, changed = self._take, 0
        total = max(1, take.stop - take.start)
        with SoundFile(take.folder / f"mix.{take.suffix}") as captured:
            for block in rerender(self._engine, take.records, take.start, take.stop):
                self._give_way()
                for at in range(0, len(block.sound), CHUNK):
                    sound = block.sound[at : at + CHUNK]
                    heard = captured.read(len(sound), dtype="float32", always_2d=True)
                    mix, stems, same = joined(RerenderedBlock(0, sound, block.echoes), heard)
                    changed += 0 if same else len(sound)
                    opened[0].write(mix)
                    for index, file in enumerate(opened[1:]):
                        file.write(np.ascontiguousarray(stems[:, 2 * index : 2 * index + 2]))
                self.done = (block.position + len(block.sound) - take.start) / total
        return changed

    def _give_way(self) -> None:
        """Wait while the music needs the machine."""
        while not self._cancelled.is_set() and not self._spare():
            self._cancelled.wait(WAIT_SECONDS)
        if self._cancelled.is_set():
            raise StemsCancelledError


def joined(block: RerenderedBlock, heard: Samples) -> tuple[Samples, Samples, bool]:
    """Mix and stems as they were heard, and whether they are known to be so.

    Where the mix of the plan is the captured one to its last bit, they are the plan's. Elsewhere
    there was an echo of the input, which is in no stem, or a fade: then the mix is the captured
    one, and the stems fade with it.
    """
    planned, stems = block.sound[:, :2], block.sound[:, 2:]
    coarse = np.clip(np.rint(planned * SCALE), -SCALE, SCALE - 1.0)
    if np.array_equal(coarse, np.rint(heard * SCALE)):
        return planned, stems, True
    if block.echoes:
        return heard, stems, True
    faded = as_heard(stems, planned, heard)
    gain = as_heard(planned, planned, heard)
    return heard, faded, bool(np.abs(gain - heard).max(initial=0.0) < 0.01)
