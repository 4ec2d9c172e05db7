"""Stage mode, keyboard shortcuts, and undo of every kind of edit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QApplication

from app.window.dialogs.keyboard_sheet import sheet_rows
from app.window.shortcuts import SHORTCUTS
from app.window.stage import stage_mode as stage_module
from app.window.stage.stage_mode import SETTLE_MS
from app.window.style import theme
from tests.support.rig import CTRL, LEFT, SHIFT, Rig


class FakeAwake:
    def __init__(self) -> None:
        self.told: list[str] = []

    def begin(self) -> bool:
        self.told.append("begin")
        return True

    def end(self) -> None:
        self.told.append("end")


def test_stage_mode_is_full_larger_locked_and_awake(rig: Rig, tmp_path: Path) -> None:
    window = rig.window
    awake = window.stage._awake = FakeAwake()  # type: ignore[assignment]
    window.resize(1440, 900)
    heights = (window.mixer.height(), window.transport.height())
    window.prompt_actions.edit(1)
    rig.registry.set("stage", True)
    window.resize(1440, 900)  # the offscreen screen is another size
    assert window.isFullScreen() and window.top.isHidden() and window.editor.isHidden()
    rig.window.jobs.wait()
    assert awake.told == ["begin"]
    assert theme.scaled(1.0) > 1.1
    rig.qtbot.waitUntil(lambda: window.mixer.height() > heights[0], timeout=2000)
    assert window.transport.height() > heights[1]
    # What must not be touched by accident.
    strip = window.mixer.strips[0]
    rig.drag(strip, QPoint(40, 10), QPoint(40, 10) + window.mixer.strips[2].pos())
    rig.qtbot.mouseClick(strip, LEFT, pos=strip._words_box().center().toPoint())
    rig.qtbot.keyClick(strip, Qt.Key.Key_Delete)
    rig.qtbot.keyClick(strip, Qt.Key.Key_Right, CTRL)
    assert rig.context_menu(strip) is None
    sound = tmp_path / "x.wav"
    sound.write_bytes(b"x")
    assert not rig.drop(strip, sound)
    pad = window.scenes.grid.pads[0]
    rig.qtbot.mouseClick(pad, LEFT, SHIFT)
    assert rig.context_menu(pad) is None
    for key in (Qt.Key.Key_N, Qt.Key.Key_O, Qt.Key.Key_1, Qt.Key.Key_Return):
        rig.key(key, CTRL)
    assert "ocked" in window.status.message
    assert window.editor.isHidden() and rig.session.scenes[0] is None
    assert not rig.session.can_undo and window.spectrogram.locked
    # What is played stays in reach.
    rig.key(Qt.Key.Key_Space)
    assert rig.worker.calls == [("play",)]
    strip.knob.setFocus()
    rig.qtbot.keyClick(strip.knob, Qt.Key.Key_Up)
    assert rig.registry.number("prompt.1.weight") > 1.0
    rig.key(Qt.Key.Key_F11)
    assert not window.isFullScreen() and window.top.isVisible()
    rig.window.jobs.wait()
    assert awake.told == ["begin", "end"] and not window.spectrogram.locked
    assert rig.drop(strip, sound)
    window.jobs.wait()


def test_the_computer_is_let_sleep_again_when_the_window_closes_on_stage(rig: Rig) -> None:
    awake = rig.window.stage._awake = FakeAwake()  # type: ignore[assignment]
    rig.registry.set("stage", True)
    rig.window.shut()
    assert awake.told == ["begin", "end"]


BUS = """
import sys, time
from PySide6.QtCore import QCoreApplication, QObject, QTimer, Slot, ClassInfo
from PySide6.QtDBus import QDBusConnection
from app.window.stage.keep_awake import SERVICE, KeepAwake

@ClassInfo({"D-Bus Interface": SERVICE})
class Saver(QObject):
    @Slot(str, str, result="uint")
    def Inhibit(self, program, why):
        time.sleep(float(sys.argv[2]))
        print("inhibit", program, flush=True)
        names = len(bus.interface().registeredServiceNames().value())
        watch.timeout.connect(lambda: self.look(names))
        watch.start(20)
        return 77

    def look(self, names):
        if len(bus.interface().registeredServiceNames().value()) < names:
            print("released", flush=True)
            watch.stop()

app = QCoreApplication([])
if sys.argv[1] == "service":
    bus = QDBusConnection.sessionBus()
    saver, watch = Saver(), QTimer()
    flag = QDBusConnection.RegisterOption.ExportAllSlots
    assert bus.registerObject("/org/freedesktop/ScreenSaver", saver, flag)
    assert bus.registerService(SERVICE)
    print("there", flush=True)
    app.exec()
elif sys.argv[1] == "beside":
    from app.window.jobs import Jobs

    jobs, answers = Jobs(), []
    jobs.start(KeepAwake().begin, answers.append, answers.append)
    longest, before = 0.0, time.perf_counter()
    while not answers:
        app.processEvents()
        time.sleep(0.001)
        now = time.perf_counter()
        longest, before = max(longest, now - before), now
    print("stood still" if longest > 0.5 else "went on", flush=True)
