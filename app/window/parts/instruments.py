"""Instrument of a part: a button with its name, and a list that one searches by typing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Protocol

from PySide6.QtCore import QEvent, QObject, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.parameters.registry import Registry
from app.window.style import colours, theme
from app.window.widgets.buttons import paint_key
from app.window.widgets.parameter_widget import ParameterWidget
from models.music.user_instruments import is_user_instrument

AUTO = "auto: the style's choice"
FROM_FILE = "From a file …"
FROM_FOLDER = "From a folder of samples …"
REMOVE_SIDE = 20


class UserInstrumentSource(Protocol):
    """The performer's own instruments, as a part's list shows them."""

    def entries(self, part: str) -> Sequence[tuple[str, str]]:
        """Name and label of each that the part can play."""

    def label_of(self, name: str) -> str:
        """What one is called."""

    def problem_of(self, part: str) -> str:
        """Why the part's own instrument does not play; "" where it does."""

    def choose(self, part: str, folder: bool) -> None:
        """Ask for a file or a folder."""

    def remove(self, part: str, name: str) -> None:
        """Take one out of the list."""


class OwnRow(QWidget):
    """Row of the list with one of the performer's own, and the button that takes it out."""

    def __init__(self, label: str, remove: Callable[[], object], parent: QWidget) -> None:
        super().__init__(parent)
        text = QLabel(label, self)
        text.setStyleSheet(f"color: {colours.ACCENT}; background: transparent;")
        text.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.button = QPushButton("✕", self)
        self.button.setStyleSheet(
            "QPushButton { border: 0; padding: 0; background: transparent; "
            f"color: {colours.DIM}; }}"
            f"QPushButton:hover {{ color: {colours.DANGER}; }}"
        )
        self.button.setFixedSize(REMOVE_SIDE, REMOVE_SIDE)
        self.button.setToolTip("Take it out of the list; the file stays")
        self.button.setAccessibleName(f"Remove {label}")
        self.button.clicked.connect(remove)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 0, 4, 0)
        row.addWidget(text, 1)
        row.addWidget(self.button)


def plain_name(name: str) -> str:
    """Name of an instrument or kit as it is read."""
    return name.replace("_", " ")


def found_names(names: tuple[str, ...], words: str) -> list[str]:
    """Names in which every word occurs; those that begin with the first come first."""
    wanted = words.casefold().split()
    hits = [name for name in names if all(word in plain_name(name).casefold() for word in wanted)]
    return sorted(hits, key=lambda name: bool(wanted) and not name.startswith(wanted[0]))


