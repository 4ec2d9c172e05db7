"""Take handle: the last take, to be dragged into a DAW or a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QDrag, QMouseEvent
from PySide6.QtWidgets import QApplication, QWidget

from app.window.widgets.buttons import PlainButton

SOUNDS: Final = (".wav", ".flac")
TIP: Final = "Last take: drag its tracks and MIDI into a DAW or a folder; click to open its folder"


def files_of(take: Path) -> list[Path]:
    """Files of a take that a DAW places on tracks: the mix, the parts, the notes.

    A take without parts, and a recording that is one file, give what there is.
    """
    if not take.is_dir():
        return [take] if take.exists() else []
    whole = (path for path in take.iterdir() if not path.name.startswith("."))
    sounds = sorted(path for path in whole if path.suffix in SOUNDS)
    sounds.sort(key=lambda path: path.stem != "mix")
    return sounds + sorted(take.glob("*.mid"))


class TakeHandle(PlainButton):
    """Handle that is shown once there is a take."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(icon="grip", tooltip=TIP, on_click=self._open, parent=parent)
        self.take: Path | None = None
        self._pressed_at = QPointF()
        self.setCursor(Qt.CursorShape.OpenHandCursor)
        self.hide()

    def show_take(self, take: Path) -> None:
        """Offer a take from now on."""
        self.take = take
        self.setToolTip(f"{TIP} ({take.name})")
        self.show()

    def mime(self) -> QMimeData | None:
        """The take's files as they are dragged; None where they are gone."""
        files = [] if self.take is None else files_of(self.take)
        if not files:
            return None
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path.absolute())) for path in files])
        return data

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed_at = event.position()
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        moved = (event.position() - self._pressed_at).manhattanLength()
        if not event.buttons() & Qt.MouseButton.LeftButton or (
            moved < QApplication.startDragDistance()
        ):
            return
        data = self.mime()
        if data is None:
            self.hide()  # it was moved or deleted
            return
        self.setDown(False)
        drag = QDrag(self)
        drag.setMimeData(data)
        drag.exec(Qt.DropAction.CopyAction)

    def _open(self) -> None:
        if self.take is None or not self.take.exists():
            self.hide()
            return
        folder = self.take if self.take.is_dir() else self.take.parent
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder.absolute())))
