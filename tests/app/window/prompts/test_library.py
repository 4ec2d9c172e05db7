"""Prompt library in the editor: searched, taken, kept, dragged to a strip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import QMimeData, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication

from app.session.prompts.library import PromptLibrary
from app.window.prompts.editor import PromptEditor
from app.window.prompts.library_styles import LibraryStyles
from app.window.prompts.strip import PromptStrip
from app.window.style import theme
from app.window.widgets.chip import Chip
from tests.support.fake_player import style_of
from tests.support.rig import LEFT, NONE, Rig


@pytest.fixture
def editor(rig: Rig, tmp_path: Path) -> PromptEditor:
    editor = rig.window.editor
    editor.use_library(
        PromptLibrary(theme.RESOURCES / "prompts.json", tmp_path / "own" / "prompts.json")
    )
    return editor


def open_library(rig: Rig, editor: PromptEditor, n: int = 1) -> None:
    rig.window.prompt_actions.edit(n)
    rig.qtbot.mouseClick(editor.library_tab, LEFT)


def chips(editor: PromptEditor) -> list[Chip]:
    page = editor.area.widget()
    return [] if page is None else page.findChildren(Chip)


def test_typing_searches_and_a_click_takes(rig: Rig, editor: PromptEditor) -> None:
    open_library(rig, editor)
    assert len(chips(editor)) > 100
    editor.line.clear()
    rig.qtbot.keyClicks(editor.line, "slow cello")
    found = chips(editor)
    assert 1 <= len(found) < 6 and all("cello" in chip.label for chip in found)
    rig.qtbot.mouseClick(found[0], LEFT)
    assert editor.isHidden() and rig.session.prompts[0].text == found[0].label


def test_what_is_kept_is_found_and_removed(rig: Rig, editor: PromptEditor) -> None:
    open_library(rig, editor)
    editor.line.clear()
    rig.qtbot.keyClicks(editor.line, "my own drone #dark")
    rig.qtbot.mouseClick(editor.keep_button, LEFT)
    assert chips(editor)[0].label == "my own drone" and "#dark" in chips(editor)[0].toolTip()
    assert "in the library" in rig.window.status.message
    chips(editor)[0].customContextMenuRequested.emit(chips(editor)[0].rect().center())
    assert all(chip.label != "my own drone" for chip in chips(editor))
    rig.qtbot.keyClick(editor.line, Qt.Key.Key_Return)
    assert rig.session.prompts[0].text == "my own drone"


def test_a_sound_is_kept_under_its_words(rig: Rig, editor: PromptEditor, tmp_path: Path) -> None:
    rig.session.prompts.set(1, text="old tape", audio=str(tmp_path / "tape.wav"))
    open_library(rig, editor)
    rig.qtbot.mouseClick(editor.keep_button, LEFT)
    editor.close_editor()
    open_library(rig, editor, 2)
    rig.qtbot.mouseClick(chips(editor)[0], LEFT)
    assert rig.session.prompts[1].audio == str(tmp_path / "tape.wav")


def drop(strip: PromptStrip, data: QMimeData) -> bool:
    middle, copy = strip.rect().center(), Qt.DropAction.CopyAction
    enter = QDragEnterEvent(middle, copy, data, LEFT, NONE)
    QApplication.sendEvent(strip, enter)
    if enter.isAccepted():
        QApplication.sendEvent(strip, QDropEvent(QPointF(middle), copy, data, LEFT, NONE))
    return enter.isAccepted()


def test_a_chip_is_dragged_to_a_strip(rig: Rig, editor: PromptEditor) -> None:
    open_library(rig, editor)
    chip = chips(editor)[4]
    assert drop(rig.window.mixer.strips[2], chip.mime_data())
    assert rig.session.prompts[2].text == chip.label
    for wrong in ("", "x" * 5000):
        data = QMimeData()
        data.setText(wrong)
        assert not drop(rig.window.mixer.strips[2], data)


def test_a_sound_whose_file_is_gone_plays_by_what_was_kept(
    rig: Rig, editor: PromptEditor, tmp_path: Path
) -> None:
    library = editor.library
    assert library is not None
    styles = LibraryStyles(library, rig.window.live, rig.window.say, rig.window)
    editor.kept.connect(styles.request)
    rig.worker.ready()
    file = tmp_path / "tape.wav"
    soundfile.write(file, np.sin(np.arange(48_000) * 0.05), 48_000)
    path = str(file)
    rig.session.prompts.set(1, text="old tape", audio=path)
    open_library(rig, editor)
    rig.qtbot.mouseClick(editor.keep_button, LEFT)
    editor.line.setText("never played")
    editor._audio = None
    rig.qtbot.mouseClick(editor.keep_button, LEFT)
    assert "text:never played" in rig.worker.wanted, "what is kept is embedded, played or not"
    assert all(len(prompt.styles) == 1 for prompt in library.search()[:2]), library.search()[:2]
    file.unlink()
    rig.worker.ready()  # another day
    prompt = rig.session.prompts[0]
    assert rig.window.live.styles.state(prompt)[0] == "ready"
    found = rig.window.live.styles.get(prompt.style_key)
    assert found is not None and np.array_equal(found, style_of(prompt.style_key))
    assert "What the library kept of it plays" in rig.window.status.message
    rig.worker.style_failed.emit("text:other", "no.")
    assert rig.window.live.styles.get("text:other") is None
