"""Sizes in proportion to the window, a step larger on stage."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMainWindow

from app.files import write_text
from app.window.layout import WindowWidgets
from app.window.style import theme
from app.window.widgets.buttons import PlainButton
from models.errors import SegueError

DEFAULT_SIZE: Final = (1440, 900)
"""Window at which everything has its default size; below it panels shrink, text does not."""
MIN_SIZE: Final = (1080, 640)
MAX_SCALE: Final = 2.0
STAGE_SCALE: Final = 1.15
STRETCH: Final = {False: (30, 44, 17), True: (22, 50, 20)}
"""Heights of spectrogram, prompts and controls, off stage and on it."""
CROWDED: Final = (20, 54, 17)
"""The same, off stage, for a low window, and for two rows of prompts in one lower than usual."""
LOW: Final = 680
PARTS_ROOM: Final = 80
"""How much higher a window must be where the part strips stand."""
TIGHT: Final = (16, 58, 17)
"""The same, where the welcome or the input stands in a low window as well."""
SPECTROGRAM: Final = {False: 110, True: 72}
"""The least height of the spectrogram, and where it is tight."""


TRANSPORT_SHARE: Final = 0.2
"""Largest width of the transport panel as a share of the window's."""


TITLE_HEIGHT: Final = 40


@dataclass(frozen=True)
class LastSize:
    """Size in pixels that the window had when it was closed; restored, where it is maximised."""

    width: int
    height: int
    maximised: bool = False


def load_size(path: Path) -> LastSize | None:
    """The size that `save_size` wrote; None where there is none, or no valid one."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        size = LastSize(int(data["width"]), int(data["height"]), data["maximised"] is True)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return size if 0 < size.width < 100_000 and 0 < size.height < 100_000 else None


def save_size(path: Path, size: LastSize) -> None:
    """Write the size; a disk on which that fails costs nothing but the size."""
    with contextlib.suppress(SegueError):
        write_text(path, json.dumps(asdict(size)) + "\n")


def scale_of(width: int, height: int, on_stage: bool = False) -> float:
    """Scale of the text and the side panels, from 1."""
    scale = min(width / DEFAULT_SIZE[0], height / DEFAULT_SIZE[1])
    return min(max(scale * (STAGE_SCALE if on_stage else 1.0), 1.0), MAX_SCALE)


def opening(width: int, height: int, last: LastSize | None = None) -> tuple[int, int, bool]:
    """Size at which the window opens on a desktop with this much room, and whether maximised.

    The size that it had last, where it fits. It is maximised where the default size does not fit;
    the size is then what it has restored.
    """
    title = TITLE_HEIGHT
    if last is not None:
        wide, high = (
            max(least, min(size, room))
            for least, size, room in zip(
                MIN_SIZE, (last.width, last.height), (width, height - title), strict=True
            )
        )
        return wide, high, last.maximised
    if width >= DEFAULT_SIZE[0] and height >= DEFAULT_SIZE[1] + title:
        return (*DEFAULT_SIZE, False)
    wide = min(DEFAULT_SIZE[0], max(MIN_SIZE[0], round(width * 0.92)))
    return wide, min(DEFAULT_SIZE[1], max(MIN_SIZE[1], round((height - title) * 0.92))), True


class Proportions:
    """Sets the sizes that do not follow from a widget's own height."""

    def __init__(self, window: QMainWindow, widgets: WindowWidgets) -> None:
        self.window, self.widgets = window, widgets
        self._shown: tuple[int, float, float, bool, bool, bool] | None = None

    def open(self, last: Path | None = None) -> None:
        """Size the window for the screen on which it is about to be shown.

        last: file of the size that it had last.
        """
        room = self.window.screen().availableSize()
        size = None if last is None else load_size(last)
        width, height, maximised = opening(room.width(), room.height(), size)
        self.window.resize(width, height)
        if maximised:
            self.window.setWindowState(Qt.WindowState.WindowMaximized)

    def close(self, last: Path) -> None:
        """Remember the size."""
        normal = self.window.normalGeometry()
        size = LastSize(normal.width(), normal.height(), self.window.isMaximized())
        save_size(last, size)

    def apply(self, on_stage: bool) -> None:
        """Set them for the window's present size."""
        window, widgets = self.window, self.widgets
        text_scale = scale_of(window.width(), window.height(), on_stage)
        panel_scale = scale_of(window.width(), window.height())
        low = LOW if widgets.parts.isHidden() else LOW + PARTS_ROOM
        crowded = window.height() < (DEFAULT_SIZE[1] if widgets.mixer.rows > 1 else low)
        rows = (widgets.welcome, widgets.input, widgets.parts)
        more = not all(row.isHidden() for row in rows)
        tight = window.height() < low and more
        shown = (window.width(), text_scale, panel_scale, on_stage, crowded, tight)
        if shown == self._shown:
            return
        self._shown = shown
        theme.set_scale(text_scale)
        for widget, width in (
            (widgets.right, 342),
            (widgets.output, 118),
        ):
            widget.setFixedWidth(round(width * panel_scale))
        # A narrow window leaves its room to the controls.
        transport = min(258 * panel_scale, window.width() * TRANSPORT_SHARE)
        widgets.transport.setFixedWidth(round(transport))
        widgets.input.set_scale(text_scale)
        widgets.top.set_scale(panel_scale)
        widgets.status.setFixedHeight(round(28 * text_scale))
        widgets.recording.setFixedHeight(round((44 if tight else 54) * panel_scale))
        widgets.map_panel.set_scale(panel_scale)
        widgets.axes.set_scale(panel_scale, crowded or tight)
        widgets.scenes.set_scale(panel_scale)
        widgets.scenes.set_compact(tight)
        widgets.controls.set_scale(panel_scale)
        widgets.parts.set_scale(panel_scale, tight)
        widgets.spectrogram.set_scale(text_scale)
        heights = CROWDED if crowded and not on_stage else STRETCH[on_stage]
        heights = TIGHT if tight else heights
        widgets.spectrogram.setMinimumHeight(SPECTROGRAM[tight])
        for index, stretch in zip(widgets.rows, heights, strict=True):
            widgets.body.setStretch(index, stretch)
        margin = 12 if on_stage else 0
        widgets.body.setContentsMargins(12, margin, 12, 0)
        for button in widgets.centre.findChildren(PlainButton):
            button.updateGeometry()
        widgets.centre.update()
