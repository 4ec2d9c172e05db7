"""Prompt strips: order, number, colour, text, sounds dropped on a strip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication

from app.window.prompts.strip_menu import Palette
from app.window.widgets.chip import Chip
from tests.support.rig import CTRL, LEFT, Rig

FIRST = ["Minimal Techno", "Rhodes Piano", "Bongos", "Flute"]


def words(rig: Rig) -> list[str]:
    return [prompt.text for prompt in rig.session.prompts]


def write_sound(path: Path) -> Path:
    t = np.arange(48_000) / 48_000
    wave = 0.5 * np.sin(2 * np.pi * 330 * t) * np.linspace(0.0, 1.0, t.size)
    soundfile.write(path, np.stack([wave, wave], axis=1).astype(np.float32), 48_000)
    return path


def test_a_strip_is_dragged_to_another_place(rig: Rig) -> None:
    rig.registry.set("prompt.1.weight", 1.7)
    first, third = rig.window.mixer.strips[0], rig.window.mixer.strips[2]
    start = QPoint(first.width() // 2, 10)
    rig.drag(first, start, third.geometry().center() - first.pos())
    assert words(rig) == ["Rhodes Piano", "Bongos", "Minimal Techno", "Flute"]
    assert rig.registry.get("prompt.3.weight") == 1.7
    rig.registry.trigger("edit.undo")
    assert words(rig) == FIRST and rig.registry.get("prompt.1.weight") == 1.7


def test_a_small_slip_on_the_head_of_a_strip_moves_nothing(rig: Rig) -> None:
    strip = rig.window.mixer.strips[0]
    rig.drag(strip, QPoint(40, 10), QPoint(44, 12))
    assert words(rig) == FIRST and not rig.session.can_undo


def test_strips_move_and_go_by_keyboard(rig: Rig) -> None:
    strips = rig.window.mixer.strips
    rig.qtbot.keyClick(strips[0], Qt.Key.Key_Right, CTRL)
    assert words(rig)[:2] == ["Rhodes Piano", "Minimal Techno"]
    rig.qtbot.keyClick(strips[0], Qt.Key.Key_Left, CTRL)  # there is nothing further left
    assert words(rig)[:2] == ["Rhodes Piano", "Minimal Techno"]
    rig.qtbot.keyClick(strips[1], Qt.Key.Key_Delete)
    assert words(rig) == ["Rhodes Piano", "Bongos", "Flute"]
    assert strips[3].isHidden()


def test_the_last_prompt_stays_and_it_is_said(rig: Rig) -> None:
    for _ in range(6):
        rig.qtbot.keyClick(rig.window.mixer.strips[0], Qt.Key.Key_Delete)
    assert words(rig) == ["Flute"]
    assert "must stay" in rig.window.status.message


def test_sixteen_strips_and_no_more(rig: Rig) -> None:
    mixer = rig.window.mixer
    while mixer.add_button.isVisible():
        rig.qtbot.mouseClick(mixer.add_button, LEFT)
        assert rig.window.editor.n == len(words(rig)), "the new strip's words are asked for"
        rig.window.editor.line.setText(f"sound {len(words(rig))}")
        rig.qtbot.keyClick(rig.window.editor.line, Qt.Key.Key_Return)
    assert len(words(rig)) == 16 and words(rig)[-1] == "sound 16"
    rig.key(Qt.Key.Key_Return, CTRL)
    assert len(words(rig)) == 16 and "most" in rig.window.status.message
    boxes = [strip.geometry() for strip in mixer.strips]
    assert all(mixer.rect().contains(box) for box in boxes)
    assert not any(a.intersects(b) for n, a in enumerate(boxes) for b in boxes[n + 1 :])
    assert len({prompt.colour for prompt in rig.session.prompts}) == 16


def test_the_menu_of_a_strip(rig: Rig) -> None:
    strip = rig.window.mixer.strips[1]
    menu = rig.context_menu(strip)
    assert menu is not None
    palette = menu.findChild(Palette)
    assert palette is not None and palette.chosen == 1
    rig.qtbot.mouseClick(palette, LEFT, pos=palette.box(9).center().toPoint())
    assert rig.session.prompts[1].colour == 9
    again = rig.context_menu(strip)
    assert again is not None
    rig.pick(again, "Move to the right")
    assert words(rig)[2] == "Rhodes Piano"
    last = rig.context_menu(strip)
    assert last is not None
    rig.pick(last, "Remove")
    assert words(rig) == ["Minimal Techno", "Rhodes Piano", "Flute"]


def test_a_click_on_the_words_edits_and_escape_leaves_them(rig: Rig) -> None:
    strip, editor = rig.window.mixer.strips[2], rig.window.editor
    rig.qtbot.mouseClick(strip, LEFT, pos=strip._words_box().center().toPoint())
    assert editor.isVisible() and editor.line.text() == "Bongos"
    rig.qtbot.keyClicks(editor.line, " hm c")  # keys of the instrument do not act meanwhile
    assert not rig.worker.calls
    rig.qtbot.keyClick(editor.line, Qt.Key.Key_Escape)
    assert editor.isHidden() and words(rig) == FIRST


def test_suggestions_are_chips_in_three_groups(rig: Rig) -> None:
    rig.window.prompt_actions.edit(1)
    editor = rig.window.editor
    assert [tab.label for tab in editor.tabs] == ["Instruments", "Genres", "Moods"]
    rig.qtbot.mouseClick(editor.tabs[1], LEFT)
    chips = editor.area.findChildren(Chip)
    assert len(chips) > 10
    rig.qtbot.mouseClick(chips[3], LEFT)
    assert words(rig)[0] == chips[3].label and editor.isHidden()


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_a_sound_dropped_on_a_strip_prompts_with_it(rig: Rig, tmp_path: Path, suffix: str) -> None:
    path = write_sound(tmp_path / f"old tape.{suffix}")
    strip = rig.window.mixer.strips[1]
    assert rig.drop(strip, path)
    prompt = rig.session.prompts[1]
    assert (prompt.text, prompt.audio) == ("old tape", str(path))
    assert strip.state == "ready" and rig.worker.wanted[-1] == prompt.style_key
    rig.qtbot.waitUntil(lambda: len(strip.peaks) > 50, timeout=5000)
    # The little waveform grows as the sound does.
    assert max(strip.peaks) == 1.0 and strip.peaks[-20] > 3 * strip.peaks[20]
    rig.registry.trigger("edit.undo")
    assert rig.session.prompts[1].audio is None


@pytest.mark.parametrize("content", [b"", b"RIFF\x00\x00", b"no sound at all" * 100])
def test_an_unreadable_sound_says_so_and_can_be_taken_back(
    rig: Rig, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(content)
    strip = rig.window.mixer.strips[0]
    assert rig.drop(strip, path)
    rig.qtbot.waitUntil(lambda: strip.state == "failed", timeout=5000)
    assert "broken.wav" in strip.toolTip() and "broken.wav" in rig.window.incidents.text()
    # The others play on.
    rig.window.live.flush()
    assert rig.worker.submitted[-1][0].style is not None
    rig.window.jobs.wait()
    rig.registry.trigger("edit.undo")
    assert strip.state == "ready"


def test_what_is_no_sound_is_not_taken(rig: Rig, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("hello")
    assert not rig.drop(rig.window.mixer.strips[0], note)
    assert words(rig) == FIRST


def test_a_strip_waits_for_its_style_and_marks_when_it_comes(rig: Rig) -> None:
    rig.registry.set("transport.play", True)
    rig.worker.answer_styles = False
    rig.session.prompts.set(1, text="waterphone")
    strip = rig.window.mixer.strips[0]
    assert strip.state == "waiting"
    rig.window.live.flush()
    assert rig.worker.submitted[-1][2] == "", "nothing has changed yet"
    rig.worker.answer_styles = True
    rig.worker.embed_text("text:waterphone", "waterphone")
    rig.window.live.flush()
    assert strip.state == "ready" and rig.worker.submitted[-1][2] == "waterphone"


def test_mute_and_solo(rig: Rig) -> None:
    strips = rig.window.mixer.strips
    rig.qtbot.mouseClick(strips[0].mute, LEFT)
    assert rig.session.prompts.shares()[0] == 0.0 and rig.session.prompts.shares()[1] > 0.5
    rig.qtbot.mouseClick(strips[2].solo, LEFT)
    assert rig.session.prompts.shares() == [0.0, 0.0, 1.0, 0.0]
    rig.window.live.flush()
    assert strips[2].share == 1.0 and strips[1].share == 0.0
    QApplication.processEvents()
