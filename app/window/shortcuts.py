"""Table of keyboard shortcuts: actions, and descriptions for the keyboard sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QKeyCombination, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence


@dataclass(frozen=True)
class Shortcut:
    """Shortcut for a parameter (toggle or trigger) or for a command "window.…"."""

    keys: str
    action: str
    description: str
    group: str
    stage: bool = True  # also in stage mode


def _table() -> tuple[Shortcut, ...]:
    play, scenes, mix, edit, view = "Play", "Scenes", "Mix", "Edit", "Window"
    rows = [
        Shortcut("Space", "transport.play", "play, pause", play),
        Shortcut("H", "transport.hold", "hold", play),
        Shortcut("C", "transport.clear", "clear the history", play),
        Shortcut("Ctrl+.", "transport.panic", "panic: silence at once", play),
        Shortcut("T", "tempo.tap", "tap the tempo", play),
        Shortcut("F", "fill", "", play),
        Shortcut("N", "next_section", "", play),
        Shortcut("R", "record", "record", play),
        Shortcut("K", "capture.save", "save the capture", play),
        Shortcut("F1", "stem.drums", "drums in, out", mix),
        Shortcut("F2", "stem.bass", "bass in, out", mix),
        Shortcut("F3", "stem.other", "the others in, out", mix),
        Shortcut("[", "window.quieter", "volume down", mix),
        Shortcut("]", "window.louder", "volume up", mix),
        Shortcut("O", "map.orbit", "orbit", mix),
        Shortcut("S", "window.sketch", "sketch: sing, tap or draw", mix, stage=False),
        Shortcut("Ctrl+Return", "window.add", "add a prompt", mix, stage=False),
        Shortcut("M", "window.view", "mixer, map", view),
        Shortcut("F11", "stage", "stage mode", view),
        Shortcut("?", "window.sheet", "this sheet", view),
        Shortcut("+", "window.zoom_in", "spectrogram: less time", view),
        Shortcut("-", "window.zoom_out", "spectrogram: more time", view),
        Shortcut("L", "window.learn", "learn; held: the control here", view, stage=False),
        Shortcut("Ctrl+L", "window.controllers", "controllers, MIDI, OSC", view, stage=False),
        Shortcut("Ctrl+,", "window.settings", "settings", view, stage=False),
        Shortcut("Ctrl+Z", "edit.undo", "undo", edit),
        Shortcut("Ctrl+Shift+Z", "edit.redo", "redo", edit),
        Shortcut("Ctrl+Y", "edit.redo", "", edit),
        Shortcut("Ctrl+N", "window.new", "new session", edit, stage=False),
        Shortcut("Ctrl+O", "window.open", "open a session", edit, stage=False),
        Shortcut("Ctrl+S", "window.save", "save the session", edit, stage=False),
        Shortcut("Ctrl+Shift+S", "window.save_as", "save under another name", edit, stage=False),
    ]
    for n in range(1, 11):
        digit = str(n % 10)
        rows.append(Shortcut(digit, f"scene.{n}.recall", "", scenes))
        rows.append(Shortcut(f"Ctrl+{digit}", f"scene.{n}.save", "", scenes, stage=False))
        rows.append(Shortcut(f"Alt+{digit}", f"window.focus.{n}", "", mix))
    return tuple(rows)


SHORTCUTS: Final = _table()
BY_KEYS: Final = {shortcut.keys: shortcut for shortcut in SHORTCUTS}
KEY_GROUPS: Final = (
    ("F, N", "drum fill, next section", "Play"),
    ("1 … 9, 0", "recall scene 1 to 10", "Scenes"),
    ("Ctrl+1 … 0", "keep what is now on a pad", "Scenes"),
    ("Alt+1 … 0", "knob of prompt 1 to 10", "Mix"),
    ("↑ ↓ ← →", "turn the focused knob", "Mix"),
    ("Shift+arrows", "fine steps", "Mix"),
    ("A", "focused knob to auto", "Mix"),
    ("Delete", "focused knob to its default", "Mix"),
    ("Enter", "press the focused button", "Mix"),
    ("Ctrl+← →", "move the focused prompt", "Mix"),
    ("Tab", "to the next control", "Window"),
    ("Shift+wheel", "spectrogram: look back", "Window"),
    ("Home", "spectrogram: back to now", "Window"),
    ("Esc", "close, clear the selection", "Window"),
)
"""Further rows of the keyboard sheet: (keys, description, group)."""


def shortcut_of(event: QKeyEvent) -> Shortcut | None:
    """Shortcut of a key event; punctuation is matched by its text, on any keyboard layout."""
    if event.text() in ("?", "+", "-", "[", "]"):
        return BY_KEYS[event.text()]
    modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    combination = QKeyCombination(modifiers, Qt.Key(event.key()))
    keys = QKeySequence(combination).toString(QKeySequence.SequenceFormat.PortableText)
    if keys == "Ctrl+Enter":
        keys = "Ctrl+Return"
    return BY_KEYS.get(keys)
