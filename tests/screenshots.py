"""Screenshots of the README: `python -m tests.screenshots [--engine NAME]`.

The real window, engine, worker and audio process play for twenty seconds, through a JACK server of
its own where jackd is there, else into nothing; every figure in the pictures is measured. Takes
under a minute and writes resources/screenshots/{mixer,map,stage}.png. Needs no display.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from PySide6.QtCore import QSize, Qt  # noqa: E402
from PySide6.QtGui import QImage, QImageWriter  # noqa: E402
from PySide6.QtTest import QTest  # noqa: E402
from PySide6.QtWidgets import QApplication  # noqa: E402

from app.playback import open_playback  # noqa: E402
from app.session.preferences import Preferences, save  # noqa: E402
from app.session.session import Session  # noqa: E402
from app.window.main_window import MainWindow  # noqa: E402
from app.window.style import theme  # noqa: E402
from tests.support import jack  # noqa: E402

OUT: Final = theme.RESOURCES / "screenshots"
RATE: Final = 48_000
SIZE: Final = QSize(1440, 900)
ZOOM: Final = -1
"""One step nearer than usual: twelve seconds of past, to be filled in twelve seconds."""
PAST: Final = 12.5
PLAN: Final = 2.0
PATIENCE: Final = 25.0
"""Seconds of playing after which the pictures are taken as things are."""
PROMPTS: Final = (
    ("Minimal Techno", 1.2),
    ("Rhodes Piano", 0.7),
    ("Bongos", 0.4),
    ("Flute", 0.0),
    ("Dub chords with tape echo", 0.9),
    ("Warm Pads", 0.5),
    ("Upright Bass", 0.6),
    ("Hang Drum", 0.15),
)
SCENES: Final = {1: "Opening", 2: "First light", 3: "Drop", 5: "Strings", 6: "Dub", 9: "Coda"}
TURNS: Final = (
    (4.0, "scene.6.recall", 1.0),
    (6.5, "tempo", 122.0),
    (9.5, "density", 0.62),
)
"""What a hand does while it plays: (seconds of music, parameter, value)."""


class Booth:
    """The window, and the event loop that runs until something is so."""

    def __init__(self, app: QApplication, window: MainWindow) -> None:
        self.app, self.window = app, window
        self.begin = time.monotonic()
        self.pictures: dict[str, QImage] = {}

    def wait(self, until: Callable[[], bool], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not until() and time.monotonic() < end:
            self.app.processEvents()
            time.sleep(0.002)
        return until()

    def still(self, seconds: float) -> None:
        self.wait(lambda: False, seconds)

    def seconds(self) -> float:
        return self.window.playback.output.position_now() / RATE

    def planned(self) -> float:
        return float(self.window.playback.output.status().plan_seconds)

    def styled(self) -> bool:
        styles = self.window.live.styles
        return all(styles.state(prompt)[0] == "ready" for prompt in self.window.session.prompts)

    def picture(self, name: str) -> None:
        """Take the picture, as soon as there is a future to see."""
        self.still(0.2)
        self.window.resize(SIZE)
        QTest.mouseClick(self.window.status, Qt.MouseButton.LeftButton)  # no passing sentence
        self.still(0.4)
        if not self.wait(lambda: self.planned() >= PLAN, 2.0):
            # A machine that cannot keep up plans on while the music waits.
            self.window.registry.set("transport.play", False)
            self.wait(lambda: self.planned() >= PLAN, 8.0)
            self.window.registry.set("transport.play", True)
            self.still(0.25)
        image = self.window.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
        self.pictures[name] = image


def write_small(image: QImage, path: Path) -> None:
    """A PNG of 256 colours chosen by median cut (P. Heckbert, "Color image quantization for frame
    buffer display", 1982, section 4): a third of the size of one with all of them."""
    pixels = np.frombuffer(image.constBits(), np.uint32) & 0xFFFFFF
    codes, places, counts = np.unique(pixels, return_inverse=True, return_counts=True)
    shades = np.stack([codes >> shift & 0xFF for shift in (16, 8, 0)], axis=1).astype(np.float64)

    def span(box: NDArray[np.intp]) -> float:
        return float(np.ptp(shades[box], axis=0).max()) * float(counts[box].sum()) ** 0.35

    boxes = [np.arange(len(codes))]
    spans = [span(boxes[0])]
    while len(boxes) < min(256, len(codes)):
        # Divide the box that is widest for how much of the picture it holds.
        widest = int(np.argmax(spans))
        box, _ = boxes.pop(widest), spans.pop(widest)
        axis = int(np.ptp(shades[box], axis=0).argmax())
        box = box[np.argsort(shades[box, axis], kind="stable")]
        heavy = np.cumsum(np.sqrt(counts[box]))
        cut = int(np.clip(np.searchsorted(heavy, heavy[-1] / 2), 1, len(box) - 1))
        boxes += [box[:cut], box[cut:]]
        spans += [span(box[:cut]), span(box[cut:])]
    entry = np.zeros(len(codes), np.uint8)
    table = []
    for number, box in enumerate(boxes):
        entry[box] = number
        red, green, blue = np.average(shades[box], axis=0, weights=counts[box]).round().astype(int)
        table.append(0xFF000000 | int(red) << 16 | int(green) << 8 | int(blue))
    data = entry[places].tobytes()
    width, height = image.width(), image.height()
    small = QImage(data, width, height, width, QImage.Format.Format_Indexed8)
    small.setColorTable(table)
    writer = QImageWriter(str(path), b"png")
    writer.setQuality(0)  # as small as it goes
    writer.write(small)


def dress(session: Session) -> None:
    """Prompts and scenes."""
    for n, (text, weight) in enumerate(PROMPTS, 1):
        if n <= len(session.prompts):
            session.prompts.set(n, text=text)
            session.registry.set(f"prompt.{n}.weight", weight)
        else:
            session.prompts.add(text, weight=weight)
    for n, name in SCENES.items():
        loud = f"prompt.{n % 8 + 1}.weight"
        before = session.registry.get(loud)
        session.registry.set(loud, 2.0)
        session.scenes.save(n, name)
        session.registry.set(loud, before)


def perform(booth: Booth) -> None:
    """Play, with a hand on the knobs."""
    registry = booth.window.registry
    registry.set("transport.play", True)
    end = time.monotonic() + PATIENCE

    def play_to(when: float) -> None:
        booth.wait(lambda: booth.seconds() >= when, end - time.monotonic())

    for when, name, value in TURNS:
        play_to(when)
        registry.set(name, value)
    play_to(PAST)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots")
    parser.add_argument("--engine", default="segue")
    parser.add_argument("--device", default="auto")
    chosen = parser.parse_args(arguments)
    app = QApplication([])
    theme.install(app)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sound = None
        if jack.missing():
            sound = "null"
        else:
            stack.enter_context(jack.JackServer())
        preferences = Preferences(device=sound, welcomed=True)
        save(folder / "preferences.json", preferences)
        troubles: list[str] = []
        player = open_playback(
            chosen.engine, chosen.device, preferences, lambda level, words: troubles.append(words)
        )
        session = Session()
        window = MainWindow(session, player, folder)
        booth = Booth(app, window)
        stack.callback(window.shut)
        window.resize(SIZE)
        window.show()
        window.spectrogram.zoom(ZOOM)
        if not booth.wait(lambda: bool(window.live.acting) or bool(window.engine_problem), 60.0):
            window.engine_problem = "the engine was not ready in time."
        if window.engine_problem:
            print(f"segue: no pictures: {window.engine_problem}", file=sys.stderr)
            return 1
        dress(session)
        window.files.save_path(folder / "Night train.segue.json")
        booth.wait(booth.styled, 15.0)
        perform(booth)
        booth.picture("mixer")
        registry = session.registry
        registry.set("view", "map")
        registry.set("map.x", 0.2)
        registry.set("map.y", 0.15)
        booth.picture("map")
        registry.set("view", "mixer")
        # A picture has a size of its own: that is no desktop's taking full screen away.
        window.stage.state_changed = lambda: None  # type: ignore[method-assign]
        registry.set("stage", True)
        booth.picture("stage")
        print(f"{booth.seconds():.0f} s were played in {time.monotonic() - booth.begin:.0f} s")
        for trouble in troubles:
            print(trouble)
    OUT.mkdir(exist_ok=True)
    for name, image in booth.pictures.items():
        path = OUT / f"{name}.png"
        write_small(image, path)
        print(f"{path.name}: {path.stat().st_size / 1024:.0f} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