class InstrumentList(QFrame):
    """List of the instruments that fit a part, which closes when one is chosen."""

    def __init__(
        self, registry: Registry, name: str, user: UserInstrumentSource | None, parent: QWidget
    ) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.registry, self.name, self.user = registry, name, user
        self.part = name.split(".")[1]
        self.parameter = registry[name]
        self.setStyleSheet(f"QFrame {{ background: {colours.RAISED}; }}")
        self.search = QLineEdit(self)
        self.search.setPlaceholderText("Search")
        self.search.setAccessibleName(f"Search: {self.parameter.label}")
        self.list = QListWidget(self)
        self.list.setAccessibleName(self.parameter.label)
        self.list.setStyleSheet(
            f"QListWidget {{ background: {colours.RAISED}; border: 0; outline: 0; }}"
            "QListWidget::item { padding: 5px 8px; }"
            f"QListWidget::item:selected {{ background: {colours.EDGE}; color: {colours.ACCENT}; }}"
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.addWidget(self.search)
        column.addWidget(self.list, 1)
        self.search.textChanged.connect(self.show_found)
        self.search.returnPressed.connect(self._choose_current)
        self.search.installEventFilter(self)
        self.list.itemClicked.connect(self._choose)
        self.resize(round(theme.scaled(230)), round(theme.scaled(320)))
        self.show_found("")
        self.search.setFocus()

    def show_found(self, words: str) -> None:
        """List what the words find; auto stands first where nothing is searched."""
        self.list.clear()
        rows: list[tuple[str, str | None]] = [] if words.strip() else [(AUTO, None)]
        own = () if self.user is None else self.user.entries(self.part)
        wanted = words.casefold().split()
        rows += [(label, n) for n, label in own if all(w in label.casefold() for w in wanted)]
        rows += [(plain_name(name), name) for name in found_names(self.parameter.choices, words)]
        if self.user is not None and not words.strip():
            rows += [(FROM_FILE, FROM_FILE), (FROM_FOLDER, FROM_FOLDER)]
        chosen = self.registry.get(self.name)
        current = 0
        for index, (text, name) in enumerate(rows):
            item = QListWidgetItem(text, self.list)
            item.setData(Qt.ItemDataRole.UserRole, name)
            if name is not None and is_user_instrument(name):
                self._show_own(item, text, name)
            if name == chosen and not words.strip():
                current = index
        self.list.setCurrentRow(current)

    def _show_own(self, item: QListWidgetItem, label: str, name: str) -> None:
        row = OwnRow(label, lambda: self._remove(name), self.list)
        item.setText("")
        item.setData(Qt.ItemDataRole.AccessibleTextRole, label)
        item.setSizeHint(QSize(10, round(theme.scaled(28))))
        self.list.setItemWidget(item, row)

    def _remove(self, name: str) -> None:
        if self.user is not None:
            self.user.remove(self.part, name)
        QTimer.singleShot(0, self, lambda: self.show_found(self.search.text()))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # The arrows move in the list while one types.
        keys = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
        press = event.type() == QEvent.Type.KeyPress
        if press and isinstance(event, QKeyEvent) and event.key() in keys:
            self.list.event(event)
            return True
        return super().eventFilter(watched, event)

    def _choose_current(self) -> None:
        item = self.list.currentItem()
        if item is not None:
            self._choose(item)

    def _choose(self, item: QListWidgetItem) -> None:
        chosen = item.data(Qt.ItemDataRole.UserRole)
        user, part = self.user, self.part
        if user is not None and chosen in (FROM_FILE, FROM_FOLDER):
            self.close()
            user.choose(part, chosen == FROM_FOLDER)
            return
        self.registry.set(self.name, chosen)
        self.close()


class InstrumentButton(ParameterWidget):
    """Button that shows a part's instrument and opens the list."""

    user: UserInstrumentSource | None = None
    """The performer's own; None before they are there."""

    def __init__(self, registry: Registry, name: str, parent: QWidget | None = None) -> None:
        super().__init__(registry, name, parent)
        self.open_list: InstrumentList | None = None
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setMinimumSize(70, 24)

    def sizeHint(self) -> QSize:
        return QSize(130, 28)

    @property
    def text(self) -> str:
        value = self.registry.get(self.parameter_name)
        shown = self.model_choice if value is None else str(value)
        if is_user_instrument(shown):
            return self._own_label(shown)
        return plain_name(shown) if shown else "auto"

    def _own_label(self, name: str) -> str:
        if self.user is None:
            return self.parameter.text(name)
        problem = self.user.problem_of(self.parameter_name.split(".")[1])
        return self.user.label_of(name) + (" (not there)" if problem else "")

    def show_choice(self, name: str) -> None:
        """Show what the engine plays with while this is at auto; "" for nothing."""
        if name != self.model_choice:
            self.model_choice = name
            self.update()

    def tooltip_text(self) -> str:
        part = self.parameter_name.split(".")[1]
        problem = "" if self.user is None else self.user.problem_of(part)
        return (
            f"<b>{self.parameter.label}</b><br>{self.parameter.help}<br>"
            + (f"{escape(problem)}<br>" if problem else "")
            + "Drop a sample, a folder of samples, an SFZ or an SF2 here to play it.<br>"
            "<span style='color:#9aa3af'>Click or enter for the list, and type to search; wheel or "
            "arrows for the next; A: auto.</span>"
        )

    def open_menu(self) -> None:
        """Open the list under the button."""
        self.open_list = InstrumentList(self.registry, self.parameter_name, self.user, self)
        self.open_list.destroyed.connect(self._forget_list)
        corner = self.mapToGlobal(self.rect().bottomLeft())
        room = self.screen().availableGeometry()
        if corner.y() + self.open_list.height() > room.bottom():
            corner = self.mapToGlobal(self.rect().topLeft())
            corner.setY(corner.y() - self.open_list.height())
        corner.setX(min(corner.x(), room.right() - self.open_list.width()))
        self.open_list.move(corner)
        self.open_list.show()

    def _forget_list(self) -> None:
        self.open_list = None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.open_menu()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.open_menu()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        box, own = QRectF(self.rect()), not self.is_auto
        paint_key(
            painter, box, hex_color=colours.ACCENT, glow=0.5 if own else 0.0,
            hovered=self.hovered and self.isEnabled(), focused=self.hasFocus(), radius=6,
        )  # fmt: skip
        ink = colours.ACCENT if own else colours.TEXT if self.hovered else colours.DIM
        painter.setPen(QColor(ink if self.isEnabled() else colours.LINE))
        size = min(max(box.height() * 0.44, 11.0), theme.scaled(15))
        inner = box.adjusted(8, 0, -18, 0)
        theme.fit_font(painter, self.text, theme.font(size), inner.width())
        painter.drawText(inner, Qt.AlignmentFlag.AlignVCenter, self.text)
        right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(box.adjusted(0, 0, -6, 0), right, "▾")
