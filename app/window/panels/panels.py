"""The panels of the window: transport, controls, stems, scenes, recording. GUI lane."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QLineF, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.parameters.registry import Registry
from app.session.session import Session
from app.window.panels.played_keys import PlayedKeys
from app.window.panels.scene_pads import ScenePadGrid
from app.window.style import colours, theme
from app.window.widgets.buttons import KeyButton, PlainButton, Segments
from app.window.widgets.key_selector import KeySelector
from app.window.widgets.knob import Knob
from app.window.widgets.pixmap_cache import PixmapCache
from app.window.widgets.volume_fader import VolumeFader
from models.music.score import STEMS


class Panel(QWidget):
    """A plate that holds controls."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kept = PixmapCache()

    def paintEvent(self, event: QPaintEvent) -> None:
        # Painted wherever a control on it is, and meters are 30 times a second.
        self._kept.draw(QPainter(self), QSizeF(self.size()), None, self._paint_plate)

    def _paint_plate(self, painter: QPainter) -> None:
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        plate = QLinearGradient(box.topLeft(), box.bottomLeft())
        plate.setColorAt(0.0, QColor("#191d23"))
        plate.setColorAt(1.0, QColor("#131619"))
        painter.setBrush(plate)
        painter.setPen(QPen(QColor(colours.EDGE), 1))
        painter.drawRoundedRect(box, 10, 10)
        painter.setPen(theme.colour("#ffffff", 0.05))
        painter.drawLine(QLineF(box.left() + 10, box.top() + 1, box.right() - 10, box.top() + 1))


class Group(QWidget):
    """ControlsPanel that stand together and take no room where none of them is shown."""

    def __init__(
        self, members: Sequence[QWidget], parent: QWidget, *, shares: Sequence[int] = ()
    ) -> None:
        super().__init__(parent)
        self.members = tuple(members)
        self._box = QBoxLayout(QBoxLayout.Direction.TopToBottom, self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(5)
        for widget, share in zip(self.members, shares or [1] * len(self.members), strict=True):
            self._box.addWidget(widget, share)

    def set_direction(self, *, across: bool) -> None:
        """Side by side, or one above the other."""
        ways = QBoxLayout.Direction
        self._box.setDirection(ways.LeftToRight if across else ways.TopToBottom)

    @property
    def holds_any(self) -> bool:
        """Whether any of them is to be seen."""
        return any(not widget.isHidden() for widget in self.members)


class TransportPanel(Panel):
    """Play, clear, hold, panic."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.play = KeyButton(
            registry, "transport.play", self,
            icon="play", icon_on="pause", words="Play", words_on="Pause",
        )  # fmt: skip
        self.hold = KeyButton(registry, "transport.hold", self, icon="hold", words="Hold")
        self.clear = KeyButton(registry, "transport.clear", self, icon="clear", words="Clear")
        self.panic = KeyButton(
            registry, "transport.panic", self, icon="panic", words="Panic", hexa=colours.DANGER
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 10, 10, 10)
        row.setSpacing(6)
        row.addWidget(self.play, 14)
        column = QVBoxLayout()
        column.setSpacing(6)
        column.addWidget(self.hold)
        column.addWidget(self.clear)
        row.addLayout(column, 14)
        row.addWidget(self.panic, 9)
        for button in (self.hold, self.clear):
            button.beside = True


class ControlsPanel(Panel):
    """Tempo with tap, key, and the model's other controls; only those that the engine has."""

    KNOBS = ("density", "brightness", "chaos", "guidance", "guidance_notes", "guidance_drums")
    SELDOM = ("guidance_notes", "guidance_drums")
    """Not shown before it is known that the engine has them."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.registry = registry
        self.tempo = Knob(registry, "tempo", self, caption="Tempo")
        self.tap = KeyButton(registry, "tempo.tap", self, icon="tap", words="Tap")
        self.strength = Knob(registry, "strength", self, caption="Strength")
        self.key = KeySelector(registry, self)
        self.played = PlayedKeys(registry, self)
        self.knobs = {
            name: Knob(registry, name, self, caption=registry[name].label) for name in self.KNOBS
        }
        self.stems = {
            stem: KeyButton(
                registry,
                f"stem.{stem}",
                self,
                icon=stem,
                words=stem.capitalize(),
                beside=True,
                lamp=True,
            )
            for stem in STEMS
        }
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 9, 10, 8)
        row.setSpacing(6)
        row.addWidget(self.tempo, 10)
        # Strength stands between the two that it bends most.
        beside = Group((self.tap, self.strength), self, shares=(4, 7))
        row.addWidget(beside, 6)
        row.addWidget(self.key, 21)
        row.addWidget(self.played, 12)
        self.tempo.setMinimumWidth(46)
        for name, knob in self.knobs.items():
            knob.setMinimumWidth(46)
            if name not in self.SELDOM:
                row.addWidget(knob, 10)
        seldom = [self.knobs[name] for name in self.SELDOM]
        for knob in seldom:
            knob.setMinimumSize(50, 50)
        self.seldom = Group(seldom, self)
        row.addWidget(self.seldom, 7)
        for key in self.stems.values():
            key.setMinimumWidth(62)
        stems = Group(tuple(self.stems.values()), self)
        row.addWidget(stems, 11)
        self._row, self._groups = row, (beside, self.seldom, stems)
        self.set_scale(1.0)
        self._all: dict[str, list[QWidget]] = {
            "tempo": [self.tempo, self.tap],
            "strength": [self.strength],
            "key": [self.key],
            "keys.off": [self.played],
            **{name: [knob] for name, knob in self.knobs.items()},
            **{f"stem.{stem}": [key] for stem, key in self.stems.items()},
        }
        self.show_available(engine_known=False)

    def set_scale(self, scale: float) -> None:
        """How large at most is what needs less room than it could have."""
        beside, _, stems = self._groups
        beside.setMaximumWidth(round(64 * scale))
        for widget in (self.played, stems):
            widget.setMaximumWidth(round(230 * scale))
        for key in self.stems.values():
            key.setMaximumHeight(round(90 * scale))

    def show_available(self, engine_known: bool = True) -> None:
        """A control that the engine does not have is not there: a dead knob is a lie."""
        for name, widgets in self._all.items():
            awaited = not engine_known and name not in self.SELDOM
            there = awaited or self.registry.available(name)
            for widget in widgets:
                widget.setVisible(there)
        # Above one another only where the knobs of another kind of engine take the room.
        wide = not self.registry.available("tempo") and engine_known
        self.seldom.set_direction(across=wide)
        self._row.setStretchFactor(self.seldom, 20 if wide else 7)
        for name in self.SELDOM:
            label = self.registry[name].label
            self.knobs[name].caption = label if wide else label.partition(" ")[0]
        for group in self._groups:
            group.setVisible(group.holds_any)

    def show_notes(self, notes: tuple[int, ...]) -> None:
        """The notes that keyboards hold now, as MIDI numbers."""
        self.key.show_held(notes)
        self.played.show_notes(notes)

    def set_model_choice(self, name: str, words: str) -> None:
        """What the model plays while a control is at auto."""
        control = {"tempo": self.tempo, "key": self.key, **self.knobs}.get(name)
        if control is not None and control.model_choice != words:
            control.model_choice = words
            control.update()


class ScenesPanel(Panel):
    """The pads, and how a scene comes."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        registry = session.registry
        self._locked = self._tight = False
        self.mode = Segments(
            registry, "scene.mode", [("", "Now"), ("", "Next bar"), ("", "Morph")], self
        )
        self.time = Knob(registry, "scene.morph_time", self, caption=None)
        self.time_words = Readout(registry, "scene.morph_time", self)
        self.grid = ScenePadGrid(session, self)
        self.save = PlainButton(
            icon="save",
            words="Save",
            tip="Save: then touch the pad that shall keep what is now (or shift-click a pad)",
            parent=self,
        )
        self.save.setCheckable(True)
        self.save.toggled.connect(self.grid.set_saving)
        self.moment = KeyButton(registry, "scene.with_moment", self, icon="moment")
        top = QHBoxLayout()
        top.setSpacing(6)
        top.addWidget(self.mode, 1)
        top.addWidget(self.time)
        top.addWidget(self.time_words)
        bottom = QHBoxLayout()
        bottom.setSpacing(6)
        bottom.addWidget(self.save)
        bottom.addStretch(1)
        bottom.addWidget(self.moment)
        self.bottom = bottom
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 10, 10, 8)
        column.setSpacing(8)
        column.addLayout(top)
        column.addWidget(self.grid, 1)
        column.addLayout(bottom)
        registry.subscribe(lambda change: self._saved(change.name))
        self.set_scale(1.0)

    def set_scale(self, scale: float) -> None:
        """How large the small things are; the pads take what is left."""
        side = round(34 * scale)
        self.time.setMinimumSize(side, side)
        self.time.setFixedSize(side, side)
        self.moment.setFixedSize(side, side - 2)
        self.mode.setFixedHeight(round(32 * scale))
        self.time_words.setFixedWidth(round(46 * scale))

    def _saved(self, name: str) -> None:
        if name.startswith("scene.") and name.endswith(".save"):
            self.save.setChecked(False)

    def set_locked(self, locked: bool) -> None:
        self._locked = locked
        self.grid.set_locked(locked)
        self._show_saving()

    def set_tight(self, tight: bool) -> None:
        """Whether the pads need all the room: they are saved by Shift and a click then."""
        self._tight = tight
        self._show_saving()

    def _show_saving(self) -> None:
        for widget in (self.save, self.moment):
            widget.setVisible(not self._locked and not self._tight)


