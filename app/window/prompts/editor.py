"""Prompt editor: a text line, suggestions by group, the prompt library, or a sound file.

An overlay rather than a dialog, so that it also works in full screen.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Final

from PySide6.QtCore import QEvent, QObject, QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.session.prompts.library import LibraryPrompt, PromptLibrary, parse_entry
from app.window.style import colours, theme
from app.window.widgets.buttons import PlainButton
from app.window.widgets.chip import Chip
from app.window.widgets.dropped import SOUND_SUFFIXES
from app.window.widgets.flow_layout import FlowLayout
from models.engine.prompt_checks import MAX_PROMPT_CHARACTERS
from models.engine.sounds import PREFIX
from models.errors import SegueError
from models.sounds.library import SoundLibrary

SUGGESTIONS: Final = theme.RESOURCES / "suggestions.json"
WIDTH: Final = 560
HEIGHT: Final = 330
MAX_SHOWN: Final = 120
"""Prompts of the library that are shown at once; a search shows the others."""
LIBRARY: Final = "library"
SOUNDS: Final = "sounds"
TITLES: Final = {"instrument": "Instruments", "genre": "Genres", "mood": "Moods"}


def load_suggestions(path: Path = SUGGESTIONS) -> dict[str, list[str]]:
    """Suggestions by group, in the file's order; entries of another type are skipped."""
    data = json.loads(path.read_text(encoding="utf-8"))
    groups: dict[str, list[str]] = {}
    for group, items in data.items():
        if isinstance(items, list):
            words = [item for item in items if isinstance(item, str)]
            if words:
                groups[group] = words
    return groups


def find_suggestions() -> tuple[dict[str, list[str]], str]:
    """The suggestions, and a sentence where they cannot be read."""
    try:
        return load_suggestions(), ""
    except (OSError, ValueError) as error:
        return {}, f"The suggestions could not be read ({error})."


