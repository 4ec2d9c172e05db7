"""Layout of the main window: its widgets, and where they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.session.session import Session
from app.window.dialogs.keyboard_sheet import KeyboardSheet
from app.window.dialogs.welcome import Welcome
from app.window.panels.controls import ControlsPanel
from app.window.panels.input_strip import InputStrip
from app.window.panels.output import OutputPanel
from app.window.panels.recording import RecordingPanel
from app.window.panels.scenes import ScenesPanel
from app.window.panels.status_bar import StatusBar
from app.window.panels.top_bar import TopBar
from app.window.panels.transport import TransportPanel
from app.window.parts.panel import PartsPanel
from app.window.prompts.axes import AxesRow
from app.window.prompts.editor import PromptEditor
from app.window.prompts.map.panel import MapPanel
from app.window.prompts.mixer import PromptMixer
from app.window.spectrogram.back_to_now_button import BackToNowButton
from app.window.spectrogram.view import SpectrogramView
from app.window.widgets.banner import Banner

GAP: Final = 8


@dataclass(frozen=True)
class WindowWidgets:
    """Widgets of the main window. `rows` of `body`: spectrogram, prompts, controls."""

    top: TopBar
    welcome: Welcome
    spectrogram: SpectrogramView
    back_to_now: BackToNowButton
    views: QStackedWidget
    axes: AxesRow
    mixer: PromptMixer
    map_panel: MapPanel
    scenes: ScenesPanel
    recording: RecordingPanel
    transport: TransportPanel
    parts: PartsPanel
    controls: ControlsPanel
    output: OutputPanel
    input: InputStrip
    status: StatusBar
    editor: PromptEditor
    banner: Banner
    sheet: KeyboardSheet
    centre: QWidget
    right: QWidget
    lower: QWidget
    body: QVBoxLayout
    rows: tuple[int, int, int] = (1, 2, 4)


def build_widgets(
    session: Session, suggestions: dict[str, list[str]], window: QWidget
) -> WindowWidgets:
    """Make the widgets and lay them out. `app.window.proportions` sets their sizes.

    Args:
        session: what they show.
        suggestions: prompts that the editor offers, by group.
        window: parent of all of them.

    """
    registry = session.registry
    centre, right, lower = QWidget(window), QWidget(window), QWidget(window)
    spectrogram = SpectrogramView(window)
    widgets = WindowWidgets(
        top=TopBar(registry, window),
        welcome=Welcome(window),
        spectrogram=spectrogram,
        back_to_now=BackToNowButton(spectrogram),
        views=QStackedWidget(window),
        axes=AxesRow(registry, window),
        mixer=PromptMixer(session, window),
        map_panel=MapPanel(session, window),
        scenes=ScenesPanel(session, window),
        recording=RecordingPanel(registry, window),
        transport=TransportPanel(registry, window),
        parts=PartsPanel(registry, window),
        controls=ControlsPanel(registry, window),
        output=OutputPanel(registry, window),
        input=InputStrip(registry, window),
        status=StatusBar(window),
        editor=PromptEditor(centre, suggestions),
        banner=Banner(centre, spectrogram),
        sheet=KeyboardSheet(centre),
        centre=centre,
        right=right,
        lower=lower,
        body=QVBoxLayout(),
    )
    _arrange(widgets)
    for overlay in (widgets.editor, widgets.banner, widgets.sheet):
        overlay.raise_()
    return widgets


def _arrange(widgets: WindowWidgets) -> None:
    """Spectrogram on top, prompts with the scenes beside them, below what is played."""
    widgets.views.addWidget(widgets.mixer)
    widgets.views.addWidget(widgets.map_panel)
    right = QVBoxLayout(widgets.right)
    right.setContentsMargins(0, 0, 0, 0)
    right.setSpacing(GAP)
    right.addWidget(widgets.scenes, 1)
    right.addWidget(widgets.recording)
    middle = QHBoxLayout()
    middle.setSpacing(GAP)
    prompts = QVBoxLayout()
    prompts.setSpacing(2)
    prompts.addWidget(widgets.views, 1)
    prompts.addWidget(widgets.axes)
    middle.addLayout(prompts, 1)
    middle.addWidget(widgets.right)
    bottom = QHBoxLayout(widgets.lower)
    bottom.setContentsMargins(0, 0, 0, 0)
    bottom.setSpacing(GAP)
    bottom.addWidget(widgets.transport)
    bottom.addWidget(widgets.controls, 1)
    bottom.addWidget(widgets.output)
    widgets.spectrogram.setMinimumHeight(110)
    widgets.lower.setMinimumHeight(126)
    body = widgets.body
    body.setContentsMargins(12, 0, 12, 0)
    body.setSpacing(GAP)
    body.addWidget(widgets.welcome)
    body.addWidget(widgets.spectrogram)
    body.addLayout(middle)
    body.addWidget(widgets.parts)
    body.addWidget(widgets.lower)
    body.addWidget(widgets.input)
    grid = QGridLayout(widgets.centre)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setVerticalSpacing(0)
    grid.addWidget(widgets.top, 0, 0)
    grid.addLayout(body, 1, 0)
    grid.addWidget(widgets.status, 2, 0)
    grid.setRowStretch(1, 1)
