"""The program under a real window manager: stage mode, and the X server's screen saver.

By hand, with any window manager: Xvfb :9 & DISPLAY=:9 openbox & DISPLAY=:9 make run
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.window.stage import screen_saver
from app.window.stage.screen_saver import XScreenSaver
from tests.benchmarks.stage import display

PROGRAMS = ("openbox", "wmctrl", "xdotool", "xprop", "xwininfo")
LACKING = [name for name in PROGRAMS if shutil.which(name) is None]
ROOT = Path(__file__).parents[4]
SIZE = (1600, 1000)

pytestmark = pytest.mark.skipif(
    bool(display.missing()), reason=display.missing() or "there is a display"
)


class Desktop:
    """Display with Openbox and the program, and xdotool for its input."""

    def __init__(self, folder: Path, name: str) -> None:
        # Isolated from the user's settings of the window manager and of Segue.
        self.environment = {
            **os.environ, "DISPLAY": name, "QT_QPA_PLATFORM": "xcb", "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"), "XDG_DATA_HOME": str(folder / "data"),
        }  # fmt: skip
        self.environment["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={folder}/none"
        self.output = (folder / "said").open("wb")
        self.manager = self._start("openbox")
        until(lambda: "window id" in self.ask("xprop", "-root", "_NET_SUPPORTING_WM_CHECK"))
        self.program = self._start(sys.executable, str(ROOT / "main.py"))
        until(lambda: bool(self._found()), 60.0)
        self.window = self._found()
        self.ask("wmctrl", "-i", "-a", self.window)
        until(lambda: self.window in self.ask("xprop", "-root", "_NET_ACTIVE_WINDOW"))

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=self.output, stderr=self.output
        )

    def _found(self) -> str:
        lines = [line for line in self.ask("wmctrl", "-l").splitlines() if line.endswith("Segue")]
        return f"{int(lines[0].split()[0], 16):#x}" if lines else ""

    def ask(self, *command: str) -> str:
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=20
        )
        return done.stdout

    def key(self, keys: str) -> None:
        self.ask("xdotool", "key", keys)

    def tell(self, state: str) -> None:
        """Change the state through the window manager, such as "remove,fullscreen"."""
        self.ask("wmctrl", "-i", "-r", self.window, "-b", state)

    def state(self) -> set[str]:
        words = self.ask("xprop", "-id", self.window, "_NET_WM_STATE")
        return set(re.findall(r"_NET_WM_STATE_(\w+)", words)) - {"FOCUSED"}

    def place(self) -> tuple[int, ...]:
        """Left, top, width, height."""
        words = self.ask("xwininfo", "-id", self.window)
        names = ("Absolute upper-left X", "Absolute upper-left Y", "Width", "Height")
        found = [re.search(rf"{name}: +(-?\d+)", words) for name in names]
        return tuple(int(match[1]) for match in found if match)

    def close(self) -> None:
        for process in (self.program, self.manager):
            process.terminate()
            process.wait(30)
        self.output.close()


def until(so: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition; fails after the timeout."""
    end = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[Desktop]:
    with display.display(f"{SIZE[0]}x{SIZE[1]}x24") as name:
        made = Desktop(tmp_path, name)
        yield made
        made.close()