class PromptEditor(QWidget):
    """Editor over `parent`, near a strip; emits `confirmed(n, text)` or `sound_chosen(n, path)`."""

    confirmed = Signal(int, str)
    sound_chosen = Signal(int, str)
    kept = Signal()
    """A prompt was kept in the library."""
    closed = Signal()
    teach_requested = Signal(int)
    """A sound shall be taught, for the prompt of this number."""
    message = Signal(str, str)
    """Level and sentence."""

    def __init__(self, parent: QWidget, suggestions: dict[str, list[str]]) -> None:
        super().__init__(parent)
        self._host = parent
        self.n = 0
        self._suggestions = suggestions
        self.line = QLineEdit(self)
        self.line.setMaxLength(MAX_PROMPT_CHARACTERS)
        self.line.setPlaceholderText("What should it sound like?")
        self.line.setFont(theme.bold(19))
        self.line.setMinimumHeight(44)
        self.line.returnPressed.connect(self._confirm)
        self.tabs = [
            PlainButton(
                label=TITLES.get(group, group.capitalize()),
                tooltip=f"Suggestions: {group}",
                on_click=partial(self.show_group, group),
                parent=self,
            )
            for group in suggestions
        ]
        self.library: PromptLibrary | None = None
        self._audio: str | None = None  # of the prompt that is edited
        self.library_tab = PlainButton(
            label="Library",
            tooltip="Prompts kept under a name, and 200 to begin with: type to search",
            on_click=partial(self.show_group, LIBRARY),
            parent=self,
        )
        self.library_tab.hide()
        self.sounds_tab = PlainButton(
            label="My sounds",
            tooltip="Sounds that were learned from your own files, and teaching another",
            on_click=partial(self.show_group, SOUNDS),
            parent=self,
        )
        for tab in (*self.tabs, self.library_tab, self.sounds_tab):
            tab.setCheckable(True)
        self.keep_button = PlainButton(
            label="Keep",
            tooltip="Keep this prompt in the library; words with # are its tags: warm pads #slow",
            on_click=self.keep,
            parent=self,
        )
        self.keep_button.hide()
        self.line.textEdited.connect(self._search)
        sound = PlainButton(
            icon="sound",
            label="Sound file …",
            tooltip="Prompt with a sound instead of words: WAV, FLAC, OGG or MP3",
            on_click=lambda: self.choose_sound(self.n),
            parent=self,
        )
        self.area = QScrollArea(self)
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.viewport().setStyleSheet("background: transparent;")
        row = QHBoxLayout()
        row.setSpacing(4)
        for tab in self.tabs:
            row.addWidget(tab)
        row.addWidget(self.library_tab)
        row.addWidget(self.sounds_tab)
        row.addStretch(1)
        row.addWidget(self.keep_button)
        row.addWidget(sound)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 14, 14, 14)
        column.setSpacing(10)
        column.addWidget(self.line)
        column.addLayout(row)
        column.addWidget(self.area, 1)
        self.hide()

    def use_library(self, library: PromptLibrary) -> None:
        """Offer a prompt library."""
        self.library = library
        self.library_tab.show()
        self.keep_button.show()

    def open_at(self, n: int, text: str, anchor: QPoint, audio: str | None = None) -> None:
        """Edit prompt n (from 1); `anchor` is the point of the parent to open at.

        audio: path of its sound, where it is one.
        """
        self.n, self._audio = n, audio
        width = min(WIDTH, self._host.width() - 24)
        height = min(HEIGHT, self._host.height() - 24)
        left = min(max(anchor.x() - width // 2, 12), self._host.width() - width - 12)
        top = anchor.y() - height - 34
        if top < 12:
            top = min(anchor.y() + 26, self._host.height() - height - 12)
        self.setGeometry(left, max(top, 12), width, height)
        self.line.setText(text)
        self.line.selectAll()
        if self._suggestions and self.area.widget() is None:
            self.show_group(next(iter(self._suggestions)))
        self.show()
        self.raise_()
        self.line.setFocus()
        app = QApplication.instance()
        assert app is not None
        app.installEventFilter(self)

    def show_group(self, group: str) -> None:
        """Show the suggestions of a group as chips."""
        old = self.area.takeWidget()
        if old is not None:
            old.deleteLater()
        page = QWidget()
        page.setAutoFillBackground(False)
        flow = FlowLayout(page)
        made = {LIBRARY: self._library_chips, SOUNDS: self._sound_chips}
        for chip in made[group]() if group in made else self._chips(group):
            chip.setParent(page)
            chip.dragged.connect(self.close_editor)
            flow.addWidget(chip)
        self.area.setWidget(page)
        for tab, name in zip(self.tabs, self._suggestions, strict=True):
            tab.setChecked(name == group)
        self.library_tab.setChecked(group == LIBRARY)
        self.sounds_tab.setChecked(group == SOUNDS)

    def _chips(self, group: str) -> list[Chip]:
        chips = [Chip(words) for words in self._suggestions[group]]
        for chip in chips:
            chip.picked.connect(self._pick)
        return chips

    def _sound_chips(self) -> list[Chip]:
        """The learned sounds, and a chip that teaches another."""
        chips = [Chip(name, tooltip="A learned sound") for name in SoundLibrary().names()]
        for chip in chips:
            chip.words = f"{PREFIX}{chip.label}"
            chip.picked.connect(lambda label: self._pick(f"{PREFIX}{label}"))
        teach = Chip("+ Teach a sound …", tooltip="Learn a sound from audio files of your own")
        teach.picked.connect(self._teach)
        return [*chips, teach]

    def _teach(self, words: str = "") -> None:
        n = self.n
        self.close_editor()
        self.teach_requested.emit(n)

    def _library_chips(self) -> list[Chip]:
        """Prompts of the library that the line finds; all of them until it is edited."""
        if self.library is None:
            return []
        words = self.line.text() if self.line.isModified() else ""
        chips = []
        for prompt in self.library.search(words)[:MAX_SHOWN]:
            tags = " ".join(f"#{tag}" for tag in prompt.tags)
            own = "<br>Right-click to remove it." if prompt.own else ""
            what = prompt.audio or prompt.text
            chip = Chip(prompt.name, tooltip=f"{what}<br>{tags}{own}", path=prompt.audio or "")
            chip.words = prompt.text or prompt.name
            chip.picked.connect(partial(self._take, prompt))
            if prompt.own:
                chip.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
                chip.customContextMenuRequested.connect(partial(self._remove, prompt))
            chips.append(chip)
        return chips

    def _search(self) -> None:
        if self.library_tab.isChecked():
            self.show_group(LIBRARY)

    def _take(self, prompt: LibraryPrompt, name: str = "") -> None:
        if prompt.audio is None:
            self._pick(prompt.text)
            return
        n = self.n
        self.close_editor()
        self.sound_chosen.emit(n, prompt.audio)

    def keep(self) -> None:
        """Keep what is in the line, or the sound that is edited under these words."""
        words, tags = parse_entry(self.line.text())
        if self.library is None:
            return
        try:
            kept = self.library.keep(words, "" if self._audio else words, self._audio, tags)
        except SegueError as error:
            self.message.emit("warning", str(error))
            return
        self.line.setText(words)
        self.message.emit("info", f"“{kept.name}” is in the library.")
        self.kept.emit()
        self.show_group(LIBRARY)

    def _remove(self, prompt: LibraryPrompt, place: QPoint) -> None:
        if self.library is None:
            return
        try:
            self.library.remove(prompt.name)
        except SegueError as error:
            self.message.emit("warning", str(error))
        self.message.emit("info", f"“{prompt.name}” is no longer in the library.")
        self.show_group(LIBRARY)

    def _pick(self, words: str) -> None:
        self.line.setText(words)
        self._confirm()

    def _confirm(self) -> None:
        text, _ = parse_entry(self.line.text())
        self.close_editor()
        if text:
            self.confirmed.emit(self.n, text)

    def choose_sound(self, n: int) -> None:
        """Ask for a sound file for prompt n."""
        pattern = " ".join(f"*{suffix}" for suffix in SOUND_SUFFIXES)
        self.close_editor()
        path, _ = QFileDialog.getOpenFileName(
            self.parentWidget(), "Prompt with a sound", "", f"Sounds ({pattern})"
        )
        if path:
            self.sound_chosen.emit(n, path)

    def close_editor(self) -> None:
        if self.isHidden():
            return
        app = QApplication.instance()
        if app is not None:
            app.removeEventFilter(self)
        self.hide()
        self.closed.emit()

    # -- events --------------------------------------------------------------------------------
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.MouseButtonPress and isinstance(event, QMouseEvent):
            inside = self.rect().contains(self.mapFromGlobal(event.globalPosition().toPoint()))
            if not inside and isinstance(watched, QWidget):
                self.close_editor()
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close_editor()
        event.accept()  # shortcuts are disabled while text is edited

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        painter.setBrush(QColor(colours.PANEL))
        painter.setPen(QPen(QColor(colours.LINE), 1))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 12, 12)
