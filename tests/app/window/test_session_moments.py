"""Moments of a session file, while they are being read and afterwards."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QTimer

from app.parameters.catalogue import build_registry
from app.performance.moment import Moment
from app.session import moments_file as moments
from app.session import storage
from app.session.session import Session
from models.storage.serialisation import PackedState
from tests.support.rig import Rig


def gig(folder: Path, name: str, size: int = 1000) -> Path:
    """Session file with scenes on the first two pads, each with a moment of `size` bytes."""
    session = Session(build_registry())
    for pad in (1, 2):
        content = np.full(size, pad, np.uint8)
        packed = PackedState("tone", "w1", json.dumps({"array": 0}), (content,))
        session.prompts.set(1, text=f"{name} {pad}")
        session.scenes.save(pad, f"{name} {pad}", f"moment-{name}-{pad}")
        session.add_moment(f"moment-{name}-{pad}", Moment(0, None, pad, "tone", packed))
    path = folder / f"{name}.segue.json"
    assert storage.save(path, session.document(), session.moments) == ""
    return path


class Gate:
    """Reads of moments that block until the test releases them."""

    def __init__(self, read: Callable[..., Any]) -> None:
        self.open = threading.Event()
        self._read = read
        self.asked: list[str] = []

    def __call__(self, path: Path, *rest: Any) -> Any:
        self.asked.append(path.name)
        assert self.open.wait(20.0)
        return self._read(path, *rest)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    made = Gate(storage.load_moments)
    monkeypatch.setattr(storage, "load_moments", made)
    yield made
    made.open.set()


def went(rig: Rig) -> list[Moment]:
    return [call[1] for call in rig.worker.calls if call[0] == "go_to_moment"]


def said(rig: Rig) -> list[str]:
    sentences: list[str] = []
    rig.window.live.message.connect(lambda level, words: sentences.append(words))
    return sentences


def icon_strength(rig: Rig, n: int) -> float:
    """Brightness of the moment icon on a pad."""
    pad = rig.window.scenes.grid.pads[n - 1]
    image = pad.grab().toImage()
    ratio = image.devicePixelRatio()
    area = range(round((pad.width() - 26) * ratio), round((pad.width() - 5) * ratio))
    return sum(image.pixelColor(x, y).lightnessF() for x in area for y in range(3, 24))


def test_a_pad_pressed_too_early_brings_its_scene_at_once_and_its_place_when_it_is_read(
    rig: Rig, tmp_path: Path, gate: Gate
) -> None:
    words = said(rig)
    assert rig.window.files.open_path(gig(tmp_path, "one"))
    rig.registry.trigger("scene.2.recall")
    assert rig.session.prompts[0].text == "one 2", "the prompts wait for nothing"
    assert went(rig) == [] and "still being read" in words[-1]
    early = icon_strength(rig, 1)
    gate.open.set()
    rig.qtbot.waitUntil(lambda: bool(went(rig)))
    [place] = went(rig)
    assert place.skip == 2 and len(words) == 1
    assert icon_strength(rig, 1) > early + 5.0, "its pad shows that the place is there"
    rig.registry.trigger("scene.1.recall")
    assert went(rig)[-1].skip == 1


@pytest.mark.parametrize("elsewhere", ["pad", "clear", "panic", "click", "empty"])
def test_who_has_gone_elsewhere_meanwhile_is_not_pulled_back(
    rig: Rig, tmp_path: Path, gate: Gate, elsewhere: str
) -> None:
    rig.session.scenes.save(3, "plain")
    path = gig(tmp_path, "one")
    assert rig.window.files.open_path(path)
    rig.registry.trigger("scene.2.recall")
    {
        "pad": lambda: rig.registry.trigger("scene.1.recall"),
        "clear": lambda: rig.registry.trigger("transport.clear"),
        "panic": lambda: rig.registry.trigger("transport.panic"),
        "click": lambda: rig.window.spectrogram.seek_requested.emit(4800),
        "empty": lambda: rig.session.new(),
    }[elsewhere]()
    gate.open.set()
    rig.qtbot.waitUntil(lambda: rig.window.files._awaiting_moments is None)
    assert [place.skip for place in went(rig)] == ([1] if elsewhere == "pad" else [])


def test_another_session_opened_meanwhile_has_only_its_own(
    rig: Rig, tmp_path: Path, gate: Gate
) -> None:
    first, second = gig(tmp_path, "one"), gig(tmp_path, "two")
    files = rig.window.files
    assert files.open_path(first)
    rig.registry.trigger("scene.2.recall")
    assert files.open_path(second)
    gate.open.set()
    rig.qtbot.waitUntil(lambda: not rig.session.pending_moments)
    assert set(rig.session.moments) == {"moment-two-1", "moment-two-2"}
    assert went(rig) == [], "the pad was one of the session before"
    files.wait_for_saves()
    assert files.name == "two"


def test_a_damaged_file_is_said_when_it_is_found_out(rig: Rig, tmp_path: Path, gate: Gate) -> None:
    path = gig(tmp_path, "one")
    moments.path_for(path).write_bytes(b"\xff" * 3000)
    words = said(rig)
    assert rig.window.files.open_path(path)
    rig.registry.trigger("scene.1.recall")
    gate.open.set()
    rig.qtbot.waitUntil(lambda: not rig.session.pending_moments)
    assert "is damaged; put another copy" in rig.window.incidents.text()
    assert "without its place" in words[-1] and went(rig) == []
    assert rig.session.prompts[0].text == "one 1"


def test_saving_waits_for_what_is_being_read_and_loses_nothing(
    rig: Rig, tmp_path: Path, gate: Gate
) -> None:
    path, other = gig(tmp_path, "one"), tmp_path / "copy.segue.json"
    files = rig.window.files
    assert files.open_path(path)
    rig.registry.set("density", 0.3)
    files.save_in_background(other)
    rig.registry.set("density", 0.4)  # an edit while it is being saved
    files._tick_in_background()
    rig.qtbot.wait(50)
    assert not other.exists() and not files.autosave.path.exists()
    gate.open.set()
    assert files.wait_for_saves()
    assert files.name == "copy" and files.path == other
    document = storage.load(other, rig.registry)
    found, lost = storage.load_moments(other, document)
    assert lost == "" and set(found) == {"moment-one-1", "moment-one-2"}
    assert document.values["density"] == 0.4 and not rig.session.unsaved


def test_an_edit_while_the_file_is_written_is_not_taken_for_saved(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Gate(storage.save)
    monkeypatch.setattr(storage, "save", slow)
    path = tmp_path / "one.segue.json"
    rig.registry.set("density", 0.3)
    rig.window.files.save_in_background(path)
    rig.registry.set("density", 0.4)
    slow.open.set()
    assert rig.window.files.wait_for_saves()
    assert rig.session.unsaved and storage.load(path, rig.registry).values["density"] == 0.3


def test_a_place_kept_while_others_are_read_stays(rig: Rig, tmp_path: Path, gate: Gate) -> None:
    assert rig.window.files.open_path(gig(tmp_path, "one"))
    rig.session.scenes.save(5, "new", "moment-new")
    rig.session.add_moment("moment-new", Moment(0, None))
    gate.open.set()
    rig.qtbot.waitUntil(lambda: not rig.session.pending_moments)
    order = list(rig.session.moments)
    assert order == ["moment-one-1", "moment-one-2", "moment-new"], "the oldest first"


def test_a_crash_is_forgotten_only_when_its_places_are_safe_again(
    rig: Rig, tmp_path: Path, gate: Gate
) -> None:
    left = storage.Autosave(rig.window.files.autosave.folder, pid=2**22 + 9)
    path = gig(tmp_path, "one")
    document = storage.load(path, rig.registry)
    kept, _ = gate._read(path, document)
    left.write(document, None, kept)
    [item] = rig.window.files.recoverable()
    rig.window.files.recover(item)
    rig.qtbot.wait(50)
    assert left.path.exists()
    gate.open.set()
    rig.qtbot.waitUntil(lambda: not left.path.exists())
    own = moments.read(moments.path_for(rig.window.files.autosave.path), document.moments)
    assert set(own) == document.moments


def test_a_scene_on_its_way_does_not_come_into_another_session(rig: Rig, tmp_path: Path) -> None:
    path = gig(tmp_path, "one")
    rig.session.scenes.save(4, "old")
    rig.session.prompts.set(1, text="before")
    rig.registry.set("scene.mode", "morph")
    rig.registry.trigger("scene.4.recall")
    live = rig.window.live
    assert live.scenes.morph is not None
    assert rig.window.files.open_path(path)
    assert live.scenes.morph is None and live.scenes.active is None
    prompts = rig.session.prompts
    rig.qtbot.wait(120)
    assert rig.session.prompts == prompts and prompts[0].text == "one 2"


def test_the_window_does_not_wait_for_a_large_file(rig: Rig, tmp_path: Path) -> None:
    """A file of 120 MB is read without blocking the GUI thread."""
    path = gig(tmp_path, "large", 60_000_000)
    gaps, before = [], time.perf_counter()

    def beat() -> None:
        nonlocal before
        now = time.perf_counter()
        gaps.append(now - before)
        before = now

    timer = QTimer()
    timer.timeout.connect(beat)
    timer.start(1)
    assert rig.window.files.open_path(path)
    rig.qtbot.waitUntil(lambda: not rig.session.pending_moments, timeout=30_000)
    opened, began = len(gaps), time.perf_counter()
    assert rig.window.files.save_path(tmp_path / "copy.segue.json")
    took = time.perf_counter() - began
    timer.stop()
    assert len(rig.session.moments) == 2 and opened > 20
    # A gap of all of it would be most of the time that it took.
    assert max(gaps[opened:]) < max(0.15, took / 3), f"{max(gaps)} s in {took} s"


def test_nothing_of_a_saving_waits_for_the_disk_in_the_windows_thread(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing the list of recent files must not wait for a large save in the GUI thread."""
    threads: list[int] = []
    flush = storage.os.fsync

    def noted(number: int) -> None:
        threads.append(threading.get_ident())
        flush(number)

    monkeypatch.setattr(storage.os, "fsync", noted)
    path = tmp_path / "one.segue.json"
    assert rig.window.files.save_path(path)
    assert rig.window.files.open_path(path)
    rig.registry.set("density", 0.3)
    rig.window.files._tick_in_background()
    rig.qtbot.waitUntil(lambda: len(threads) >= 4)
    assert threading.get_ident() not in threads
    assert rig.window.files.recent.paths() == [path]