@pytest.mark.skipif(
    bool(LACKING),
    reason=f"{', '.join(LACKING)} not installed "
    "(Debian: apt install openbox wmctrl xdotool x11-utils)",
)
def test_stage_mode_under_a_window_manager(desktop: Desktop) -> None:
    whole = (0, 0, *SIZE)
    before = desktop.place()
    desktop.key("F11")
    until(lambda: desktop.state() == {"FULLSCREEN"} and desktop.place() == whole)
    # Accidents: another window, out of sight, the key that closes windows.
    desktop.ask("xdotool", "windowminimize", desktop.window)
    until(lambda: "HIDDEN" in desktop.state())
    desktop.ask("wmctrl", "-i", "-a", desktop.window)
    until(lambda: desktop.state() == {"FULLSCREEN"} and desktop.place() == whole)
    desktop.key("Escape")
    desktop.key("alt+F4")
    time.sleep(1.5)
    assert desktop.program.poll() is None and desktop.state() == {"FULLSCREEN"}
    desktop.key("F11")
    until(lambda: desktop.state() == set() and desktop.place() == before)
    # From a maximised window and back to one.
    desktop.tell("add,maximized_vert,maximized_horz")
    until(lambda: len(desktop.state()) == 2)
    large, how = desktop.place(), desktop.state()
    desktop.key("F11")
    until(lambda: desktop.state() == {"FULLSCREEN"} and desktop.place() == whole)
    desktop.key("F11")
    until(lambda: desktop.state() == how and desktop.place() == large)
    # The window manager's own key takes full screen away: F11 then enters again.
    desktop.key("F11")
    until(lambda: desktop.state() == {"FULLSCREEN"})
    time.sleep(1.0)  # Qt misses a change that is taken back within milliseconds
    desktop.tell("remove,fullscreen")
    until(lambda: desktop.state() == how)
    time.sleep(1.0)
    desktop.key("F11")
    until(lambda: desktop.state() == {"FULLSCREEN"})
    desktop.key("F11")
    until(lambda: desktop.state() == how)
    desktop.key("alt+F4")
    assert desktop.program.wait(30) == 0, "off stage that key closes the window"


class _Screens(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.POINTER(ctypes.c_uint32)),
        ("rem", ctypes.c_int),
        ("index", ctypes.c_int),
    )


def test_the_x_servers_screen_saver_waits_while_it_is_suspended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with display.display("320x200x24") as name:
        monkeypatch.setenv("DISPLAY", name)
        xcb = screen_saver._library()
        address = ctypes.c_void_p
        xcb.xcb_get_setup.restype, xcb.xcb_get_setup.argtypes = address, [address]
        xcb.xcb_setup_roots_iterator.restype = _Screens
        xcb.xcb_setup_roots_iterator.argtypes = [address]
        xcb.xcb_set_screen_saver.argtypes = [
            address, ctypes.c_int16, ctypes.c_int16, ctypes.c_uint8, ctypes.c_uint8
        ]  # fmt: skip
        xcb.xcb_wait_for_reply.restype = ctypes.POINTER(ctypes.c_uint8)
        xcb.xcb_wait_for_reply.argtypes = [address, ctypes.c_uint, address]
        mine = xcb.xcb_connect(None, None)
        root = xcb.xcb_setup_roots_iterator(xcb.xcb_get_setup(mine)).data[0]

        def saved() -> bool:
            """Whether the screen saver is on: QueryInfo, the extension's request 1."""
            extension = screen_saver._Extension(screen_saver.EXTENSION, 0)
            body = (ctypes.c_uint32 * 2)(0, root)
            parts = (screen_saver._Part * 3)()
            parts[2] = screen_saver._Part(ctypes.addressof(body), ctypes.sizeof(body))
            request = screen_saver._Request(1, ctypes.pointer(extension), 1, 0)
            first = ctypes.byref(parts, 2 * ctypes.sizeof(screen_saver._Part))
            sequence = xcb.xcb_send_request(mine, 1, first, ctypes.byref(request))
            return bool(xcb.xcb_wait_for_reply(mine, sequence, None)[1] == 1)

        xcb.xcb_set_screen_saver(mine, 1, 0, 1, 1)
        assert not saved()
        saver = XScreenSaver()
        assert saver.suspend() and saver.suspend()
        time.sleep(2.5)
        assert not saved(), "it came although it was suspended"
        saver.resume()
        until(saved)
        saver.resume()
        xcb.xcb_disconnect(mine)
    assert not XScreenSaver().suspend(), "there is no server any more"
