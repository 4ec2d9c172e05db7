"""Sketch control: from what comes in to what a part plays, and the window that shows it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.inference.messages import BlockReport
from app.interfaces import OutputProtocol, WorkerProtocol
from app.live_controller import LiveController
from app.parameters.registry import Change, Registry
from app.session import sketch_edits as edits
from app.window.jobs import Jobs
from app.window.sketch.dialog import SketchDialog
from models.music.hearing.sketch import Sketch, sketch_of
from models.music.hearing.transcriber import transcript_of
from models.music.score import SAMPLE_RATE
from models.music.tracking.weights import load_ear_weights

LONGEST: Final = 30 * SAMPLE_RATE
"""Frames of input that a sketch is made of at the most."""
WARM_UP: Final = SAMPLE_RATE
"""Frames before it that the ears hear first."""
NO_INPUT: Final = "Nothing comes in: choose an input in the settings, or draw with the mouse."
NOTHING: Final = "Nothing was sung or tapped: come nearer, or raise the input's gain."


class SketchControl(QObject):
    """What the window does with sketches.

    Args:
        registry: the parameters.
        output: the handle on the audio process, with the input.
        worker: tells where the beats lie.
        live: steers with the sketches.
        window: that the sketch's window belongs to.

    """

    def __init__(
        self,
        registry: Registry,
        output: OutputProtocol,
        worker: WorkerProtocol,
        live: LiveController,
        window: QObject,
    ) -> None:
        super().__init__(window)
        self.registry, self.output, self.live = registry, output, live
        self.beats = edits.HeardBeats()
        self.dialog: SketchDialog | None = None
        self._jobs = Jobs(self)
        self._began: int | None = None
        self._number = 0
        self._shown = edits.blank("lead", 2)
        self._unsubscribe = registry.subscribe(self._on_change)
        worker.block_ready.connect(self._block)

    def close(self) -> None:
        """Listen to nothing any more."""
        self._unsubscribe()

    def open(self) -> None:
        """Show the sketch's window."""
        if self.dialog is None:
            parent = self.parent()
            dialog = self.dialog = SketchDialog(
                self.registry, parent if isinstance(parent, QWidget) else None
            )
            dialog.changed.connect(self.take)
            dialog.deleted.connect(self.delete)
            dialog.part_chosen.connect(self._choose_part)
        self._show(self._shown)
        self.dialog.show()
        self.dialog.raise_()

    def take(self, sketch: Sketch) -> None:
        """Let a part play a sketch, instead of the one that it had."""
        self._shown = sketch
        others = [one for one in self.live.sketches if one.part != sketch.part]
        something = bool(sketch.notes or sketch.hits)
        self.live.set_sketches((*others, sketch) if something else tuple(others))
        self._show(sketch)

    def delete(self, part: str) -> None:
        """Let a part play its own again."""
        self.live.set_sketches(tuple(one for one in self.live.sketches if one.part != part))
        self._number += 1
        bars = round(self._shown.beats / self.beats.beats_per_bar) or 1
        self._show(edits.blank(part, bars, self.beats.beats_per_bar, self._number))

    def _choose_part(self, part: str) -> None:
        """Show the part's sketch; where it has none, it takes over the one that is shown."""
        have = next((one for one in self.live.sketches if one.part == part), None)
        if have is not None:
            self._show(have)
            return
        before = self._shown.part
        others = tuple(one for one in self.live.sketches if one.part != before)
        self.live.set_sketches(others)
        self.take(edits.for_part(self._shown, part))

    def _show(self, sketch: Sketch) -> None:
        self._shown = sketch
        if self.dialog is not None:
            self.dialog.show_sketch(sketch, self.beats.beats_per_bar)

    def _block(self, report: BlockReport) -> None:
        if report.score is not None:
            frames = len(report.samples) + report.position - report.origin
            self.beats.put(report.origin, report.join, frames, report.score)

    # -- singing ---------------------------------------------------------------------------------
    def _on_change(self, change: Change) -> None:
        if change.name == "sketch.record" and change.source != "availability":
            self._begin() if self.registry.get(change.name) else self._end()
        elif change.name == "sketch.clear" and change.source != "availability":
            self.live.set_sketches(())
            self._show(edits.blank(self._shown.part, 2, self.beats.beats_per_bar))

    def _begin(self) -> None:
        if not self.output.status().input.running:
            self._say("warning", NO_INPUT)
            self.registry.set("sketch.record", False, "availability")
            return
        self._began = self.output.input.end
        self._say("info", "Sing, hum, tap or beatbox; then press again.")

    def _end(self) -> None:
        began, self._began = self._began, None
        if began is None:
            return
        history = self.output.input
        stop = history.end
        start = max(began, stop - LONGEST)
        if stop - start < SAMPLE_RATE // 4:
            return
        early = min(start, WARM_UP)
        start -= early
        sound, since = history.copy(start, stop), early / SAMPLE_RATE
        clocks = history.clock_map
        first, last = clocks.plan_at(start), clocks.plan_at(stop)
        points = self.beats.around(first, last)
        beats = [beat for _, beat in points]
        times = [(int(clocks.clocks_of(at, at + 1)[0]) - start) / SAMPLE_RATE for at, _ in points]
        if len(points) < 2:  # no music to keep time with
            tempo = self.registry.get("tempo")
            seconds = 60.0 / (float(tempo) if isinstance(tempo, int | float) else 120.0)
            beats, times = [0.0, 64.0], [0.0, 64.0 * seconds]
        self._number += 1
        number, per_bar = self._number, self.beats.beats_per_bar

        def work() -> Sketch | None:
            transcript = transcript_of(load_ear_weights(), sound)
            return sketch_of(transcript, beats, times, per_bar, number, since)

        self._jobs.start(work, self._made, lambda text: self._say("warning", text))

    def _made(self, sketch: Sketch | None) -> None:
        if sketch is None:
            self._say("info", NOTHING)
            return
        before = next((one for one in self.live.sketches if one.part == sketch.part), None)
        if before is not None:
            sketch = replace(sketch, loop=before.loop, in_key=before.in_key)
        self.take(sketch)
        count = len(sketch.notes) or len(sketch.hits)
        what = "notes" if sketch.notes else "hits"
        self._say("info", f"{count} {what} for the {sketch.part}, from the next bar on.")
        self.open()

    def _say(self, level: str, sentence: str) -> None:
        self.live.message.emit(level, sentence)
        if self.dialog is not None:
            self.dialog.say(sentence)
