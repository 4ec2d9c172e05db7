"""Sessions, recovery after a crash, recent files, settings and the incident log."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QMenu, QMessageBox

from app.session import preferences, storage
from app.session.session import Session
from app.window.dialogs.incident_log import LogDialog
from app.window.dialogs.settings import SettingsDialog
from tests.support.rig import CTRL, LEFT, SHIFT, Rig


def crashed(folder: Path, words: str, original: Path | None = None) -> Path:
    """Autosave as a crashed program leaves it."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    session = Session()
    session.prompts.set(1, text=words)
    autosave = storage.Autosave(folder / "autosave", pid=gone.pid)
    autosave.write(session.document(), original)
    return autosave.path


def answer(rig: Rig, words: str) -> None:
    button = next(b for b in rig.window.banner.buttons if b.text() == words)
    rig.qtbot.mouseClick(button, LEFT)


def test_a_crash_is_asked_about_without_a_dialog_and_taken_up(rig: Rig, tmp_path: Path) -> None:
    left = crashed(tmp_path, "before the crash", tmp_path / "gig.segue.json")
    rig.window.files.offer_recovery()
    banner = rig.window.banner
    assert banner.isVisible() and "gig" in banner.text.text()
    assert QApplication.activeModalWidget() is None
    rig.key(Qt.Key.Key_Space)  # it plays while it asks
    assert rig.worker.calls == [("play",)]
    answer(rig, "Take it up")
    assert rig.session.prompts[0].text == "before the crash"
    assert rig.session.unsaved and rig.window.files.name == "gig"
    assert banner.isHidden()
    rig.qtbot.waitUntil(lambda: not left.exists())
    # By then this run's own autosave holds it.
    assert "before the crash" in rig.window.files.autosave.path.read_text()


def test_two_crashes_are_two_questions(rig: Rig, tmp_path: Path) -> None:
    first, second = crashed(tmp_path, "one"), crashed(tmp_path, "two")
    rig.window.files.offer_recovery()
    answer(rig, "Throw it away")
    assert first.exists() != second.exists(), "only what was asked about is thrown away"
    assert rig.window.banner.isVisible()
    answer(rig, "Not now")
    assert rig.window.banner.isHidden() and first.exists() != second.exists()
    assert rig.session.prompts[0].text == "Minimal Techno"


def test_a_damaged_autosave_is_put_aside_and_nothing_is_asked(rig: Rig, tmp_path: Path) -> None:
    left = crashed(tmp_path, "x")
    left.write_text("{ half a")
    rig.window.files.offer_recovery()
    assert rig.window.banner.isHidden() and not left.exists()
    assert list(left.parent.glob("*.damaged")), "kept, for whoever can read it"


