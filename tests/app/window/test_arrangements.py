"""MIDI files in the window: dropped on a strip or the window, asked about, ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from models.engine.controls import Controls
from models.music.score import PARTS
from tests.support.fake_player import INFO
from tests.support.midi_files import write_tune
from tests.support.rig import LEFT, Rig


@pytest.fixture
def rig(qtbot: QtBot, tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(qtbot, tmp_path / "home")
    rig.worker.ready(controls=INFO.controls | {"sketches"}, parts=PARTS)
    yield rig
    rig.window.shut(confirmed=True)


@pytest.fixture
def tune(tmp_path: Path) -> Path:
    return write_tune(tmp_path / "tune.mid")


def wait(rig: Rig) -> None:
    rig.window.files_in.arrangements.jobs.wait()
    rig.qtbot.wait(1)


def submitted(rig: Rig) -> Controls:
    rig.window.live.flush()
    return rig.worker.submitted[-1][0]


def answer(rig: Rig, words: str) -> None:
    banner = rig.window.banner
    next(b for b in banner.buttons if b.text() == words).click()


def test_on_a_strip_it_is_the_part_s_score(rig: Rig, tune: Path) -> None:
    strip = rig.window.widgets.parts.strips["lead"]
    tempo, key = rig.registry.get("tempo"), rig.registry.get("key")
    assert rig.drop(strip, tune)
    wait(rig)
    (sketch,) = submitted(rig).sketches
    assert (sketch.part, len(sketch.notes), sketch.loop) == ("lead", 32, True)
    assert (rig.registry.get("tempo"), rig.registry.get("key")) == (tempo, key)
    assert strip.title.given == "tune" and "tune" in strip.title.toolTip()
    assert rig.drop(rig.window.widgets.parts.strips["bass"], tune)
    wait(rig)
    assert {s.part for s in submitted(rig).sketches} == {"lead", "bass"}
    rig.qtbot.mouseClick(strip.title, LEFT)
    assert {s.part for s in submitted(rig).sketches} == {"bass"} and not strip.title.given


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("Play it", {"drums", "bass", "chords", "lead"}),
        ("Its harmony", {"harmony"}),
        ("Go on from it", {"example"}),
    ],
)
def test_on_the_window_it_is_asked(rig: Rig, tune: Path, words: str, parts: set[str]) -> None:
    assert rig.drop(rig.window.centre, tune)
    wait(rig)
    text = rig.window.banner.text.text()
    assert "8 bars" in text and "100 bpm" in text and "C major" in text and "drums, bass" in text
    answer(rig, words)
    assert {s.part for s in submitted(rig).sketches} == parts
    assert (rig.registry.get("tempo"), rig.registry.get("key")) == (100.0, "C major")
    entries = dict(rig.window.files_in.menu_entries())
    entries["End the MIDI file"]()
    assert not submitted(rig).sketches


def test_what_cannot_be_played_is_said(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "x.mid").write_bytes(b"hello")
    assert rig.drop(rig.window.centre, tmp_path / "x.mid")
    wait(rig)
    assert "no MIDI file" in rig.window.incidents.entries()[-1].sentence
    drums = write_tune(tmp_path / "d.mid", only="Drums")
    assert rig.drop(rig.window.widgets.parts.strips["lead"], drums)
    wait(rig)
    assert "drums only" in rig.window.incidents.entries()[-1].sentence
    assert not submitted(rig).sketches
    rig.registry.set("stage", True)
    assert not rig.drop(rig.window.centre, drums)


def test_an_engine_without_parts_says_so(rig: Rig, tune: Path) -> None:
    rig.worker.ready(controls=INFO.controls - {"sketches"})
    assert rig.drop(rig.window.centre, tune)
    assert "no MIDI files" in rig.window.incidents.entries()[-1].sentence
    assert not rig.window.files_in.arrangements.menu_entries()
