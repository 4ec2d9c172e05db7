"""The choice of the engine in the settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.session.preferences import Preferences, load, save
from app.window.dialogs.settings import SettingsDialog
from models.remote.client.known import KnownServer, known_servers, remember


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("models.remote.client.known.data_folder", lambda: tmp_path)
    return tmp_path


def dialog(qtbot: QtBot, engine: str = "") -> SettingsDialog:
    made = SettingsDialog(Preferences(engine=engine), [])
    qtbot.addWidget(made)
    return made


def test_it_lists_what_is_here_and_what_is_known_elsewhere(qtbot: QtBot) -> None:
    remember(KnownServer("remote://studio:7177/magenta-rt2-base", "studio:7177", token="x" * 16))
    settings = dialog(qtbot)
    box = settings.engine.box
    names = [box.itemText(index) for index in range(box.count())]
    assert names[0] == "segue" == box.currentText()
    assert names[-1] == "remote://studio:7177/magenta-rt2-base"


@pytest.mark.parametrize(
    ("text", "chosen", "says"),
    [
        ("segue-diffusion", "segue-diffusion", "from the next start"),
        ("segue", "", ""),
        (" remote://studio/segue ", "remote://studio:7177/segue", "from the next start"),
        ("remote://studio", "", "no address of an engine"),
        ("lyria", "", "there is no engine 'lyria'"),
    ],
)
def test_what_is_chosen(qtbot: QtBot, text: str, chosen: str, says: str) -> None:
    settings = dialog(qtbot)
    settings.engine.box.setCurrentText(text)
    assert settings.chosen().engine == chosen
    assert says in settings.engine.note.text()
    assert settings.engine.note.isHidden() is not bool(says)


def test_what_takes_over_is_an_engine_of_this_machine(qtbot: QtBot, folder: Path) -> None:
    settings = dialog(qtbot)
    box = settings.engine.takeover
    names = [box.itemData(index) for index in range(box.count())]
    assert names[:2] == ["", "segue"]
    assert "lyria-realtime" not in names
    assert settings.chosen().takeover == ""
    box.setCurrentIndex(1)
    save(folder / "preferences.json", settings.chosen())
    assert load(folder / "preferences.json").takeover == "segue"


def test_a_token_does_not_go_into_the_preferences(qtbot: QtBot, folder: Path) -> None:
    settings = dialog(qtbot, "segue-diffusion")
    settings.engine.box.setCurrentText("remote://secretsecretsecret@studio/segue")
    chosen = settings.chosen()
    save(folder / "preferences.json", chosen)
    assert load(folder / "preferences.json").engine == "remote://studio:7177/segue"
    assert "secret" not in (folder / "preferences.json").read_text()
    (known,) = known_servers()
    assert known.token == "secretsecretsecret"
