"""How large things are: in proportion to the window, a step larger on stage. GUI lane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Qt

from app.window.style import theme
from app.window.widgets.buttons import PlainButton

if TYPE_CHECKING:
    from app.window.main_window import MainWindow

USUAL: Final = (1440, 900)
"""Window at which everything has its usual size; below it panels shrink, writing does not."""
LEAST: Final = (1080, 640)
LARGEST: Final = 2.0
ON_STAGE: Final = 1.15
STRETCH: Final = {False: (30, 44, 17), True: (22, 50, 20)}
"""Heights of spectrogram, prompts and controls, off stage and on it."""
CROWDED: Final = (20, 54, 17)
"""The same, off stage, for a low window, and for two rows of prompts in one lower than usual."""
LOW: Final = 680
TIGHT: Final = (16, 58, 17)
"""The same, where the welcome stands in a low window as well."""
SPECTROGRAM: Final = {False: 110, True: 84}
"""The least height of the spectrogram, and where it is tight."""


def scale_of(width: int, height: int, on_stage: bool = False) -> float:
    """Of the writing and the side panels, from 1."""
    scale = min(width / USUAL[0], height / USUAL[1])
    return min(max(scale * (ON_STAGE if on_stage else 1.0), 1.0), LARGEST)


def opening(width: int, height: int) -> tuple[int, int, bool]:
    """Size at which the window opens where the desktop leaves so much room (without its panels),
    and whether it is maximised: where the usual size does not fit. The size is then what it has
    when the performer makes it smaller."""
    title = 40
    if width >= USUAL[0] and height >= USUAL[1] + title:
        return (*USUAL, False)
    wide = min(USUAL[0], max(LEAST[0], round(width * 0.92)))
    return wide, min(USUAL[1], max(LEAST[1], round((height - title) * 0.92))), True


class Proportions:
    """Sets sizes that do not follow from a widget's own height."""

    def __init__(self, window: MainWindow) -> None:
        self.window = window
        self._shown: tuple[float, float, bool, bool, bool] = (0.0, 0.0, False, False, False)

    def open(self) -> None:
        """Size the window for the screen on which it is about to be shown."""
        room = self.window.screen().availableSize()
        width, height, maximised = opening(room.width(), room.height())
        self.window.resize(width, height)
        if maximised:
            self.window.setWindowState(Qt.WindowState.WindowMaximized)

    def apply(self, on_stage: bool) -> None:
        window, panels = self.window, self.window.panels
        words = scale_of(window.width(), window.height(), on_stage)
        plates = scale_of(window.width(), window.height())
        crowded = window.height() < (USUAL[1] if window.mixer.rows > 1 else LOW)
        tight = window.height() < LOW and not window.welcome.isHidden()
        if (words, plates, on_stage, crowded, tight) == self._shown:
            return
        self._shown = (words, plates, on_stage, crowded, tight)
        theme.set_scale(words)
        for widget, width in ((panels.right, 342), (window.transport, 258), (window.output, 118)):
            widget.setFixedWidth(round(width * plates))
        window.top.setFixedHeight(round(44 * plates))
        window.status.setFixedHeight(round(28 * words))
        window.recording.setFixedHeight(round(54 * plates))
        window.top.view.setFixedWidth(round(196 * plates))
        window.map_panel.set_scale(plates)
        window.scenes.set_scale(plates)
        window.scenes.set_tight(tight)
        window.controls.set_scale(plates)
        window.spectrogram.set_scale(words)
        heights = CROWDED if crowded and not on_stage else STRETCH[on_stage]
        heights = TIGHT if tight else heights
        window.spectrogram.setMinimumHeight(SPECTROGRAM[tight])
        for index, stretch in zip(panels.rows, heights, strict=True):
            panels.body.setStretch(index, stretch)
        margin = 12 if on_stage else 0
        panels.body.setContentsMargins(12, margin, 12, 0)
        for button in window.centre.findChildren(PlainButton):
            button.updateGeometry()
        window.centre.update()
