"""Table of the parts' outputs in the settings."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.audio.settings import AudioDevice
from app.playback import PART_OUTPUTS, apply_audio, audio_settings
from app.session import preferences as prefs
from app.session.preferences import Preferences
from app.window.dialogs.outputs_form import OutputsForm
from app.window.dialogs.settings import SettingsDialog
from tests.support.fake_player import fake_player


def test_pairs_are_offered_as_far_as_the_device_reaches(qtbot: QtBot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    form = OutputsForm({"bass": 17}, parent)
    box = form.pairs["drums"]
    assert [box.itemText(index) for index in range(box.count())] == [
        "mix", "3-4", "5-6", "7-8", "9-10",
    ]  # fmt: skip
    assert form.pairs["bass"].currentText() == "17-18"  # of a device that is not there
    form.show_channels(14)
    assert box.itemText(box.count() - 1) == "13-14"
    box.setCurrentIndex(box.findData(5))
    assert form.chosen() == {"drums": 5, "bass": 17}


def test_the_settings_route_the_parts_and_keep_it(qtbot: QtBot, tmp_path: Path) -> None:
    devices = [AudioDevice("Desk", "ALSA", 12, 48_000, is_default=True)]
    dialog = SettingsDialog(Preferences(), devices)
    qtbot.addWidget(dialog)
    box = dialog.outputs.pairs["lead"]
    assert box.findData(11) >= 0
    box.setCurrentIndex(box.findData(11))
    chosen = dialog.chosen()
    assert chosen.part_outputs == {"lead": 11}
    prefs.save(tmp_path / "preferences.json", chosen)
    assert prefs.load(tmp_path / "preferences.json") == chosen
    playback, worker, output, *_ = fake_player()
    apply_audio(playback, chosen)
    assert worker.stem_users == {PART_OUTPUTS}
    assert output.applied == [audio_settings(chosen)]
    assert audio_settings(chosen).parts == (("lead", 11),)


def test_a_table_that_makes_no_sense_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "preferences.json"
    for table in ('{"lead": 1}', '{"flute": 3}', '{"lead": true}', "[3]"):
        path.write_text(f'{{"part_outputs": {table}, "buffer_frames": 512}}')
        assert prefs.load(path) == Preferences(buffer_frames=512)
