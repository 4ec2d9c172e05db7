"""`--selftest`: runs every part once, without a screen or a sound, and reports on each.

One line a part: `ok`, `note` (it works, but something around it is missing) or `FAIL` with a
sentence. The exit code is 1 after any FAIL. It leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from models.errors import SegueError
from models.music.score import SAMPLE_RATE

if TYPE_CHECKING:
    from app.audio.output import AudioOutput
    from app.audio.settings import AudioSettings

PART_SECONDS: Final = 180.0
"""Time limit of a part."""

SOUND_SECONDS: Final = 90.0


class SelftestNoteError(Exception):
    """Note on a part that works."""


def selftest() -> int:
    """Test every part; 0, or 1 after any failure."""
    began = time.monotonic()
    results = [_one(name, test) for name, test in PARTS]
    failed = results.count("FAIL")
    took = time.monotonic() - began
    verdict = "passed" if not failed else f"{failed} of {len(PARTS)} parts failed"
    print(f"self-test {verdict} in {took:.0f} s", flush=True)
    return 1 if failed else 0


def _one(name: str, test: Callable[[], str]) -> str:
    hung = threading.Timer(PART_SECONDS, _hung, (name,))
    hung.daemon = True
    hung.start()
    try:
        verdict, words = "ok", test()
    except SelftestNoteError as note:
        verdict, words = "note", str(note)
    except SegueError as error:
        verdict, words = "FAIL", str(error)
    except Exception as error:
        verdict, words = "FAIL", f"{type(error).__name__}: {error}"
    finally:
        hung.cancel()
    print(f"{verdict:<4}  {name:<12}  {' '.join(words.split())}", flush=True)
    return verdict


def _hung(name: str) -> None:
    print(f"FAIL  {name:<12}  no answer within {PART_SECONDS:.0f} s", flush=True)
    os._exit(1)


# --- the parts ------------------------------------------------------------------------------------


def _program() -> str:
    from app.window.dialogs.components import frozen, version

    kind = "bundle" if frozen() else "sources"
    return f"segue {version()} ({kind}), Python {sys.version.split()[0]} on {sys.platform}"


def _resources() -> str:
    """Check that every file of the program's folder is there and valid."""
    from app.control.midi.map_file import load
    from app.performance.file import read_performance
    from app.session.session import Session
    from app.window.dialogs.components import LICENCES, OWN, ROOT
    from models.storage.weights import check_files, files_of

    folder = ROOT / "resources"
    check_files("segue")
    files = files_of("segue")
    maps = sorted((folder / "controllers").glob("*.json"))
    registry = Session().registry
    for path in maps:
        load(path, registry)
    read_performance(folder / "performances" / "demo.jsonl")
    counts = {
        "icons": len(list((folder / "icons").glob("*.svg"))),
        "typefaces": len(list((folder / "theme").glob("*.otf"))),
        "controller maps": len(maps),
    }
    for what, count in counts.items():
        if not count:
            raise SegueError(f"the {what} are missing from {folder}: get Segue again.")
    for path in (folder / "suggestions.json", folder / "terms.toml", LICENCES / OWN):
        if not path.is_file():
            raise SegueError(f"{path} is missing: get Segue again.")
    size = sum(file.size for file in files) / 1e6
    rest = ", ".join(f"{count} {what}" for what, count in counts.items())
    return f"{len(files)} weights files whole ({size:.0f} MB), {rest}"


def _folders() -> str:
    """Write, read and delete a file where the user's files go."""
    from PySide6.QtCore import QCoreApplication, QStandardPaths

    from app.files import write_text
    from app.window.recordings import music_folder

    QCoreApplication.setApplicationName("Segue")
    data = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.AppDataLocation)
    places = {"sessions and settings": Path(data), "recordings": music_folder()}
    for what, folder in places.items():
        made = _make(folder, what)
        try:
            path = folder / f"self-test-{os.getpid()}.txt"
            try:
                write_text(path, "Segue\n")
                if path.read_text(encoding="utf-8") != "Segue\n":
                    raise SegueError(f"{path} does not hold what was written to it.")
            finally:
                path.unlink(missing_ok=True)
        finally:
            for one in made:
                with contextlib.suppress(OSError):
                    one.rmdir()
    return ", ".join(f"{what} in {folder}" for what, folder in places.items())


