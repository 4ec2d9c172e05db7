"""Strip of one part: name, instrument, octave; level with meter, mute, solo, dry, lock, re-roll."""

from __future__ import annotations

from html import escape
from typing import Final

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.parameters.registry import Registry
from app.window.panels.panel import Panel
from app.window.panels.played_keys import Stepper
from app.window.parts.instruments import InstrumentButton
from app.window.parts.level_fader import LevelFader
from app.window.style import colours, theme
from app.window.widgets.buttons import KeyButton
from models.music.score import STEM_OF_PART

SOLO: Final = "#f2d45c"
"""Colour of a lit solo."""


NARROW: Final = 235
"""Width under which the fixed widths are smaller, in pixels at scale 1."""


class PartName(QWidget):
    """Name of a part; faint while it is not heard, with a note while it plays a MIDI file or a
    sketch, which a click ends.
    """

    cleared = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name, self.heard, self.given = name, True, ""
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)

    def set_heard(self, heard: bool) -> None:
        """Say whether the part is heard."""
        if heard != self.heard:
            self.heard = heard
            self.update()

    def set_given(self, name: str) -> None:
        """Say which file the part plays; "" for its own."""
        if name == self.given:
            return
        self.given = name
        hand = Qt.CursorShape.PointingHandCursor if name else Qt.CursorShape.ArrowCursor
        self.setCursor(hand)
        own = f"Plays {escape(name)}.<br>Click: the {self.name.lower()} plays its own again."
        self.setToolTip(own if name else "")
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.given and event.button() == Qt.MouseButton.LeftButton:
            self.cleared.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        ink = colours.ACCENT if self.given else colours.TEXT
        painter.setPen(QColor(ink if self.heard else colours.FAINT))
        text = f"♪ {self.name}" if self.given else self.name
        theme.fit_font(painter, text, theme.bold(theme.scaled(13.5)), self.width() - 2.0)
        painter.drawText(QRectF(self.rect()), Qt.AlignmentFlag.AlignVCenter, text)


class MuteButton(KeyButton):
    """Mute of a part; lit too where its stem is out, and then brings that in."""

    def __init__(self, registry: Registry, part: str, parent: QWidget | None = None) -> None:
        super().__init__(registry, f"part.{part}.mute", parent, label="M", hex_color=colours.DANGER)
        self.stem = f"stem.{STEM_OF_PART[part]}"
        self.destroyed.connect(registry.subscribe(lambda change: self.update(), self.stem))

    @property
    def stem_out(self) -> bool:
        """Whether the part's stem is switched out."""
        return self.registry.available(self.stem) and self.registry.get(self.stem) is False

    @property
    def on(self) -> bool:
        return super().on or self.stem_out

    def fire(self) -> None:
        if self.stem_out:
            self.registry.set(self.stem, True)
        else:
            super().fire()


class PartStrip(Panel):
    """Strip of a part, in two rows."""

    def __init__(self, registry: Registry, part: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.part, self._scale = part, 1.0
        name = f"part.{part}"
        self.setAccessibleName(part.capitalize())
        self.title = PartName(part.capitalize(), self)
        self.instrument = InstrumentButton(registry, f"{name}.instrument", self)
        self.octave = None if part == "drums" else Stepper(registry, f"{name}.octave", "Oct", self)
        self.fader = LevelFader(registry, f"{name}.level", self)
        self.mute = MuteButton(registry, part, self)
        self.solo = KeyButton(registry, f"{name}.solo", self, label="S", hex_color=SOLO)
        self.dry = KeyButton(registry, f"{name}.dry", self, label="D", hex_color=colours.ACCENT)
        self.lock = KeyButton(registry, f"{name}.lock", self, icon="lock")
        self.reroll = KeyButton(registry, f"{name}.reroll", self, icon="reroll")
        self.buttons = (self.mute, self.solo, self.dry, self.lock, self.reroll)
        above, below = QHBoxLayout(), QHBoxLayout()
        for row in (above, below):
            row.setSpacing(5)
        above.addWidget(self.title)
        above.addWidget(self.instrument, 1)
        if self.octave is not None:
            above.addWidget(self.octave)
        below.addWidget(self.fader, 1)
        for button in self.buttons:
            below.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(9, 6, 9, 6)
        column.setSpacing(5)
        column.addLayout(above, 1)
        column.addLayout(below, 1)
        self.set_scale(1.0)

    def set_scale(self, scale: float) -> None:
        """Scale the widgets of a fixed width."""
        self._scale = scale
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        narrow = self.width() < NARROW * self._scale
        title, button, octave = (48, 22, 50) if narrow else (54, 28, 72)
        self.title.setFixedWidth(round(title * self._scale))
        for each in self.buttons:
            each.setFixedWidth(round(button * self._scale))
        if self.octave is not None:
            self.octave.setFixedWidth(round(octave * self._scale))

    def show_level(self, linear: float) -> None:
        """Show the part's level (linear)."""
        self.fader.set_level(linear)
