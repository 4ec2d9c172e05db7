"""Row of the part strips; hidden while the engine has no parts."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.inference.messages import BlockReport
from app.parameters.part_parameters import part_controls
from app.parameters.registry import Change, Registry
from app.window.parts.levels import PartLevels
from app.window.parts.strip import PartStrip
from models.engine.interface import ScoreInfo
from models.music.score import PARTS, STEM_OF_PART


class PartsPanel(QWidget):
    """Strips of all parts."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.registry = registry
        self.levels = PartLevels()
        self.strips = {part: PartStrip(registry, part, self) for part in PARTS}
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(8)
        for strip in self.strips.values():
            self._row.addWidget(strip, 1)
        self.destroyed.connect(registry.subscribe(self._on_change))
        self.hide()

    def show_available(self) -> None:
        """Show the parts that the engine has, and nothing where it has none."""
        for part, strip in self.strips.items():
            strip.setVisible(self.registry.available(f"part.{part}.level"))
        self.setVisible(any(not strip.isHidden() for strip in self.strips.values()))
        self._show_heard()

    def set_scale(self, scale: float, tight: bool = False) -> None:
        """Scale the row's height, and what in it has a fixed width; tight: in a low window."""
        self.setFixedHeight(round((62 if tight else 74) * scale))
        for strip in self.strips.values():
            strip.set_scale(scale)

    def add_block(self, report: BlockReport) -> None:
        """Take the levels and instruments of a planned block."""
        score = report.score or ScoreInfo()
        frames = report.position + len(report.samples) - report.origin
        self.levels.add(report.origin, frames, score.levels)
        for part, strip in self.strips.items():
            strip.instrument.show_choice(score.instruments.get(part, ""))

    def frame(self, playhead: float, now: float) -> None:
        """Move the meters.

        Args:
            playhead: plan position that is heard.
            now: seconds.

        """
        if self.isHidden():
            return
        shown = self.levels.at(playhead, now)
        for part, strip in self.strips.items():
            strip.show_level(shown.get(part, 0.0))

    def _on_change(self, change: Change) -> None:
        if change.name.startswith(("part.", "stem.")):
            self._show_heard()

    def _show_heard(self) -> None:
        registry = self.registry
        values = {name: registry.get(name) for name in registry.names("part.*")}
        for part, gain in zip(PARTS, part_controls(values).gains(), strict=True):
            out = registry.get(f"stem.{STEM_OF_PART[part]}") is False
            self.strips[part].title.set_heard(gain > 0.0 and not out)