def _make(folder: Path, what: str) -> list[Path]:
    """Make a folder; returns those made, innermost first."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SegueError(
            f"the folder for {what}, {folder}, cannot be made ({error.strerror}): Segue plays, "
            "but keeps nothing there."
        ) from error
    return missing


def _studio() -> str:
    """Read every byte of the instruments, and decode a note and a hit."""
    from models.segue.studio.bank import Bank
    from models.storage.weights import WeightsFile, fault_of

    bank = Bank()
    packs = [
        WeightsFile("segue", str(pack["file"]), pack["bytes"], pack["sha256"])
        for pack in bank.manifest["packs"].values()
    ]
    for pack in packs:
        fault = fault_of(pack, bank.folder)
        if fault is not None:
            raise SegueError(f"the instrument file {pack.name} is {fault}: get Segue again.")
    instruments, kits = bank.manifest["instruments"], bank.manifest["kits"]
    note = bank.instrument(next(iter(instruments))).nearest(60, other=False)[0]
    hit = next(takes for takes in bank.kit(next(iter(kits))).drums if takes)[0].zone
    for zone in (note, hit):
        if not np.abs(bank.samples(zone)).max() > 0.0:
            raise SegueError(f"the instrument file {zone.pack} is silent: get Segue again.")
    bank.close()
    size = sum(pack.size for pack in packs) / 1e6
    return f"{len(instruments)} instruments and {len(kits)} kits whole ({size:.0f} MB)"


def _engine() -> str:
    from models import Controls, open_engine

    began = time.monotonic()
    engine = open_engine("segue", "auto")
    opened = time.monotonic()
    try:
        style = engine.embed_text("minimal techno")
        stream = engine.start(seed=7)
        blocks, took = [], []
        for _ in range(9):
            start = time.monotonic()
            blocks.append(stream.render(Controls(style=style, bpm=124.0)))
            took.append(time.monotonic() - start)
        sound = np.concatenate(blocks)
        heard = engine.embed_audio(sound, engine.info.sample_rate)
        if not (np.isfinite(sound).all() and np.isfinite(heard).all()):
            raise SegueError("the engine made numbers that are no sound.")
        if float(np.abs(sound).max()) < 1e-3:
            raise SegueError("the engine was silent.")
        block = engine.info.block_frames / engine.info.sample_rate
        typical = float(np.median(took[1:]))
        words = (
            f"opened in {opened - began:.1f} s on {getattr(engine, 'device', 'auto')}, "
            f"{block * 1e3:.0f} ms of music in {typical * 1e3:.0f} ms"
        )
        if typical > block:
            raise SelftestNoteError(f"{words}: too slow here to play without a break")
        return words
    finally:
        engine.close()


def _audio() -> str:
    """Play through the audio process into the null device."""
    from app.audio.settings import NULL_DEVICE, AudioSettings

    with _output(AudioSettings(device=NULL_DEVICE)) as output:
        output.ring.append(np.full((24_000, 2), 0.25, np.float32))
        output.set_playing(True)
        _until(lambda: output.status().read >= 20_000, 30.0, "the audio process plays nothing.")
        _, heard = output.tap.follow(0)
        if not len(heard) or float(np.abs(heard).max()) < 0.2:
            raise SegueError("the audio process played, but not what it was given.")
        modules = output.modules()
        strays = {"torch", "PySide6"} & set(modules)
        if not modules or strays:
            raise SegueError(f"the audio process carries {', '.join(strays) or 'no modules'}.")
        return f"process {output.pid} plays, {len(modules)} modules"


def _output(settings: AudioSettings) -> AudioOutput:
    from app.audio.output import AudioOutput

    return AudioOutput(settings)


def _devices() -> str:
    from app.audio.devices import list_devices

    found, _ = list_devices()
    if not found:
        raise SelftestNoteError("PortAudio is there, but no output; the music would go on unheard")
    default = next((d.label for d in found if d.is_default), found[0].label)
    return f"{len(found)} outputs, the first choice is {default}"


def _midi() -> str:
    from app.control.midi.rtmidi_ports import RtMidiBackend, available
    from models.runtime.quiet import quiet_stderr

    if not available():
        raise SegueError("this build of rtmidi has no MIDI system: get Segue again.")
    reached = []
    with quiet_stderr():  # ALSA and JACK complain there when they are not to be had
        for api in available():
            try:
                backend = RtMidiBackend(api)
                ins, outs = len(backend.inputs()), len(backend.outputs())
                backend.close()
            except OSError:
                continue
            reached.append(f"{api}: {ins} in, {outs} out")
    if not reached:
        raise SelftestNoteError(
            f"rtmidi is there ({', '.join(available())}), but no MIDI system answers"
        )
    return "; ".join(reached)


def _files() -> str:
    """Write and read audio files of the usual formats."""
    import soundfile
    import soxr

    wave = np.sin(np.arange(4800) * 0.05).astype(np.float32)[:, None].repeat(2, axis=1) * 0.5
    with tempfile.TemporaryDirectory() as folder:
        kinds = []
        for suffix in ("wav", "flac", "ogg", "mp3"):
            path = Path(folder) / f"é a.{suffix}"
            soundfile.write(path, wave, SAMPLE_RATE)
            back, rate = soundfile.read(path, dtype="float32")
            if rate != SAMPLE_RATE or float(np.abs(back).max()) < 0.3:
                raise SegueError(f"a {suffix} file did not come back as it was written.")
            kinds.append(suffix)
    if len(soxr.resample(wave, SAMPLE_RATE, 44_100)) != 4410:
        raise SegueError("the resampler returns the wrong length.")
    return f"{', '.join(kinds)}, resampling"


def _window() -> str:
    """Open the whole instrument offscreen, play and draw it."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from PySide6.QtWidgets import QApplication

    from app.audio.settings import NULL_DEVICE
    from app.playback import open_playback
    from app.session.preferences import Preferences
    from app.session.session import Session
    from app.window.main_window import MainWindow
    from app.window.style import theme

    existing = QApplication.instance()
    app = existing if isinstance(existing, QApplication) else QApplication(["segue"])
    theme.install(app)
    said: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        player = open_playback(
            "segue", "auto", Preferences(device=NULL_DEVICE), lambda level, text: said.append(text)
        )
        window = None
        try:
            window = MainWindow(Session(), player, Path(folder))
            window.show()
            window.registry.set("transport.play", True)
            output = player.output

            def heard() -> bool:
                app.processEvents()
                return float(max(output.status().peak)) > 1e-3

            _until(heard, SOUND_SECONDS, "the window opened, but no music came.")
            took = time.monotonic() - began
            picture = window.grab()
            if picture.isNull() or picture.width() < 800:
                raise SegueError("the window could not be drawn.")
        finally:
            if window is not None:
                window.shut()
            else:
                player.stop()
    return f"first sound {took:.1f} s after it was asked for, {len(said)} incidents"


def _licences() -> str:
    from app.window.dialogs.components import LICENCES, NOTICES, frozen, notices, packages

    if frozen() and not (LICENCES / NOTICES).is_file():
        raise SegueError("the licences of what comes along are missing: get Segue again.")
    unnamed = [part.name for part in packages() if not part.licence]
    if unnamed:
        raise SegueError(f"no licence is named for {', '.join(unnamed)}.")
    return f"{len(packages())} parts named, {len(notices()) // 1024} kB of notices"


def _until(done: Callable[[], bool], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise SegueError(otherwise)
        time.sleep(0.01)


PARTS: Final[tuple[tuple[str, Callable[[], str]], ...]] = (
    ("program", _program),
    ("resources", _resources),
    ("licences", _licences),
    ("folders", _folders),
    ("sound files", _files),
    ("devices", _devices),
    ("audio", _audio),
    ("midi", _midi),
    ("studio", _studio),
    ("engine", _engine),
    ("window", _window),
)
