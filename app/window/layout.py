"""Where the window's panels stand. GUI lane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from app.window.main_window import MainWindow

GAP: Final = 8


@dataclass(frozen=True)
class Panels:
    """What holds the panels. `rows` of `body`: spectrogram, prompts, controls."""

    centre: QWidget
    right: QWidget
    bottom: QWidget
    body: QVBoxLayout
    rows: tuple[int, int, int]


def arrange(window: MainWindow) -> Panels:
    """Put the panels together: spectrogram, prompts with scenes beside them, what is played below.

    Sizes are set by `app.window.proportions`.
    """
    right = QVBoxLayout()
    right.setContentsMargins(0, 0, 0, 0)
    right.setSpacing(GAP)
    right.addWidget(window.scenes, 1)
    right.addWidget(window.recording)
    right_side = QWidget(window)
    right_side.setLayout(right)
    middle = QHBoxLayout()
    middle.setSpacing(GAP)
    middle.addWidget(window.views, 1)
    middle.addWidget(right_side)
    bottom = QHBoxLayout()
    bottom.setContentsMargins(0, 0, 0, 0)
    bottom.setSpacing(GAP)
    bottom.addWidget(window.transport)
    bottom.addWidget(window.controls, 1)
    bottom.addWidget(window.output)
    lower = QWidget(window)
    lower.setLayout(bottom)
    window.spectrogram.setMinimumHeight(110)
    lower.setMinimumHeight(126)
    body = QVBoxLayout()
    body.setContentsMargins(12, 0, 12, 0)
    body.setSpacing(GAP)
    body.addWidget(window.welcome)
    body.addWidget(window.spectrogram)
    body.addLayout(middle)
    body.addWidget(lower)
    centre = QWidget(window)
    grid = QGridLayout(centre)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setVerticalSpacing(0)
    grid.addWidget(window.top, 0, 0)
    grid.addLayout(body, 1, 0)
    grid.addWidget(window.status, 2, 0)
    grid.setRowStretch(1, 1)
    return Panels(centre, right_side, lower, body, (1, 2, 3))
