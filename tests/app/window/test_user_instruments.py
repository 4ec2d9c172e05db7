"""Instruments of the performer's own in the window: dropped, listed, remembered, missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.session.user_instruments import UserInstrumentList
from app.window.parts.instruments import OwnRow
from models.engine.controls import Controls
from models.music.score import PARTS
from models.segue.studio.user.library import read_here, user_instruments
from models.segue.studio.user.naming import name_of
from tests.support.rig import Rig
from tests.support.sample_files import RATE, hit, note, write_soundfont


@pytest.fixture
def rig(qtbot: QtBot, tmp_path: Path) -> Iterator[Rig]:
    user_instruments.cache_clear()
    rig = Rig(qtbot, tmp_path / "home")
    user_instruments().read = read_here  # a process takes seconds
    rig.worker.ready(parts=PARTS, user_instruments=True)
    yield rig
    rig.window.shut(confirmed=True)


def sample(tmp_path: Path, name: str = "cello C3.wav") -> Path:
    soundfile.write(tmp_path / name, note(48, 0.6), RATE)
    return tmp_path / name


def dropped(rig: Rig, part: str, path: Path) -> str | None:
    """What the part plays after a file was dropped on its strip."""
    assert rig.drop(rig.window.widgets.parts.strips[part], path)
    wait(rig)
    value = rig.registry.get(f"part.{part}.instrument")
    return value if isinstance(value, str) else None


def wait(rig: Rig) -> None:
    rig.window.files_in.instruments.jobs.wait()
    rig.qtbot.wait(1)


def last_sentence(rig: Rig) -> str:
    return rig.window.incidents.entries()[-1].sentence


def submitted(rig: Rig) -> Controls:
    rig.window.live.flush()
    return rig.worker.submitted[-1][0]


def test_a_dropped_sample_plays_and_is_listed(rig: Rig, tmp_path: Path) -> None:
    path = sample(tmp_path)
    name = dropped(rig, "lead", path)
    assert name == name_of(path) and submitted(rig).part_map.of("lead").instrument == name
    assert user_instruments().instrument(name) is not None
    button = rig.window.widgets.parts.strips["lead"].instrument
    assert button.text == "cello C3"
    button.open_menu()
    assert button.open_list is not None
    rows = button.open_list.findChildren(OwnRow)
    assert len(rows) == 1
    rig.qtbot.mouseClick(rows[0].button, Qt.MouseButton.LeftButton)
    rig.qtbot.wait(1)
    assert not button.open_list.findChildren(OwnRow) or not rows[0].isVisible()
    assert rig.registry.get("part.lead.instrument") is None and path.is_file()
    button.open_list.close()


def test_a_soundfont_lists_its_presets_and_drums_take_kits(rig: Rig, tmp_path: Path) -> None:
    path = write_soundfont(tmp_path / "f.sf2")
    assert str(dropped(rig, "chords", path)).endswith("#0.5")
    assert str(dropped(rig, "drums", path)).endswith("#128.0")
    control = rig.window.files_in.instruments
    assert [label for _, label in control.entries("drums")] == ["Kit"]
    assert [label for _, label in control.entries("lead")] == ["Tone"]
    soundfile.write(tmp_path / "kick.wav", hit(55, 0.1, 0.0), RATE)
    assert str(dropped(rig, "drums", tmp_path / "kick.wav")).endswith("kick.wav")


def test_broken_files_say_so_and_change_nothing(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_text("no sound")
    assert dropped(rig, "lead", tmp_path / "x.wav") is None
    assert "cannot be read as audio" in last_sentence(rig)
    (tmp_path / "x.txt").write_text("hello")
    assert not rig.drop(rig.window.widgets.parts.strips["lead"], tmp_path / "x.txt")
    rig.registry.set("stage", True)
    assert not rig.drop(rig.window.widgets.parts.strips["lead"], sample(tmp_path))


def test_a_session_remembers_it_and_says_what_is_missing(rig: Rig, tmp_path: Path) -> None:
    path = sample(tmp_path)
    name = dropped(rig, "lead", path)
    assert name is not None
    rig.window.files.save_path(tmp_path / "s.segue")
    rig.window.files.wait_for_saves()
    user_instruments().unload(name)
    rig.registry.set("part.lead.instrument", None)
    rig.window.files.open_path(tmp_path / "s.segue")
    wait(rig)
    assert user_instruments().instrument(name) is not None
    assert ("replan",) in rig.worker.calls
    user_instruments().unload(name)
    path.unlink()
    rig.registry.set("part.lead.instrument", None)
    rig.window.files.open_path(tmp_path / "s.segue")
    wait(rig)
    button = rig.window.widgets.parts.strips["lead"].instrument
    assert rig.registry.get("part.lead.instrument") == name  # kept, should the file come back
    assert "there is no file" in last_sentence(rig)
    assert button.text == "cello C3 (not there)" and "there is no file" in button.toolTip()


def test_an_engine_elsewhere_says_that_it_cannot(rig: Rig, tmp_path: Path) -> None:
    rig.worker.ready(parts=PARTS, remote=True)
    assert rig.drop(rig.window.widgets.parts.strips["lead"], sample(tmp_path))
    assert rig.registry.get("part.lead.instrument") is None
    assert "engine elsewhere" in last_sentence(rig)


def test_a_closed_window_leaves_the_library_as_it_was(rig: Rig, tmp_path: Path) -> None:
    rig.window.shut(confirmed=True)
    name = name_of(sample(tmp_path))
    user_instruments().load(name, drums=False)
    assert user_instruments().instrument(name) is not None


def test_the_list_outlasts_a_session(tmp_path: Path) -> None:
    file = tmp_path / "home" / "instruments.json"
    first = UserInstrumentList(file)
    name = f"user:{'0' * 16}:/a/b.sf2#0.1"
    other = f"user:{'0' * 16}:/a/b.sf2#0.2"
    first.add([(name, "B"), (other, "A")], drums=False)
    first.add([(name, "B")], drums=True)
    again = UserInstrumentList(file)
    assert [entry.label for entry in again.of(drums=False)] == ["A", "B"]
    again.remove(other, drums=False)
    assert not again.of(drums=False) and again.of(drums=True)
    for damaged in ("", "[3]", '[{"name": 1}]', "{}"):
        file.write_text(damaged)
        assert not UserInstrumentList(file).entries
