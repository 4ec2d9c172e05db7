"""Controls panel: tempo, key, model controls, stem switches."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.parameters.registry import Registry
from app.window.panels.panel import Group, Panel
from app.window.panels.played_keys import PlayedKeys
from app.window.widgets.buttons import KeyButton
from app.window.widgets.key_selector import KeySelector
from app.window.widgets.knob import Knob
from models.music.score import STEMS


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
