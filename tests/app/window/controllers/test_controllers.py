"""The controllers' window with ports in memory: maps, ports, clock, OSC and monitor."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLabel, QWidget
from pytestqt.qtbot import QtBot
from pythonosc.udp_client import SimpleUDPClient

from app.control.midi.map_file import read
from app.control.midi.mapping import SHIFT
from app.window.controllers.controllers_window import PAGES, opening_size
from app.window.controllers.pages.maps_page import MapsPage
from app.window.controllers.pages.monitor_log import line_of
from tests.support.controllers_rig import KEYS, KEYS_PORT, MIX, MIX_PORT, ControllersRig

LEFT, NOTHING = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def rig(qtbot: QtBot, tmp_path: Path) -> Iterator[ControllersRig]:
    rig = ControllersRig(qtbot, tmp_path)
    yield rig
    rig.close()


def pick(combo: QComboBox, data: Any) -> None:
    """As a hand picks it."""
    index = combo.findData(data)
    assert index >= 0, f"{data} is not offered"
    combo.setCurrentIndex(index)
    combo.activated.emit(index)


def midimix(rig: ControllersRig) -> MapsPage:
    """The page with a MIDImix on its ready-made map."""
    rig.plug(MIX)
    page = rig.controllers("Maps").maps
    page.use_ready_made("MIDImix")
    return page


def test_every_page_opens(rig: ControllersRig) -> None:
    QTest.keyClick(rig.window, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
    assert rig.coordinator.controllers is not None and rig.coordinator.controllers.isVisible()
    for name in PAGES:
        rig.window.controllers_requested.emit(name)
        assert rig.coordinator.controllers.rail.currentItem().text() == name
        assert not rig.coordinator.controllers.grab().isNull()
    QTest.keyClick(rig.coordinator.controllers, Qt.Key.Key_Escape)
    assert not rig.coordinator.controllers.isVisible()


def test_the_drawing_shows_what_moves_and_where_the_hand_is(rig: ControllersRig) -> None:
    page = midimix(rig)
    view = page.view
    rig.qtbot.waitUntil(lambda: view.states.get("fader1") is not None, timeout=2000)
    assert view.states["fader1"].glow == 0 and view.states["fader1"].physical is None
    rig.registry.set("prompt.1.weight", 1.5)
    rig.backend.play(MIX, 0xB0, 19, 32)
    rig.qtbot.waitUntil(lambda: view.states["fader1"].glow > 0, timeout=2000)
    assert view.states["fader1"].physical == pytest.approx(32 / 127, abs=1e-3)
    assert view.states["fader1"].position == pytest.approx(0.75), "it waits to be picked up"
    assert view.states["fader2"].glow == 0
    rig.qtbot.waitUntil(lambda: view.states["fader1"].glow == 0, timeout=3000)
    rig.backend.play(MIX, 0x90, 1, 127)
    rig.qtbot.waitUntil(lambda: view.states["mute1"].on == 1.0, timeout=2000)
    assert "Prompt 1 mute" in view.tip("mute1") and "Note 1" in view.tip("mute1")


def test_a_click_on_the_drawing_picks_the_mappings_in_turn(rig: ControllersRig) -> None:
    page = midimix(rig)
    spot = page.view.box_of("arm1").center().toPoint()
    QTest.mouseClick(page.view, LEFT, NOTHING, spot)
    first = page.mapping
    QTest.mouseClick(page.view, LEFT, NOTHING, spot)
    second = page.mapping
    assert first is not None and second is not None
    assert {first.target, second.target} == {"scene.1.recall", "scene.1.save"}
    row = page.tree.currentItem()
    assert row is not None and row.data(0, Qt.ItemDataRole.UserRole) == (MIX_PORT, second)
    assert page.view.control_at(QPointF(1, 1)) is None


def test_a_mapping_is_edited_in_every_way(rig: ControllersRig) -> None:
    page = midimix(rig)
    page._picked_control("fader1")
    form = page.form
    pick(form.channel, None)
    form.low.setValue(20)
    form.high.setValue(60)
    form.invert.setChecked(True)
    pick(form.curve, "s")
    pick(form.takeover, "jump")
    pick(form.layer, "any")
    mapping, control = rig.mapping_of("prompt.1.weight", MIX_PORT)
    assert control.channel is None
    assert (mapping.low, mapping.high, mapping.invert) == (0.2, 0.6, True)
    assert (mapping.shape, mapping.takeover, mapping.layer) == ("s", "jump", "any")
    row = page.tree.currentItem()
    assert row is not None and row.text(2) == "both layers, 20–60 %, invert, S, jump"
    rig.backend.play(MIX, 0xB3, 19, 0)  # on another channel, and at once
    rig.qtbot.waitUntil(lambda: rig.registry.get("prompt.1.weight") == 1.2, timeout=2000)
    form.low.setValue(90)
    mapping, _ = rig.mapping_of("prompt.1.weight", MIX_PORT)
    assert mapping.low < mapping.high, "the other end gives way"


def test_a_button_sets_a_value(rig: ControllersRig) -> None:
    page = midimix(rig)
    page._picked_control("mute1")
    pick(page.target, "tempo")
    pick(page.form.action, "set")
    page.form.value.setText("128")
    page.form.value.editingFinished.emit()
    rig.backend.play(MIX, 0x90, 1, 127)
    rig.qtbot.waitUntil(lambda: rig.registry.get("tempo") == 128.0, timeout=2000)
    assert rig.registry.get("prompt.1.mute") is True, "its first target still moves"
    page.form.value.setText("soon")
    page.form.value.editingFinished.emit()
    assert page.form.value.text() == "128.0"
    assert "no number" in rig.controllers().sentence.text()


def test_targets_are_added_and_deleted(rig: ControllersRig) -> None:
    page = midimix(rig)
    before = len(rig.controller(MIX_PORT).mappings)
    page._picked_control("fader1")
    pick(page.target, "mixer.master")
    pick(page.target, SHIFT)
    assert len(rig.controller(MIX_PORT).mappings) == before + 2
    page.remove.click()
    assert len(rig.controller(MIX_PORT).mappings) == before + 1
    assert page.view.selected == "fader1" and page.mapping is None


def test_maps_are_saved_loaded_and_broken_ones_refused(rig: ControllersRig, tmp_path: Path) -> None:
    page = midimix(rig)
    assert page.files.save(MIX_PORT, tmp_path / "mine")
    path = tmp_path / "mine.json"
    assert read(path.read_text(), rig.registry) == rig.controller(MIX_PORT)
    page.use_ready_made("")
    assert not rig.controller(MIX_PORT).mappings_of("prompt.1.weight")
    assert page.files.load(MIX_PORT, path)
    assert rig.controller(MIX_PORT).mappings_of("prompt.1.weight")
    kept = rig.controller(MIX_PORT)
    path.write_text(path.read_text().replace('"kind": "knob"', '"kind": "knoob"', 1))
    assert not page.files.load(MIX_PORT, path)
    assert rig.controller(MIX_PORT) == kept
    sentence = rig.controllers().sentence.text()
    assert "mine.json" in sentence and "line" in sentence and "\n" not in sentence
    assert not page.files.save(MIX_PORT, tmp_path / "no such folder" / "x.json")


def test_a_device_that_was_unplugged_is_still_listed(rig: ControllersRig) -> None:
    page = midimix(rig)
    rig.plug()
    rig.qtbot.waitUntil(lambda: not page.view.live, timeout=2000)
    top = page.tree.topLevelItem(0)
    assert top is not None and top.text(0) == MIX_PORT and top.text(1) == "not connected"
    assert top.childCount() > 50


def test_learning_shows_in_the_list(rig: ControllersRig) -> None:
    rig.plug(KEYS)
    page = rig.controllers("Maps").maps
    page.learn_requested.emit()
    assert not rig.controllers_shown(), "it must not hide what is lit"
    rig.click("density")
    rig.turn(33)
    rig.until_mapped("density")
    assert page.mapping is not None and page.mapping.target == "density"
    assert page.view.selected == page.mapping.control
    rig.coordinator.stop_learning()
    assert rig.controllers_shown()
    page.remove.click()
    assert page.remove.text() == "Remove control"
    page.remove.click()
    assert [control.id for control in rig.controller().controls] == ["program"]


def test_ports_are_switched_off_and_on(rig: ControllersRig) -> None:
    rig.plug(KEYS, MIX)
    page = rig.controllers("Ports").ports
    page.boxes["in", KEYS_PORT].click()
    rig.qtbot.waitUntil(lambda: rig.hub.connected == {MIX_PORT}, timeout=5000)
    assert rig.hub.settings.ignored == (KEYS_PORT,)
    page.boxes["in", KEYS_PORT].click()
    rig.qtbot.waitUntil(lambda: len(rig.hub.connected) == 2, timeout=5000)
    rig.hub.use_ready_made(MIX_PORT, "MIDImix")
    rig.qtbot.waitUntil(lambda: MIX_PORT in rig.hub.connections.required_outputs, timeout=5000)
    page.refresh()
    page.boxes["out", MIX_PORT].click()
    assert MIX_PORT not in rig.hub.connections.required_outputs
    page.boxes["out", MIX_PORT].click()
    assert MIX_PORT in rig.hub.connections.required_outputs


def test_a_port_shows_when_it_is_heard_and_what_it_plays(rig: ControllersRig) -> None:
    rig.plug(KEYS, MIX)
    page = rig.controllers("Ports").ports
    assert "waits for an answer" in page.state_of(MIX_PORT)
    rig.hub.accept(MIX_PORT)
    assert page.state_of(MIX_PORT) == "Plays, with the map MIDImix: 68 mappings."
    rig.turn(20)
    rig.qtbot.waitUntil(lambda: page.indicators[KEYS_PORT].lit, timeout=2000)
    assert not page.indicators[MIX_PORT].lit
    rig.qtbot.waitUntil(lambda: not page.indicators[KEYS_PORT].lit, timeout=2000)
    rig.plug(MIX)
    rig.qtbot.waitUntil(lambda: not page.indicators[KEYS_PORT].live, timeout=2000)
    assert page.state_of(KEYS_PORT).startswith("Not connected")


def test_osc_shows_what_is_where_and_copies_addresses(rig: ControllersRig) -> None:
    window = rig.controllers("OSC")
    table = window.osc.table

    def cell(n: int, column: int) -> str:
        item = table.item(n, column)
        return "" if item is None else item.text()

    row = next(n for n in range(table.rowCount()) if cell(n, 0) == "/segue/tempo")
    window.osc.search.setText("/segue/tempo")
    rig.registry.set("tempo", 123.0)
    rig.qtbot.waitUntil(lambda: cell(row, 2) == "123.0 bpm", timeout=2000)
    table.cellDoubleClicked.emit(row, 0)
    assert QApplication.clipboard().text() == "/segue/tempo"
    assert "clipboard" in window.sentence.text()


def test_the_clock_is_followed_and_measured(rig: ControllersRig) -> None:
    rig.plug(KEYS)
    page = rig.controllers("Clock").clock
    page.modes["follow"].click()
    assert rig.hub.settings.clock == "follow" and "No clock" in page.tempo_text()[1]
    receive = rig.backend.receivers[KEYS]
    began = time.monotonic()
    receive((0xFA,), began)
    for n in range(121):
        receive((0xF8,), began + n * 60.0 / 132.0 / 24.0)
    rig.qtbot.waitUntil(lambda: page.tempo_text()[0] == "132.0 bpm", timeout=3000)
    words = page.tempo_text()[1]
    assert words.startswith(f"From {KEYS_PORT}, running, bar 2, beat 2.")
    assert "Comes in: clocks every" in words
    rig.qtbot.waitUntil(lambda: page.beats.beat == 1, timeout=2000)
    assert rig.registry.get("tempo") == pytest.approx(132.0, abs=0.3)
    assert rig.registry.get("transport.play") is True
    # Two clocks in each block of 2048 frames may be of several tempi, and the page says so.
    assert "give or take" not in words
    for n in range(170):
        receive((0xF8,), began + 60.0 + (n // 2) * 2048 / 48_000)
    rig.qtbot.waitUntil(lambda: page.tempo_text()[0] == "117.2 bpm", timeout=3000)
    assert "117.2 bpm, give or take " in page.tempo_text()[1]
    page.modes["off"].click()
    assert page.tempo_text()[0] == "117.2 bpm" and not page.port.isVisibleTo(page)
    rig.registry.set("tempo", None)
    assert page.tempo_text()[0] == "auto"


def test_the_clock_is_sent_on_the_beat_of_the_music(rig: ControllersRig) -> None:
    rig.plug(KEYS)
    page = rig.controllers("Clock").clock
    page.modes["send"].click()
    assert "Choose the port" in page.tempo_text()[1]
    pick(page.port, KEYS_PORT)
    aligned: list[tuple[float, float]] = []
    rig.hub.beat = lambda when, bpm: aligned.append((when, bpm))  # type: ignore[method-assign]
    rig.registry.set("transport.play", True)
    rig.worker.bar = 96_000
    rig.alignment._bpm = 121.0
    rig.output.read = 48_000.0
    now = time.monotonic()
    rig.alignment._align()
    assert aligned and aligned[0][1] == 121.0
    assert aligned[0][0] - now == pytest.approx(1.0, abs=0.1)
    rig.qtbot.waitUntil(lambda: any(data == b"\xf8" for _, data in rig.backend.sent), timeout=3000)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_osc_listens_where_it_is_told(rig: ControllersRig, tmp_path: Path) -> None:
    window = rig.controllers("OSC")
    page = window.osc
    assert page.state.text() == "Not listening."
    page.on.setChecked(True)
    page.port.setValue(free_port())
    assert page.apply() and "127.0.0.1" in page.state.text()
    window.open_page("Monitor")
    client = SimpleUDPClient("127.0.0.1", page.port.value())
    client.send_message("/segue/density", 0.25)
    rig.qtbot.waitUntil(lambda: rig.registry.get("density") == 0.25, timeout=3000)
    client._sock.close()
    rig.qtbot.waitUntil(lambda: bool(window.monitor.log.visible_entries()), timeout=2000)
    line = line_of(window.monitor.log.visible_entries()[0])
    assert line.text == "/segue/density 0.25" and not line.detail and not line.dropped
    page.poll()
    assert "1 applied" in page.state.text()
    page.host.setEditText("192.168.7.7")
    assert "192.168.7.7" in page.warning.text() and "no passwords" in page.warning.text()
    page.host.setEditText("here")
    assert not page.apply() and "no address" in window.sentence.text()
    assert rig.hub.settings.osc_host == "127.0.0.1"
    assert page.export(tmp_path / "osc.txt")
    assert "/segue/tempo" in (tmp_path / "osc.txt").read_text()
    page.search.setText("master")
    shown = [n for n in range(page.table.rowCount()) if not page.table.isRowHidden(n)]
    assert len(shown) == 1


def test_the_monitor_under_a_flood(rig: ControllersRig) -> None:
    """3000 messages a second for two seconds: lines are bounded, the loop is not kept waiting."""
    rig.plug(KEYS)
    page = rig.controllers("Monitor").monitor
    spent: list[float] = []
    took(page, "poll", spent)
    ended = time.monotonic() + 2.0
    sent = 0
    while time.monotonic() < ended:
        for _ in range(15):
            rig.backend.play(KEYS, 0xB0, 20 + sent % 8, sent % 128)
            sent += 1
        rig.qtbot.wait(5)
    rig.qtbot.waitUntil(lambda: not rig.hub.connections.inboxes[KEYS_PORT].take(), timeout=2000)
    assert 0 < len(page.log.lines) <= 2000
    # Twenty polls a second: the share of the GUI thread's time; a busy machine is slower.
    assert sorted(spent)[len(spent) // 2] < 0.010
    assert "a second" in page.count.text()
    page.pause.click()
    kept = len(page.log.lines)
    rig.backend.play(KEYS, 0xB0, 20, 1)
    rig.qtbot.wait(150)
    assert len(page.log.lines) == kept
    page._clear()
    assert not page.log.visible_entries()


def took(page: Any, name: str, spent: list[float]) -> None:
    """Measure a method of a page that its timer calls."""
    original: Callable[[], None] = getattr(page, name)

    def measured() -> None:
        began = time.perf_counter()
        original()
        spent.append(time.perf_counter() - began)

    page._timer.timeout.disconnect()
    page._timer.timeout.connect(measured)


@pytest.mark.parametrize(
    ("screen", "size"),
    [
        ((1920, 1080), (1220, 800)),
        ((1366, 768), (1220, 728)),
        ((1280, 720), (1220, 680)),
        ((1024, 600), (1100, 640)),  # no smaller, or nothing is read
    ],
)
def test_the_window_opens_within_the_screen(screen: tuple[int, int], size: tuple[int, int]) -> None:
    assert opening_size(*screen) == size


FOREIGN = re.compile(
    r"\b((?<!input )gate|soft takeover|pick up|catch|straight|exponential|turned round|flip"
    r"|one-shot|latching|API|driver|backend|endless|signed bit|waits to be met)\b",
    re.IGNORECASE,
)
"""Other words for what is called pickup, invert, linear, logarithmic, momentary, MIDI system."""


def test_one_vocabulary_on_every_page(rig: ControllersRig) -> None:
    midimix(rig)
    found = set()
    for name in PAGES:
        rig.controllers(name)
        window = rig.coordinator.controllers
        assert window is not None
        for widget in window.findChildren(QWidget):
            texts = [widget.toolTip(), widget.accessibleName(), widget.accessibleDescription()]
            if isinstance(widget, QLabel | QAbstractButton):
                texts.append(widget.text())
            if isinstance(widget, QComboBox):
                texts += [widget.itemText(index) for index in range(widget.count())]
            found |= {text for text in texts if text}
    assert len(found) > 100
    assert [text for text in found if FOREIGN.search(text)] == []
    for word in ("pickup", "scale", "jump", "linear", "toggle", "momentary", "trigger", "invert"):
        assert any(word in text for text in found), word
