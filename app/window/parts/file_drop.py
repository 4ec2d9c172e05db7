"""Files that are dropped on a part's strip."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QWidget

from app.window.widgets.drop_hint import DropHint
from app.window.widgets.dropped import SOUND_SUFFIXES

INSTRUMENT_SUFFIXES: Final = frozenset({*SOUND_SUFFIXES, ".sfz", ".sf2", ".sf3", ".aif", ".aiff"})


def dropped_path(event: QDropEvent, suffixes: frozenset[str], folders: bool) -> str | None:
    """Path of the first local file of a drop with one of the endings, or folder; None without."""
    for url in event.mimeData().urls():
        path = url.toLocalFile()
        if path and (Path(path).suffix.lower() in suffixes or (folders and Path(path).is_dir())):
            return path
    return None


class FileDrop(QObject):
    """Lets a widget take files, and says over it what letting go would do.

    Args:
        widget: that files are dropped on.
        words: what letting go would do.
        suffixes: endings of the files.
        folders: whether folders are taken as well.
        allowed: whether anything is taken now.
        take: gets the path.

    """

    def __init__(
        self,
        widget: QWidget,
        words: str,
        suffixes: frozenset[str],
        folders: bool,
        allowed: Callable[[], bool],
        take: Callable[[str], object],
    ) -> None:
        super().__init__(widget)
        self._suffixes, self._folders = suffixes, folders
        self._allowed, self._take = allowed, take
        self.hint = DropHint(widget, words)
        self.hint.margins = (2, 2, -2, -2)
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DragLeave:
            self.hint.hide()
        elif isinstance(event, QDropEvent) and event.type() in (
            QEvent.Type.DragEnter,
            QEvent.Type.DragMove,
            QEvent.Type.Drop,
        ):
            return self._drop(event)
        return super().eventFilter(watched, event)

    def _drop(self, event: QDropEvent) -> bool:
        path = dropped_path(event, self._suffixes, self._folders) if self._allowed() else None
        if path is None:
            self.hint.hide()
            event.ignore()
            return False
        event.acceptProposedAction()
        if event.type() == QEvent.Type.Drop:
            self.hint.hide()
            self._take(path)
        else:
            self.hint.show_over(size=12.0)
        return True