else:
    awake = KeepAwake()
    print("began", awake.begin(), flush=True)
    awake.end()
    time.sleep(0.5)
    print("still here", flush=True)
"""


NEEDS_BUS = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("dbus-run-session") is None,
    reason="needs a D-Bus of its own (Debian: apt install dbus)",
)


@NEEDS_BUS
def test_the_desktop_is_asked_to_stay_awake_and_released(tmp_path: Path) -> None:
    assert on_a_bus(tmp_path, "client", 0.0) == [
        "there", "inhibit Segue", "began True", "released", "still here",
    ]  # fmt: skip


@NEEDS_BUS
def test_a_service_that_does_not_answer_leaves_python_its_lock(tmp_path: Path) -> None:
    """A blocking D-Bus call in Qt would hold the GIL, from whatever thread."""
    assert "went on" in on_a_bus(tmp_path, "beside", 3.0)


def on_a_bus(folder: Path, part: str, delay: float) -> list[str]:
    """Output of two programs that talk over a private D-Bus."""
    script, said = folder / "bus.py", folder / "said"
    script.write_text(BUS)
    both = (
        f"{sys.executable} {script} service {delay} & service=$!; "
        f"for i in $(seq 100); do {sys.executable} -c 'import time; time.sleep(0.05)'; "
        f"grep -q there {said} && break; done; "
        f"{sys.executable} {script} {part}; kill $service"
    )
    with said.open("w") as out:
        subprocess.run(
            ["dbus-run-session", "--", "bash", "-c", both],
            stdout=out,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=False,
            env={**os.environ, "PYTHONPATH": "."},
        )
    return said.read_text().splitlines()


def test_where_nothing_keeps_awake_the_performer_is_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.window.stage.keep_awake._session_bus", lambda: None)
    rig.registry.set("stage", True)
    assert "screen saver" not in rig.window.status.message
    rig.qtbot.waitUntil(lambda: "screen saver yourself" in rig.window.status.message)


def test_a_desktop_that_does_not_answer_holds_nothing_up(rig: Rig) -> None:
    """Also where stage mode is left before it answers."""
    hangs, told = threading.Event(), []

    class Hangs(FakeAwake):
        def begin(self) -> bool:
            hangs.wait(20.0)
            told.append("begin")
            return False

        def end(self) -> None:
            told.append("end")

    rig.window.stage._awake = Hangs()  # type: ignore[assignment]
    began = time.monotonic()
    rig.registry.set("stage", True)
    rig.registry.set("stage", False)
    assert time.monotonic() - began < 5.0 and not rig.window.isFullScreen()
    hangs.set()
    rig.window.jobs.wait()
    rig.qtbot.wait(50)
    assert told == ["begin", "end"] and "yourself" not in rig.window.status.message


# -- accidents ---------------------------------------------------------------------------------
def test_a_key_that_closes_windows_does_not_end_the_music_on_stage(rig: Rig) -> None:
    window = rig.window
    rig.registry.set("transport.play", True)
    rig.registry.set("stage", True)
    for _ in range(3):
        assert not window.close() and not rig.ended
    assert "ends the music" in window.banner.text.text() and window.stage.on
    assert [button.text() for button in window.banner.buttons] == ["Play on", "Close"]
    rig.qtbot.mouseClick(window.banner.buttons[0], LEFT)
    assert window.banner.isHidden() and not rig.ended, "it was asked once"
    assert not window.close() and window.banner.isVisible()
    window.banner.ask("Another question?", (("Yes", lambda: None),))
    rig.key(Qt.Key.Key_F11)
    assert window.banner.text.text() == "Another question?", "off stage it is no question"
    rig.qtbot.mouseClick(window.banner.buttons[0], LEFT)
    assert window.banner.isHidden()
    rig.registry.set("stage", True)
    assert not window.close()
    rig.qtbot.mouseClick(window.banner.buttons[1], LEFT)
    assert rig.ended == ["stopped"]


def test_leaving_full_screen_by_the_desktops_own_key_leaves_stage_mode(rig: Rig) -> None:
    window = rig.window
    rig.registry.set("stage", True)
    window.setWindowState(Qt.WindowState.WindowMinimized)
    rig.qtbot.wait(SETTLE_MS + 150)
    assert window.stage.on, "out of sight is not off stage"
    window.setWindowState(Qt.WindowState.WindowFullScreen)
    rig.qtbot.wait(SETTLE_MS + 150)
    assert window.stage.on
    window.setWindowState(Qt.WindowState.WindowMaximized)
    assert window.stage.on, "it may be on its way to another state"
    rig.qtbot.waitUntil(lambda: not window.stage.on)
    assert rig.registry.get("stage") is False and window.top.isVisible()
    assert window.isMaximized(), "it stays what the window manager has made it"
    assert "no longer full screen" in window.status.message


def test_a_resting_pointer_is_out_of_sight_on_stage(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, place, now = rig.window.stage, [QPoint(5, 5)], [100.0]
    stage.pointer = lambda: place[0]
    monkeypatch.setattr(stage_module.time, "monotonic", lambda: now[0])

    def look() -> bool:
        for _ in range(stage_module.POINTER_FRAMES):
            stage.frame()
        return QApplication.overrideCursor() is not None

    now[0] += 60.0
    assert not look(), "off stage it stays"
    rig.registry.set("stage", True)
    assert not look()
    now[0] += stage_module.POINTER_SECONDS + 0.1
    assert look()
    cursor = QApplication.overrideCursor()
    assert cursor is not None and cursor.shape() == Qt.CursorShape.BlankCursor
    place[0] = QPoint(6, 5)
    assert not look(), "it is there again as soon as it moves"
    now[0] += stage_module.POINTER_SECONDS + 0.1
    assert look()
    rig.registry.set("stage", False)
    assert QApplication.overrideCursor() is None


# -- the keyboard ------------------------------------------------------------------------------
def test_the_sheet_shows_every_key_and_goes_at_any(rig: Rig) -> None:
    sheet = rig.window.sheet
    rig.qtbot.keyClick(rig.window, "?")
    assert sheet.isVisible() and sheet.geometry() == rig.window.centre.rect()
    shown = {keys for rows in sheet_rows().values() for keys, _ in rows}
    assert {s.keys for s in SHORTCUTS if s.description} <= shown
    assert sheet.grab().toImage().width() > 1000  # it can be painted
    rig.qtbot.keyClick(sheet, Qt.Key.Key_Space)
    assert sheet.isHidden() and not rig.worker.calls


def test_keys_of_prompts_and_stems(rig: Rig) -> None:
    rig.key(Qt.Key.Key_2, Qt.KeyboardModifier.AltModifier)
    knob = rig.window.mixer.strips[1].knob
    # Offscreen windows have no focus of their own: ask what would have it.
    assert rig.window.focusWidget() is knob
    knob.focusInEvent(QFocusEvent(QFocusEvent.Type.FocusIn))
    rig.key(Qt.Key.Key_F1)
    assert rig.registry.get("stem.drums") is False
    rig.key(Qt.Key.Key_H)
    assert rig.worker.calls[-1] == ("hold", True)
    before = rig.registry.number("mixer.master")
    rig.qtbot.keyClick(rig.window, "]")
    louder = rig.registry.number("mixer.master")
    assert before < louder < before + 2.0
    assert rig.output.volume == pytest.approx(10 ** (louder / 20))
    QApplication.processEvents()


# -- undo --------------------------------------------------------------------------------------
def test_every_edit_can_be_taken_back_and_made_again(rig: Rig) -> None:
    session, registry = rig.session, rig.registry
    registry.trigger("scene.8.save")
    session.clear_history()
    edits = {
        "weight": lambda: registry.set("prompt.1.weight", 0.31),
        "mute": lambda: registry.toggle("prompt.2.mute"),
        "solo": lambda: registry.toggle("prompt.2.solo"),
        "words": lambda: session.prompts.set(3, text="koto"),
        "sound": lambda: session.prompts.set(3, text="x", audio="/x.wav"),
        "colour": lambda: session.prompts.set_colour(1, 12),
        "add": lambda: session.prompts.add("new", weight=1.0),
        "move": lambda: session.prompts.move(1, 4),
        "remove": lambda: session.prompts.remove(2),
        "place": lambda: registry.set("prompt.1.x", 0.77),
        "cursor": lambda: rig.window.map_panel.map._set_cursor((0.3, -0.2), "window"),
        "spread": rig.window.map_panel._spread,
        "reach": lambda: registry.set("map.reach", 0.9),
        "tempo": lambda: registry.set("tempo", 91.0),
        "key": lambda: registry.set("key", "D minor"),
        "density": lambda: registry.set("density", 0.4),
        "brightness": lambda: registry.set("brightness", 0.4),
        "chaos": lambda: registry.set("chaos", 0.4),
        "guidance": lambda: registry.set("guidance", 2.0),
        "auto": lambda: registry.toggle("density.auto"),
        "stem": lambda: registry.toggle("stem.bass"),
        "scene": lambda: registry.trigger("scene.1.save"),
        "rename": lambda: session.scenes.rename(1, "Other"),
        "swap": lambda: session.scenes.swap(1, 2),
        "empty": lambda: session.scenes.clear(2),
        "recall": lambda: registry.trigger("scene.8.recall"),
        "scene mode": lambda: registry.set("scene.mode", "morph"),
        "morph time": lambda: registry.set("scene.morph_time", 20.0),
        "volume": lambda: registry.set("mixer.master", -20.0),
    }
    states = [session.document()]
    for name, edit in edits.items():
        edit()
        states.append(session.document())
        assert states[-1] != states[-2], f"{name} changed nothing"
        session._history.interrupt()
    for name, before in zip(reversed(edits), reversed(states[:-1]), strict=True):
        rig.key(Qt.Key.Key_Z, CTRL)
        assert session.document() == before, f"undo of {name}"
    assert not session.can_undo and not rig.window.top.undo.isEnabled()
    for name, after in zip(edits, states[1:], strict=True):
        rig.key(Qt.Key.Key_Z, CTRL | SHIFT)
        assert session.document() == after, f"redo of {name}"
    assert not session.can_redo
