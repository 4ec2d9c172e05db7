"""Arrangements in the window: MIDI files that are dropped or chosen become what parts play."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from app.live_controller import LiveController
from app.parameters.registry import Registry
from app.window.jobs import Jobs
from app.window.layout import WindowWidgets
from app.window.parts.file_drop import FileDrop
from app.window.widgets.banner import Answer
from models.errors import SegueError
from models.music.arrangement.arrangement import (
    MIDI_SUFFIXES,
    MidiArrangement,
    read_arrangement,
)
from models.music.score import PARTS

ALL, HARMONY, EXAMPLE = "all", "harmony", "example"
SAID: Final = {
    ALL: "{name} is played by {parts} from the next bar on",
    HARMONY: "The harmony is that of {name} from the next bar on",
    EXAMPLE: "The music goes on from {name} at the next bar",
}
NO_ENGINE: Final = "This engine plays no MIDI files: choose one with parts."


class ArrangementControl(QObject):
    """What the window does with MIDI files.

    Args:
        live: steers with them.
        widgets: that they are dropped on.
        locked: whether nothing may be changed, as on stage.
        window: parent of dialogs.

    """

    message = Signal(str, str)
    """Level and sentence."""

    def __init__(
        self,
        live: LiveController,
        widgets: WindowWidgets,
        locked: Callable[[], bool],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self.live, self.widgets, self._window = live, widgets, window
        self.registry: Registry = live.registry
        self.jobs = Jobs(self)
        self._number = 0
        FileDrop(
            widgets.centre, "Plays this MIDI file", MIDI_SUFFIXES, False,
            lambda: not locked(), self.take,
        )  # fmt: skip
        for part, strip in widgets.parts.strips.items():
            FileDrop(
                strip, f"The score of the {part}", MIDI_SUFFIXES, False,
                lambda: not locked(), partial(self.take, role=part),
            )  # fmt: skip
            strip.title.cleared.connect(partial(self.clear, part))
        live.sketches_changed.connect(self._show)

    def close(self) -> None:
        """Wait for what is being read."""
        self.jobs.wait()

    def menu_entries(self) -> tuple[tuple[str, Callable[[], object]], ...]:
        """Entries of the session menu."""
        if "sketches" not in self.live.acting:
            return ()
        entries: list[tuple[str, Callable[[], object]]] = [("MIDI file …", self.choose)]
        if self.live.sketches:
            entries.append(("End the MIDI file", self.clear_all))
        return tuple(entries)

    def choose(self) -> None:
        """Ask for the file."""
        pattern = " ".join(f"*{suffix}" for suffix in sorted(MIDI_SUFFIXES))
        path, _ = QFileDialog.getOpenFileName(
            self._window, "A MIDI file", "", f"MIDI files ({pattern})"
        )
        if path:
            self.take(path)

    def take(self, path: str, role: str = "") -> None:
        """Read a file; for a role it is played at once, else the performer is asked."""
        if "sketches" not in self.live.acting:
            self.message.emit("warning", NO_ENGINE)
            return

        def done(arrangement: MidiArrangement) -> None:
            if role:
                self.apply(arrangement, role)
            else:
                self._ask(arrangement)

        self.jobs.start(
            lambda: read_arrangement(Path(path)),
            done,
            lambda sentence: self.message.emit("warning", sentence),
        )

    def apply(self, arrangement: MidiArrangement, role: str) -> None:
        """Let the arranger have a file, with its tempo and key where it is more than one part's.

        Args:
            arrangement: the file.
            role: of `models.music.arrangement.arrangement.ROLES`, or "all".

        """
        try:
            found = arrangement.sketches(role)
        except SegueError as error:
            self.message.emit("warning", str(error))
            return
        self._number += 1
        new = tuple(replace(sketch, number=self._number) for sketch in found)
        parts = {sketch.part for sketch in new}
        others = tuple(sketch for sketch in self.live.sketches if sketch.part not in parts)
        if role not in PARTS:
            with self.registry.batch():
                self.registry.set("tempo", arrangement.bpm, "arrangement")
                if arrangement.key:
                    self.registry.set("key", arrangement.key, "arrangement")
        self.live.set_sketches((*others, *new))
        names = [part for part in PARTS if part in parts]
        words = SAID.get(role, f"The {role} plays {{name}} from the next bar on")
        said = words.format(name=arrangement.name, parts=" and ".join(names))
        more = f" ({'; '.join(arrangement.remarks)})" if arrangement.remarks else ""
        self.message.emit("info", f"{said}{more}.")

    def clear(self, part: str) -> None:
        """Let a part play its own again."""
        self.live.set_sketches(tuple(s for s in self.live.sketches if s.part != part))

    def clear_all(self) -> None:
        """Let all parts play their own again."""
        self.live.set_sketches(())

    def _ask(self, arrangement: MidiArrangement) -> None:
        bars = round(arrangement.beats / arrangement.beats_per_bar)
        facts = [f"{bars} bar{'s' if bars > 1 else ''}", f"{arrangement.bpm:.0f} bpm"]
        facts += [arrangement.key] if arrangement.key else []
        facts.append(", ".join(part for part in PARTS if part in arrangement.voices))
        answers: list[Answer] = [("Play it", partial(self.apply, arrangement, ALL))]
        if arrangement.pitched:
            answers.append(("Its harmony", partial(self.apply, arrangement, HARMONY)))
        answers.append(("Go on from it", partial(self.apply, arrangement, EXAMPLE)))
        answers.append(("Put away", lambda: None))
        self.widgets.banner.ask(f"{arrangement.name}: {'; '.join(facts)}.", answers)

    def _show(self) -> None:
        """Mark the strips of the parts that play something given."""
        given = {sketch.part: sketch.name or "a sketch" for sketch in self.live.sketches}
        for part, strip in self.widgets.parts.strips.items():
            strip.title.set_given(given.get(part, ""))
