"""Run by the bundle before anything else, in each of its processes."""

import os
import sys
from pathlib import Path


def give_streams() -> None:
    """A program with a window has no standard streams on Windows; writing must not fail."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115


def find_portaudio() -> None:
    """On Linux the system's own PortAudio fits its sound server best; ours is the second choice.

    The same goes for the libraries of JACK and ALSA that PortAudio links: one that is there stays,
    one that is missing is loaded from the bundle, so that PortAudio always opens.
    """
    import ctypes
    import ctypes.util

    folder = Path(sys._MEIPASS, "portaudio")  # type: ignore[attr-defined]
    usual = ctypes.util.find_library

    def load(name: str, mode: int = ctypes.DEFAULT_MODE) -> str | None:
        for path in (name, str(folder / name)):
            try:
                ctypes.CDLL(path, mode)
            except OSError:
                continue
            return path
        return None

    def find_library(name: str) -> str | None:
        if name != "portaudio":
            return usual(name)
        found = load("libportaudio.so.2")
        if found is None:
            for needed in ("libdb-5.3.so", "libasound.so.2", "libjack.so.0"):
                load(needed, ctypes.RTLD_GLOBAL)
            found = load("libportaudio.so.2")
        return found

    ctypes.util.find_library = find_library  # type: ignore[assignment]


def lend_alsa() -> None:
    """Where the system has no ALSA, what links it by name, such as rtmidi, gets ours.

    ALSA's library does nothing without its settings, and PortAudio ends the process then.
    """
    import ctypes

    folder = Path(sys._MEIPASS, "portaudio")  # type: ignore[attr-defined]
    try:
        ctypes.CDLL("libasound.so.2")
        return
    except OSError:
        pass
    try:
        ctypes.CDLL(str(folder / "libasound.so.2"), ctypes.RTLD_GLOBAL)
        # ALSA takes a space in a name for the end of it; an open folder has a name without one.
        settings = os.open(folder / "alsa", os.O_PATH | os.O_DIRECTORY)
    except OSError:
        return
    here = "/proc/self/fd/"
    told = os.environ.get("ALSA_CONFIG_DIR", here)  # where it begins so, by a process of ours
    if told.startswith(here) and not Path("/usr/share/alsa/alsa.conf").exists():
        os.environ["ALSA_CONFIG_DIR"] = f"{here}{settings}"


def be_a_helper() -> None:
    """What multiprocessing starts, such as the audio process, goes its way here and now.

    main.py would do it as well, but only after PyInstaller has loaded Qt to tell it where its
    plugins are; the audio process must not carry Qt.
    """
    import multiprocessing.process
    import multiprocessing.spawn

    # There is no main.py to be imported: the helper is told that it has it already.
    own = sys.modules["__main__"]
    before = own.__file__
    own.__file__ = str(Path(sys._MEIPASS, "main.py"))  # type: ignore[attr-defined]
    multiprocessing.process.ORIGINAL_DIR = None  # type: ignore[attr-defined]
    multiprocessing.spawn.freeze_support()
    own.__file__ = before
    tracker = "from multiprocessing.resource_tracker import main;main("
    if len(sys.argv) > 2 and sys.argv[-2] == "-c" and sys.argv[-1].startswith(tracker):
        from multiprocessing.resource_tracker import main

        main(int(sys.argv[-1].removeprefix(tracker).removesuffix(")")))
        sys.exit()


def leave_opengl_out() -> None:
    """Stand-ins for QtOpenGL, 10 MB, which pyqtgraph imports and Segue does not use."""
    import types

    for name in ("PySide6.QtOpenGL", "PySide6.QtOpenGLWidgets"):
        sys.modules[name] = types.ModuleType(name)
    # A class of pyqtgraph's, of which there is never an object, is derived from it.
    sys.modules[name].QOpenGLWidget = type("QOpenGLWidget", (), {})  # type: ignore[attr-defined]


give_streams()
if sys.platform.startswith("linux"):
    find_portaudio()
    lend_alsa()
be_a_helper()
leave_opengl_out()