def test_autosave_follows_the_edits_and_goes_at_a_clean_end(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = rig.window.files.autosave.path
    rig.window.files.tick()
    assert not path.exists(), "nothing has changed yet"
    rig.registry.set("density", 0.3)
    rig.window.files.tick()
    assert json.loads(path.read_text())["values"]["density"] == 0.3
    discard = QMessageBox.StandardButton.Discard
    monkeypatch.setattr("app.window.session_files.QMessageBox.question", lambda *a: discard)
    assert rig.window.close() and not path.exists()


@pytest.mark.parametrize("edited", [True, False])
def test_where_nobody_was_asked_unsaved_work_is_offered_again(rig: Rig, edited: bool) -> None:
    """When the computer shuts down (SIGTERM), the autosave stays."""
    path = rig.window.files.autosave.path
    if edited:
        rig.registry.set("density", 0.3)
    rig.window.shut()
    assert path.exists() is edited
    if edited:
        assert json.loads(path.read_text())["values"]["density"] == 0.3


def test_save_as_open_and_recent_files(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialogs = "app.window.session_files.QFileDialog"
    path = tmp_path / "evening"
    monkeypatch.setattr(f"{dialogs}.getSaveFileName", lambda *a, **k: (str(path), ""))
    rig.registry.set("density", 0.3)
    assert rig.window.top.session.label == "Untitled •"
    rig.key(Qt.Key.Key_S, CTRL | SHIFT)
    assert rig.window.files.wait_for_saves()
    saved = tmp_path / "evening.segue.json"
    assert saved.is_file() and rig.window.top.session.label == "evening"
    rig.registry.set("density", 0.7)
    rig.key(Qt.Key.Key_S, CTRL)
    assert rig.window.files.wait_for_saves()
    assert storage.load(saved, rig.registry).values["density"] == 0.7
    rig.key(Qt.Key.Key_N, CTRL)
    assert rig.registry.get("density") is None and rig.window.files.name == "Untitled"
    rig.qtbot.mouseClick(rig.window.top.session, LEFT)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    rig.pick(menu, "evening")
    assert rig.registry.get("density") == 0.7 and rig.window.files.name == "evening"
    monkeypatch.setattr(f"{dialogs}.getOpenFileName", lambda *a, **k: ("", ""))
    rig.key(Qt.Key.Key_O, CTRL)  # cancelled
    assert rig.window.files.name == "evening"


@pytest.mark.parametrize(
    ("button", "left", "saved"),
    [("Save", True, True), ("Discard", True, False), ("Cancel", False, False)],
)
def test_unsaved_work_is_asked_about(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, button: str, left: bool, saved: bool
) -> None:
    path = tmp_path / "x.segue.json"
    rig.window.files.save_path(path)
    rig.registry.set("density", 0.3)
    chosen = getattr(QMessageBox.StandardButton, button)
    monkeypatch.setattr("app.window.session_files.QMessageBox.question", lambda *a: chosen)
    assert rig.window.close() is left
    assert (rig.ended == ["stopped"]) is left
    found = storage.load(path, rig.registry).values["density"]
    assert (found == 0.3) is saved


def test_a_full_disk_while_autosaving_is_said_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.session.storage.os.fsync", full)
    for value in (0.1, 0.2, 0.3):
        rig.registry.set("density", value)
        rig.window.files.tick()
    assert rig.window.incidents.text().count("No space left") == 1
    monkeypatch.undo()
    rig.window.files.tick()
    assert rig.window.files.autosave.path.is_file()


# -- settings ----------------------------------------------------------------------------------
def test_settings_apply_while_playing_and_are_kept(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.key(Qt.Key.Key_Comma, CTRL)
    dialog = rig.window.findChild(SettingsDialog)
    assert dialog is not None and dialog.isVisible()
    dialog.rescan_requested.emit()
    rig.qtbot.waitUntil(lambda: dialog.device.findText("New (JACK)") > 0, timeout=5000)
    dialog.device.setCurrentIndex(dialog.device.findText("New (JACK)"))
    dialog.buffer.setCurrentIndex(dialog.buffer.findData(512))
    dialog.format.setCurrentIndex(dialog.format.findData("flac"))
    assert dialog.stems.isChecked()
    dialog.stems.setChecked(False)
    rig.window.jobs.wait()
    takes = str(rig.folder / "takes")
    monkeypatch.setattr(
        "app.window.dialogs.settings.QFileDialog.getExistingDirectory", lambda *a, **k: takes
    )
    dialog._choose_folder()
    dialog._apply()
    assert rig.output.applied[-1].device == "New (JACK)"
    assert rig.output.applied[-1].buffer_frames == 512
    kept = preferences.load(rig.folder / "preferences.json")
    assert (kept.device, kept.buffer_frames, kept.record_format) == ("New (JACK)", 512, "flac")
    assert kept.record_folder == takes
    rig.registry.set("record", True)
    assert rig.capture_thread.recording is not None
    assert rig.capture_thread.recording.path.parent == Path(takes)
    assert rig.capture_thread.take == ("flac", False)
    count = len(rig.output.applied)
    rig.window.apply_preferences(kept)
    assert len(rig.output.applied) == count, "the sound is not interrupted for nothing"


def test_a_device_that_is_not_there_stays_chosen(rig: Rig) -> None:
    gone = preferences.Preferences(device="Stage box (ALSA)")
    dialog = SettingsDialog(gone, rig.output.devices(), rig.window)
    assert "not connected" in dialog.device.currentText()
    assert dialog.chosen() == gone


# -- what went wrong ---------------------------------------------------------------------------
def test_the_incident_log_is_shown_and_exported(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.worker.trouble("warning", "the engine stalled; the plan plays on.")
    rig.worker.trouble("error", "the disk is full.")
    rig.worker.trouble("info", "nothing to worry about.")
    rig.qtbot.mouseClick(rig.window.top.log, LEFT)
    dialog = rig.window.findChild(LogDialog)
    assert dialog is not None
    shown = dialog.text.toPlainText()
    assert "stalled" in shown and "disk is full" in shown and "worry" not in shown
    path = tmp_path / "log.txt"
    monkeypatch.setattr(
        "app.window.dialogs.incident_log.QFileDialog.getSaveFileName",
        lambda *a, **k: (str(path), ""),
    )
    dialog._choose_path()
    text = path.read_text()
    assert text.startswith("Segue on ") and "Python" in text and "disk is full" in text
    dialog.export(tmp_path / "none" / "log.txt")
    assert "could not be written" in rig.window.status.message
    dialog.close()


def test_a_grave_sentence_is_not_pushed_away_by_a_small_one(rig: Rig) -> None:
    rig.window.say("error", "the sound device is gone.")
    rig.window.say("info", "saved as x.")
    assert rig.window.status.message == "The sound device is gone."
    rig.qtbot.mouseClick(rig.window.status, LEFT)
    assert rig.window.status.message == "Saved as x."
    rig.qtbot.mouseClick(rig.window.status, LEFT)
    assert rig.window.status.message == ""
