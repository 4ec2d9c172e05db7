"""Maps page: controllers and their mappings, listed, drawn and editable."""

from __future__ import annotations

from functools import partial
from typing import Final

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QBrush, QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QMenu,
    QPushButton,
    QSplitter,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.control.bridge import ControlBridge
from app.control.midi.mapping import SHIFT, ControllerMap, Mapping
from app.window.controllers import form_style as forms
from app.window.controllers import map_edits as edits
from app.window.controllers.controller_view import ControllerView
from app.window.controllers.map_files import MapFiles
from app.window.controllers.mapping_form import MappingForm
from app.window.controllers.offer_bar import OfferBar
from app.window.style import colours, theme
from models.errors import SegueError

ROLE: Final = Qt.ItemDataRole.UserRole
ROW: Final = 25
FRAME: Final = 26
"""Width of the list's frame and scroll bar in pixels."""
PADDING: Final = 18
"""Room beside a cell's text in pixels."""
MAX_LIST: Final = 500
"""Greatest width of the list in pixels, unless it is made wider by hand."""


class MapsPage(QWidget):
    """Maps of the hub's surfaces. `message` has level and sentence."""

    message = Signal(str, str)
    learn_requested = Signal()
    answered = Signal(str, bool)  # the offer of a ready-made map: port, yes or no

    def __init__(self, bridge: ControlBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bridge, self.hub = bridge, bridge.hub
        self.registry = self.hub.registry
        self.port = ""
        self.mapping: Mapping | None = None
        self._drawn: object = None
        self.files = MapFiles(self.hub, self)
        self.files.message.connect(self.message)
        self.files.changed.connect(self.refresh)
        self.tree = QTreeWidget(self)
        self.tree.setHeaderLabels(["Control", "Moves", "Details"])
        self.tree.setUniformRowHeights(True)
        self.tree.setIndentation(14)
        header = self.tree.header()
        header.setStretchLastSection(True)
        for column, mode in enumerate((QHeaderView.ResizeMode.Interactive,) * 2):
            header.setSectionResizeMode(column, mode)
        self.tree.setMinimumWidth(310)
        self.tree.viewport().installEventFilter(self)
        self.tree.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.tree.currentItemChanged.connect(self._picked_row)
        self.view = ControllerView(self.registry, self)
        self.view.clicked.connect(self._picked_control)
        self.name = forms.Elided(self)
        self.name.setFont(theme.bold(18))
        self.about = forms.Elided(self)
        self.about.setFont(theme.font(13))
        self.about.setStyleSheet(f"color: {colours.DIM}")
        self.form = MappingForm(self.registry, self)
        self.form.edited.connect(self._edited)
        self.form.message.connect(lambda sentence: self.message.emit("warning", sentence))
        self.title = forms.Elided(self)
        self.title.setFont(theme.bold(15))
        self.target = QComboBox(self)
        self.target.setToolTip("One more thing for this control to move")
        self.target.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.target.setMinimumContentsLength(18)
        self.target.activated.connect(self._add_target)
        self.remove = QPushButton("Delete", self)
        self.remove.setToolTip("It moves this no more; a learned control can go as a whole")
        self.remove.clicked.connect(self.delete)
        self.split = QSplitter(Qt.Orientation.Horizontal, self)
        self._moved = False
        self.split.splitterMoved.connect(self._hold_split)
        self.offer = OfferBar(self, floating=False)
        self.offer.answered.connect(self.answered)
        self._build()
        bridge.ports_changed.connect(self.refresh)
        bridge.map_changed.connect(lambda _: self.refresh())
        bridge.learned.connect(lambda lesson, mapping: self._show_learned(lesson.port, mapping))
        self.refresh()

    def _build(self) -> None:
        self.menu_button = QPushButton("Map", self)
        menu = QMenu(self.menu_button)
        menu.aboutToShow.connect(partial(self._fill_menu, menu))
        self.menu_button.setMenu(menu)
        self.menu_button.setToolTip("Ready-made maps, and files to load, to keep or to share")
        learn = QPushButton("Learn", self)
        learn.setDefault(True)
        learn.setToolTip("Click what you want to play in the window, then move a control")
        learn.clicked.connect(self.learn_requested)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self.name)
        words.addWidget(self.about)
        top = QHBoxLayout()
        top.addLayout(words, 1)
        for button in (self.menu_button, learn):
            top.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        editor = QWidget(self)
        line = QHBoxLayout()
        line.addWidget(self.title, 1)
        line.addWidget(self.target)
        line.addWidget(self.remove)
        column = forms.lay_out(QVBoxLayout(editor), 10)
        column.addLayout(line)
        column.addWidget(self.form)
        right = QWidget(self)
        column = QVBoxLayout(right)
        column.setContentsMargins(10, 0, 0, 0)
        column.setSpacing(10)
        column.addLayout(top)
        column.addWidget(self.view, 1)
        column.addWidget(editor)
        split = self.split
        split.addWidget(self.tree)
        split.addWidget(right)
        split.setStretchFactor(0, 1)
        split.setStretchFactor(1, 3)
        split.setSizes([400, 640])
        split.setChildrenCollapsible(False)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.offer)
        whole.addWidget(split, 1)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the columns fit for their text."""
        if event.type() == QEvent.Type.Resize:
            self._fit_columns()
        return False

    def _fit_columns(self) -> None:
        """Columns as wide as their text; where that is too wide, explanations in brackets give way
        first, and then each column its share.
        """
        wanted = self._widths()
        excess = max(0, sum(wanted) - self.tree.viewport().width())
        spare = min(excess, wanted[0] - self._widths(brackets=False)[0])
        wanted[0], excess = wanted[0] - spare, excess - spare
        for column in range(2):
            share = wanted[column] / max(sum(wanted), 1)
            self.tree.setColumnWidth(column, round(wanted[column] - excess * share))

    # -- maps -----------------------------------------------------------------------------------
    @property
    def controller(self) -> ControllerMap | None:
        surface = self.hub.surfaces.get(self.port)
        return None if surface is None else surface.controller

    def refresh(self) -> None:
        """Show controllers and maps as they are now."""
        if self.port not in self.hub.surfaces:
            there = sorted(self.hub.connected) or sorted(self.hub.surfaces)
            self.port = there[0] if there else ""
            self.mapping = None
        state = tuple(
            (port, surface.controller, port in self.hub.connected)
            for port, surface in sorted(self.hub.surfaces.items())
        )
        if state != self._drawn:
            self._drawn = state
            self._fill_tree()
        self._show()

    def _fill_tree(self) -> None:
        self.tree.blockSignals(True)
        shut = {top.data(0, ROLE)[0] for top in self._devices() if not top.isExpanded()}
        self.tree.clear()
        for port, surface in sorted(self.hub.surfaces.items()):
            there = port in self.hub.connected
            top = QTreeWidgetItem([port, "" if there else "not connected"])
            top.setFont(0, theme.bold(14))
            top.setSizeHint(0, QSize(0, ROW))
            top.setData(0, ROLE, (port, None))
            top.setForeground(0, QBrush(QColor(colours.TEXT if there else colours.FAINT)))
            top.setForeground(1, QBrush(QColor(colours.FAINT)))
            self.tree.addTopLevelItem(top)
            order = {control.id: n for n, control in enumerate(surface.controller.controls)}
            for mapping in sorted(surface.controller.mappings, key=lambda m: order[m.control]):
                row = QTreeWidgetItem(
                    [
                        surface.controller.control(mapping.control).label,
                        edits.target_label(mapping.target, self.registry),
                        edits.details(mapping),
                    ]
                )
                row.setSizeHint(0, QSize(0, ROW))
                for column in range(3):
                    row.setToolTip(column, row.text(column))
                row.setForeground(2, QBrush(QColor(colours.DIM)))
                row.setData(0, ROLE, (port, mapping))
                top.addChild(row)
            top.setExpanded(port not in shut)
            top.setFirstColumnSpanned(there)
        self.tree.blockSignals(False)
        needed = sum(self._widths()) + FRAME
        left, right = self.split.sizes()
        if left < needed and not self._moved:  # once it is moved by hand it stays
            self.split.setSizes([min(needed, MAX_LIST), left + right - min(needed, MAX_LIST)])
        self._fit_columns()

    def _widths(self, *, brackets: bool = True) -> list[int]:
        """Width in pixels that the text of each column needs, with explanations or without."""
        metrics, widths = self.tree.fontMetrics(), [60, 60, 60]
        for top in self._devices():
            for row in filter(None, (top.child(n) for n in range(top.childCount()))):
                for column in range(3):
                    text = row.text(column)
                    text = text if brackets else text.partition(" (")[0]
                    needed = metrics.horizontalAdvance(text) + PADDING
                    widths[column] = max(widths[column], needed)
        widths[0] += 2 * self.tree.indentation()
        return widths

    def _hold_split(self) -> None:
        self._moved = True

    def _devices(self) -> list[QTreeWidgetItem]:
        found = [self.tree.topLevelItem(n) for n in range(self.tree.topLevelItemCount())]
        return [top for top in found if top is not None]

    def _show(self) -> None:
        controller = self.controller
        surface = self.hub.surfaces.get(self.port)
        self.view.show_surface(surface, self.port in self.hub.connected)
        self.menu_button.setEnabled(controller is not None)
        if controller is None:
            self.name.setText("No controller")
            self.about.setText("Plug one in, or switch its port on.")
        else:
            whole = f"{controller.maker} {controller.name}".strip()
            self.name.setText(whole)
            many = len(controller.mappings)
            self.about.setText(f"{self.port} · {many} mapping{'' if many == 1 else 's'}")
        self._show_mapping()

    def _show_mapping(self) -> None:
        controller = self.controller
        if self.mapping is not None:
            # Undo may have changed its numbers.
            still = None if controller is None else edits.find_mapping(controller, self.mapping)
            self.mapping = still
        self.form.show_mapping(controller, self.mapping)
        picked = self.view.selected
        if self.mapping is not None and controller is not None:
            picked = self.mapping.control
            label = controller.control(picked).label
            reach = edits.range_text(self.mapping, self.registry)
            target = edits.target_label(self.mapping.target, self.registry)
            self.title.setText(f"{label}  →  {target}{f'  ({reach})' if reach else ''}")
        elif controller is not None and picked in {each.id for each in controller.controls}:
            label = controller.control(str(picked)).label
            self.title.setText(f"{label} moves nothing yet")
        else:
            picked = None
            self.title.setText("Click a control, or learn one")
        self.view.select(picked)
        learned = picked is not None and ".ch" in picked
        self.remove.setEnabled(self.mapping is not None or learned)
        self.remove.setText("Remove control" if self.mapping is None and learned else "Delete")
        self._fill_targets(picked is not None)
        self._select_row()

    def _fill_targets(self, there: bool) -> None:
        self.target.setEnabled(there)
        self.target.clear()
        self.target.addItem("Add a target …", None)
        for name in (*self.registry.names(available_only=True), SHIFT):
            self.target.addItem(edits.target_label(name, self.registry), name)

    def _select_row(self) -> None:
        self.tree.blockSignals(True)
        for top in self._devices():
            rows = [top, *(top.child(n) for n in range(top.childCount()))]
            for row in rows:
                if row is not None and row.data(0, ROLE) == (self.port, self.mapping):
                    self.tree.setCurrentItem(row)
                    hint = QAbstractItemView.ScrollHint
                    self.tree.scrollToItem(
                        row, hint.PositionAtTop if row is top else hint.EnsureVisible
                    )
        self.tree.blockSignals(False)

    # -- input ----------------------------------------------------------------------------------
    def _picked_row(self, row: QTreeWidgetItem | None, before: object = None) -> None:
        if row is None:
            return
        port, mapping = row.data(0, ROLE)
        other = port != self.port
        self.port, self.mapping = port, mapping
        if mapping is None:
            self.view.select(None)
        if other:
            self._show()
        else:
            self._show_mapping()

    def _picked_control(self, name: str) -> None:
        """Select the next mapping of the control that was clicked."""
        controller = self.controller
        if controller is None:
            return
        found = [mapping for mapping in controller.mappings if mapping.control == name]
        at = found.index(self.mapping) + 1 if self.mapping in found else 0
        self.mapping = found[at % len(found)] if found else None
        self.view.select(name)
        self._show_mapping()

    def _show_learned(self, port: str, mapping: Mapping) -> None:
        self.port, self.mapping = port, mapping
        self.refresh()

    def _edited(self, controller: ControllerMap, mapping: Mapping) -> None:
        gesture = edits.edit_gesture(self.mapping, mapping)
        self.mapping = mapping
        self.hub.change_map(self.port, controller, gesture)
        self.refresh()

    def _add_target(self) -> None:
        name, controller = self.target.currentData(), self.controller
        control = self.view.selected
        if name is None or controller is None or control is None:
            return
        self.mapping = Mapping(control, name)
        self.hub.change_map(self.port, controller.with_mapping(self.mapping))
        self.refresh()

    def delete(self) -> None:
        """Remove the selected mapping; where there is none, a learned control."""
        controller, picked = self.controller, self.view.selected
        if controller is None:
            return
        if self.mapping is not None:
            gone, self.mapping = self.mapping, None
            self.hub.change_map(self.port, edits.remove_mapping(controller, gone))
            self.view.select(gone.control)
            label = controller.control(gone.control).label
            target = edits.target_label(gone.target, self.registry)
            self.message.emit(
                "info", f"{label} moves {target} no more. {forms.UNDO} takes it back."
            )
        elif picked is not None:
            label = controller.control(picked).label
            self.hub.change_map(self.port, edits.remove_control(controller, picked))
            self.view.select(None)
            self.message.emit("info", f"{label} is forgotten. {forms.UNDO} takes it back.")
        self.refresh()

    def _fill_menu(self, menu: QMenu) -> None:
        menu.clear()
        for name, found in sorted(self.hub.library.ready_made.items()):
            words = f"{found.maker} {name}".strip()
            matches_port = "   fits" if found.matches_port(self.port) else ""
            menu.addAction(f"{words}{matches_port}", partial(self.use_ready_made, name))
        menu.addSeparator()
        menu.addAction("Empty", partial(self.use_ready_made, ""))
        menu.addSeparator()
        menu.addAction("Load a file …", lambda: self.files.load_dialog(self.port))
        menu.addAction("Save as a file …", lambda: self.files.save_dialog(self.port))

    def use_ready_made(self, name: str) -> None:
        """Use a ready-made map on the selected port; '' for the default map."""
        try:
            before = self.controller
            self.hub.use_ready_made(self.port, name)
            if before is not None and before.mappings:
                words = f"the map {name}" if name else "an empty map"
                self.message.emit(
                    "info", f"{self.port} has {words} now. {forms.UNDO} takes it back."
                )
        except SegueError as error:
            self.message.emit("error", str(error))
        self.mapping = None
        self.refresh()