class Readout(QWidget):
    """A parameter's value in words."""

    def __init__(self, registry: Registry, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.registry, self.name = registry, name
        self.setFixedWidth(46)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.destroyed.connect(registry.subscribe(lambda _: self.update(), name))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(theme.font(theme.scaled(12.5)))
        painter.setPen(QColor(colours.TEXT))
        words = self.registry[self.name].text(self.registry.get(self.name))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter, words)


class RecordingPanel(Panel):
    """Record, and save what was played."""

    select_wanted = Signal()

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.record = KeyButton(
            registry, "record", self, icon="record", words="Record", hexa=colours.DANGER,
            beside=True,
        )  # fmt: skip
        self.capture = KeyButton(
            registry, "capture.save", self, icon="capture", words="Save last 30 min", beside=True
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 8, 10, 8)
        row.setSpacing(6)
        row.addWidget(self.record, 10)
        row.addWidget(self.capture, 14)
        self.setFixedHeight(54)

    def show_recording(self, seconds: float | None) -> None:
        """Seconds on the file, or None while not recording."""
        words = "Record" if seconds is None else clock(seconds)
        if words != self.record.words:
            self.record.words = words
            self.record.update()

    def show_capture(self, kept: float, selected: float | None) -> None:
        """What a press on Save would save, in seconds."""
        if selected is not None:
            words = f"Save {clock(selected)}"
        else:
            words = f"Save last {clock(kept)}" if kept >= 1.0 else "Nothing to save yet"
        if words != self.capture.words:
            self.capture.words = words
            self.capture.update()


class OutputPanel(Panel):
    """The master fader and its meters."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.master = VolumeFader(registry, self)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 6, 6, 4)
        row.addWidget(self.master)


def clock(seconds: float) -> str:
    """75.4 -> '1:15'."""
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"
