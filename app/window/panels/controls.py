"""Controls panel: tempo, key, model controls, stem switches."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.parameters.registry import Registry
from app.window.panels.panel import Group, Panel
from app.window.panels.played_keys import PlayedKeys
from app.window.panels.sampling import SamplingPopup
from app.window.widgets.buttons import KeyButton, PlainButton, Segments
from app.window.widgets.key_selector import KeySelector
from app.window.widgets.knob import Knob
from models.music.score import STEMS


class ControlsPanel(Panel):
    """Panel of the engine's controls; shows those that the engine supports."""

    KNOBS = (
        "energy",
        "density",
        "brightness",
        "chaos",
        "guidance",
        "dream",
        "guidance_notes",
        "note_width",
        "guidance_drums",
    )
    OPTIONAL = ("guidance_notes", "note_width", "guidance_drums")
    LATER = (*OPTIONAL, "dream", "generation_mode", "note_onsets", "drums", "temperature")
    """Hidden until an engine that supports them is loaded."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.registry = registry
        self.tempo = Knob(registry, "tempo", self, caption="Tempo")
        self.tap = KeyButton(registry, "tempo.tap", self, icon="tap", label="Tap")
        self.strength = Knob(registry, "strength", self, caption="Strength")
        self.key = KeySelector(registry, self)
        self.follow = KeyButton(registry, "follow_prompts", self, label="Follow")
        self.arrival = Segments(registry, "change_at", [("", "Now"), ("", "Bar")], self)
        modes = [("", mode.capitalize()) for mode in registry["generation_mode"].choices]
        self.generation_mode = Segments(registry, "generation_mode", modes, self)
        self.fill = KeyButton(registry, "fill", self, label="Fill")
        self.next_section = KeyButton(registry, "next_section", self, label="Next")
        self.played_keys = PlayedKeys(registry, self)
        self.knobs = {
            name: Knob(registry, name, self, caption=registry[name].label) for name in self.KNOBS
        }
        self.onsets = Segments(registry, "note_onsets", [("", "Free"), ("", "Strike")], self)
        self.drums = Segments(registry, "drums", [("drums", "Auto"), ("", "On"), ("", "Off")], self)
        self.sampling = SamplingPopup(registry, self)
        self.more = PlainButton(label="More", parent=self)
        self.more.setToolTip("Temperature, top-k, and the presets of Magenta's front ends.")
        self.more.clicked.connect(lambda: self.sampling.open_above(self, self.more))
        self.stems = {
            stem: KeyButton(
                registry,
                f"stem.{stem}",
                self,
                icon=stem,
                horizontal=True,
                indicator=True,
                label=stem.capitalize(),
            )
            for stem in STEMS
        }
        faces = [("", bars) for bars in registry["hold.bars"].choices]
        self.hold_bars = Segments(registry, "hold.bars", faces, self)
        self.variation = Knob(registry, "hold.variation", self, caption="Hold ±")
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 9, 10, 8)
        row.setSpacing(6)
        row.addWidget(self.tempo, 10)
        tap_and_strength = Group((self.tap, self.strength), self, stretches=(4, 7))
        row.addWidget(tap_and_strength, 6)
        self.follow.setMinimumWidth(52)
        self.arrival.setMinimumWidth(66)
        self.generation_mode.setMinimumWidth(66)
        changes = Group((self.follow, self.arrival), self, stretches=(1, 1))
        changes.set_direction(horizontal=True)
        key_and_changes = Group(
            (self.key, changes, self.generation_mode), self, stretches=(1, 0, 0)
        )
        row.addWidget(key_and_changes, 21)
        row.addWidget(self.played_keys, 12)
        self.tempo.setMinimumWidth(42)
        triggers = Group((self.fill, self.next_section), self)
        triggers.set_direction(horizontal=True)
        energy_and_triggers = Group((self.knobs["energy"], triggers), self, stretches=(1, 0))
        row.addWidget(energy_and_triggers, 11)
        chaos_and_guidance = Group((self.knobs["chaos"], self.knobs["guidance"]), self)
        chaos_and_guidance.set_direction(horizontal=True)
        sampling = Group((chaos_and_guidance, self.more), self, stretches=(1, 0))
        for name, knob in self.knobs.items():
            # As narrow as the caption lets them be, so that a window of 1080 points holds all.
            knob.setMinimumWidth(48 if name == "brightness" else 40)
            if name == "chaos":
                row.addWidget(sampling, 20)
            elif name not in self.OPTIONAL and name not in ("energy", "guidance"):
                row.addWidget(knob, 10)
        keys = Group((self.knobs["guidance_notes"], self.knobs["note_width"]), self)
        keys.set_direction(horizontal=True)
        keys_and_onsets = Group((keys, self.onsets), self, stretches=(1, 0))
        row.addWidget(keys_and_onsets, 19)
        drums = Group((self.knobs["guidance_drums"], self.drums), self, stretches=(1, 0))
        row.addWidget(drums, 13)
        for key in self.stems.values():
            key.setMinimumWidth(58)
        stems = Group(tuple(self.stems.values()), self)
        row.addWidget(stems, 11)
        self.hold_bars.setMinimumWidth(60)
        self.variation.setMinimumWidth(42)
        hold = Group((self.variation, self.hold_bars), self, stretches=(1, 0))
        row.addWidget(hold, 10)
        self._tap_and_strength, self._stems = tap_and_strength, stems
        self._groups = (  # the inner before the outer, for their visibility
            tap_and_strength, keys, keys_and_onsets, drums, chaos_and_guidance, sampling, stems,
            changes, key_and_changes, triggers, energy_and_triggers, hold,
        )  # fmt: skip
        self.set_scale(1.0)
        self._widgets: dict[str, list[QWidget]] = {
            "tempo": [self.tempo, self.tap],
            "strength": [self.strength],
            "key": [self.key],
            "follow_prompts": [self.follow],
            "change_at": [self.arrival],
            "generation_mode": [self.generation_mode],
            "hold.bars": [self.hold_bars],
            "hold.variation": [self.variation],
            "fill": [self.fill],
            "next_section": [self.next_section],
            "keys.off": [self.played_keys],
            "note_onsets": [self.onsets],
            "drums": [self.drums],
            "temperature": [self.more],
            **{name: [knob] for name, knob in self.knobs.items()},
            **{f"stem.{stem}": [key] for stem, key in self.stems.items()},
        }
        self.show_available(engine_known=False)

    def set_scale(self, scale: float) -> None:
        """Scale the maximum sizes of the narrow columns."""
        self._tap_and_strength.setMaximumWidth(round(64 * scale))
        for widget in (
            self.follow, self.arrival, self.fill, self.next_section, self.hold_bars, self.onsets,
            self.drums, self.more, self.generation_mode,
        ):  # fmt: skip
            widget.setFixedHeight(round(24 * scale))
        for column in (self.played_keys, self._stems):
            column.setMaximumWidth(round(230 * scale))
        for key in self.stems.values():
            key.setMaximumHeight(round(90 * scale))

    def show_available(self, engine_known: bool = True) -> None:
        """Show the controls that the engine supports, and hide the others."""
        for name, widgets in self._widgets.items():
            pending = not engine_known and name not in self.LATER
            shown = pending or self.registry.available(name)
            if name.startswith("stem.") and self.registry.available("part.drums.mute"):
                shown = False  # the part strips have them
            if name == "stem.drums" and self.registry.available("drums"):
                shown = False  # auto, on and off have it
            for widget in widgets:
                widget.setVisible(shown)
        for group in self._groups:
            group.setVisible(group.has_visible_member)

    def show_notes(self, notes: tuple[int, ...]) -> None:
        """Show the held notes (MIDI numbers)."""
        self.key.show_held_notes(notes)
        self.played_keys.show_notes(notes)

    def set_model_choice(self, name: str, text: str) -> None:
        """Show the value that the model plays while a control is at auto."""
        control = {"tempo": self.tempo, "key": self.key, **self.knobs}.get(name)
        if control is not None and control.model_choice != text:
            control.model_choice = text
            control.update()
