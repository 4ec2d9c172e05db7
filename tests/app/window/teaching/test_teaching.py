"""Teaching in the window: what it says, when it gives way, and its process."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import shiboken6
from pytestqt.qtbot import QtBot

from app.cli.learned.teach import Orders, Printer, progress_line
from app.window.teaching.dialog import TeachDialog, progress_words
from app.window.teaching.giving_way import GivingWay
from app.window.teaching.process import read_progress, teach_arguments
from models.teaching.plan import CoursePlan, CourseProgress, course_folder

LEARNING = CourseProgress("learning", 0.25, 432.0, 1.2345, 40)


@pytest.mark.parametrize(
    ("plans", "playing", "waiting"),
    [
        ([3.6, 3.5, 3.6], True, False),
        ([3.6, 1.5], True, True),
        ([3.6, 1.5, 2.4], True, True),  # not before it is nearly full again
        ([3.6, 1.5, 3.2], True, False),
        ([3.6, 0.5], False, False),  # nothing plays
        ([3.6] + 40 * [1.0], True, True),  # and not forgotten soon
        ([3.6] + 600 * [1.0], True, False),  # a plan that is short by choice
        ([0.0, 0.0], True, False),
    ],
)
def test_when_teaching_waits(plans: list[float], playing: bool, waiting: bool) -> None:
    way = GivingWay()
    for plan in plans:
        way = way.after(playing, plan)
    assert way.waiting is waiting


@pytest.mark.parametrize(
    ("underruns", "waiting"),
    [
        ([0, 0, 0], False),
        ([3, 3, 3], True),  # a dropout that was not counted before
        ([0, 1, 1], True),
        ([0, 1] + 100 * [1], False),  # long ago
        ([0, 1] + 60 * [1] + [2] + 60 * [2], True),
        ([5, 0, 0], True),  # the output was started again meanwhile
        ([0] * 5 + [2] + [0] + 120 * [0], False),
    ],
)
def test_a_dropout_lets_teaching_wait_whatever_the_plan(
    underruns: list[int], waiting: bool
) -> None:
    way = GivingWay()
    for count in underruns:
        way = way.after(True, 0.3, count)
    assert way.waiting is waiting


def test_progress_in_words_and_on_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert progress_words(LEARNING) == "Learning, 25 %, 7 min left, loss 1.234"
    assert progress_words(LEARNING, True).endswith("waits for the music")
    assert "Done" in progress_words(CourseProgress("done", 1.0, 0.0, 1.0, 3))
    assert progress_line(LEARNING) == "learning 25 %, 7:12 left, loss 1.234"
    assert read_progress(json.dumps(asdict(LEARNING)).encode()) == LEARNING
    for strange in (b"", b"warning: x", b"[1]", b'{"share": 1}'):
        assert read_progress(strange) is None
    show = Printer()
    for progress in (LEARNING, LEARNING, CourseProgress("learning", 0.3, note="a.wav is clipped")):
        show(progress)
    assert capsys.readouterr().out.splitlines() == [progress_line(LEARNING), "a.wav is clipped"]


def test_the_command_of_a_course() -> None:
    plan = CoursePlan("forest", ("/a b", "/c.wav"), 5.0, licence="mine", threads=3)
    assert teach_arguments(plan, "forest") == [
        "teach", "forest", "/a b", "/c.wav", "--minutes", "5", "--threads", "3", "--licence",
        "mine", "--json",
    ]  # fmt: skip
    assert teach_arguments(None, "forest") == ["teach", "forest", "--json"]


def test_orders_come_on_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("pause\nnonsense\n"))
    orders = Orders()
    orders._read()
    assert orders.waiting() and orders.stopped()  # the input's end means stop


def test_a_dialog_with_files_goes_quietly(qtbot: QtBot) -> None:
    dialog = TeachDialog()
    dialog.add_places(["a.wav"])
    with qtbot.captureExceptions() as raised:
        shiboken6.delete(dialog)
    assert raised == []


def test_the_dialog(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_SOUNDS", str(tmp_path / "sounds"))
    dialog = TeachDialog()
    qtbot.addWidget(dialog)
    started: list[tuple[CoursePlan | None, str]] = []
    used: list[str] = []
    dialog.started.connect(lambda plan, name: started.append((plan, name)))
    dialog.used.connect(used.append)
    dialog.name.setText("a/b")
    dialog.go.click()
    assert "no name" in dialog.words.text() or "choose" in dialog.words.text()
    dialog.name.clear()
    dialog.add_places([str(tmp_path / "My_Album!")] * 2)
    assert dialog.chosen_places() == (str(tmp_path / "My_Album!"),)
    assert dialog.name.text() == "my album"
    dialog.go.click()
    plan, name = started[-1]
    assert plan is not None and (plan.name, plan.minutes, name) == ("my album", 10.0, "my album")
    dialog.show_running(True)
    assert dialog.go.text() == "Stop" and not dialog.name.isEnabled()
    dialog.show_progress(LEARNING)
    dialog.show_progress(CourseProgress("listening", 0.0, note="a.wav is clipped"))
    assert dialog.bar.value() == 250 and "clipped" in dialog.notes.text()
    pieces = "2 pieces, each with a style of its own: caves; desert"
    dialog.show_progress(CourseProgress("rehearsing", 1.0, note=pieces))
    assert pieces in dialog.notes.text() and "style of its own" in dialog.places.toolTip()
    # The last step reports after the button was pressed.
    dialog.go.click()
    dialog.show_progress(LEARNING)
    dialog.show_ended("")
    assert dialog.words.text().startswith("Stopped") and dialog.go.text() == "Teach"
    dialog.show_ended("Teaching failed: try again.")
    assert dialog.words.text() == "Teaching failed: try again."
    dialog.show_running(True)
    folder = course_folder("my album")
    folder.mkdir(parents=True)
    (folder / "preview.wav").touch()
    own = str(tmp_path / "My_Album!")
    (folder / "plan.json").write_text(json.dumps({"places": [own]}))
    dialog.show_progress(CourseProgress("done", 1.0, 0.0, 1.0, 9))
    dialog.show_ended("")
    assert dialog.words.text().startswith("Done")
    assert dialog.preview.isEnabled() and not dialog.use.isHidden()
    dialog.use.click()
    assert used == ["sound:my album"]
    assert dialog.go.text() == "Go on"  # with the files that it learned from
    dialog.add_places(["other.wav"])
    assert dialog.go.text() == "Teach"
    dialog.empty_button.click()
    assert dialog.go.text() == "Go on"
    dialog.go.click()
    assert started[-1] == (None, "my album")
