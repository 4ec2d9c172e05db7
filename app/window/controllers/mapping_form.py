"""Form of one mapping and its control: kind, channel, range, layer, curve, takeover, action."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, cast

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QWidget,
)

from app.control.midi.decode import KIND_LABELS, is_button_kind, is_relative
from app.control.midi.mapping import SHIFT, ControllerElement, ControllerMap, Mapping
from app.parameters.registry import Registry
from app.window.controllers import form_style as forms
from app.window.controllers import map_edits as edits
from app.window.shortcuts import shortcut_of
from app.window.style import colours, theme
from models.errors import SegueError


class MappingForm(QWidget):
    """Form of a mapping. `edited` has the changed map and the mapping.

    compact: only what learning may get wrong (kind, channel, layer, range, invert).
    """

    edited = Signal(object, object)
    message = Signal(str)

    def __init__(
        self, registry: Registry, parent: QWidget | None = None, *, compact: bool = False
    ) -> None:
        super().__init__(parent)
        self._registry = registry
        self._controller: ControllerMap | None = None
        self.mapping: Mapping | None = None
        self.compact = compact
        self.kind = self._combo((), self._set_kind)
        self.kind.setToolTip("What kind of control this is; learned from what it sends.")
        channels: list[tuple[int | None, str]] = [(None, "any")]
        channels += [(n, str(n)) for n in range(1, 17)]
        self.channel = self._combo(channels, self._set_channel)
        self.layer = self._combo(
            edits.LAYER_LABELS.items(), lambda: self._set(layer=self.layer.currentData())
        )
        self.low, self.high = self._spin(), self._spin()
        self.low.valueChanged.connect(lambda: self._set_range(self.low))
        self.high.valueChanged.connect(lambda: self._set_range(self.high))
        self.invert = QCheckBox("invert", self)
        self.invert.toggled.connect(lambda on: self._set(invert=on))
        self.units = QLabel(self)
        self.units.setStyleSheet(f"color: {colours.DIM}")
        self.curve = self._combo(
            edits.CURVE_LABELS.items(), lambda: self._set(shape=self.curve.currentData())
        )
        self.takeover = self._combo(
            edits.TAKEOVER_LABELS.items(), lambda: self._set(takeover=self.takeover.currentData())
        )
        self.takeover.setToolTip(
            "What a knob does whose position differs from the value: pickup waits until it "
            "reaches the value, scale moves the value in proportion, jump sets it at once."
        )
        self.action = self._combo(edits.ACTION_LABELS.items(), self._set_action)
        self.value = QLineEdit(self)
        self.value.setPlaceholderText("value")
        self.value.editingFinished.connect(self._set_value)
        self.step = self._spin()
        self.step.setRange(0.1, 25.0)
        self.step.setDecimals(1)
        self.step.valueChanged.connect(lambda value: self._set(step=value / 100.0))
        self.step.setToolTip("How far one step of the encoder moves.")
        for field, words in (
            (self.channel, "MIDI channel on which the control sends; any takes all of them."),
            (
                self.layer,
                "Layer in which this mapping acts; shift, while held, is the second.",
            ),
            (self.low, "Where the target is when the control is at its lower end."),
            (self.high, "Where the target is when the control is at its upper end."),
            (self.invert, "The lower end of the control is the upper end of the range."),
            (self.curve, "How the target follows the control between its ends."),
            (self.action, "What pressing does: toggle, momentary, trigger, step or set a value."),
            (self.value, "The value that pressing sets, such as 124, on, A minor or auto."),
        ):
            field.setToolTip(words)
        self._rows: dict[str, tuple[QLabel, QWidget]] = {}
        self._lay_out()
        self.show_mapping(None, None)

    # -- building ------------------------------------------------------------------------------
    def _combo(
        self, items: Iterable[tuple[object, str]], on_pick: Callable[[], object]
    ) -> QComboBox:
        combo = QComboBox(self)
        for data, words in items:
            combo.addItem(words, data)
        combo.activated.connect(lambda _: on_pick())
        combo.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return combo

    def _spin(self) -> QDoubleSpinBox:
        spin = QDoubleSpinBox(self)
        spin.setRange(0.0, 100.0)
        spin.setDecimals(0)
        spin.setSuffix(" %")
        spin.setKeyboardTracking(False)
        spin.setAlignment(Qt.AlignmentFlag.AlignCenter)
        spin.setFixedWidth(72)
        spin.lineEdit().installEventFilter(self)
        return spin

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """A number that was changed, not just typed, is undone by the program's own undo."""
        if event.type() != QEvent.Type.KeyPress or not isinstance(watched, QLineEdit):
            return False
        shortcut = shortcut_of(cast(QKeyEvent, event))
        is_undo = shortcut is not None and shortcut.action in ("edit.undo", "edit.redo")
        if shortcut is None or not is_undo or watched.isUndoAvailable():
            return False
        self._registry.trigger(shortcut.action, "keyboard")
        return True

    def _lay_out(self) -> None:
        reach = QWidget(self)
        row = forms.lay_out(QHBoxLayout(reach), 8)
        row.addWidget(self.low)
        row.addWidget(QLabel("to", reach))
        row.addWidget(self.high)
        row.addWidget(self.invert)
        row.addWidget(self.units)
        row.addStretch(1)
        self.units.setVisible(self.compact)
        press = QWidget(self)
        row = forms.lay_out(QHBoxLayout(press), 8)
        row.addWidget(self.action, 1)
        row.addWidget(self.value)
        self.value.setFixedWidth(96)
        cells: list[tuple[str, QWidget, int, int]] = [
            ("Kind", self.kind, 0, 0),
            ("Channel", self.channel, 0, 1),
            ("Range", reach, 1, 0),
            ("Layer", self.layer, 1, 1),
        ]
        if not self.compact:
            cells += [
                ("Curve", self.curve, 2, 0),
                ("Takeover", self.takeover, 2, 1),
                ("Press", press, 3, 0),
                ("Step", self.step, 3, 1),
            ]
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        for words, widget, line, column in cells:
            label = QLabel(words, self)
            label.setFont(theme.caption(12.5))
            label.setStyleSheet(f"color: {colours.DIM}")
            grid.addWidget(label, line, 2 * column)
            grid.addWidget(widget, line, 2 * column + 1)
            self._rows[words] = (label, widget)
        grid.setColumnStretch(1, 2)
        grid.setColumnStretch(3, 1)
        for hidden in (self.curve, self.takeover, press, self.step) if self.compact else ():
            hidden.hide()

    # -- showing -------------------------------------------------------------------------------
    @property
    def control(self) -> ControllerElement | None:
        if self._controller is None or self.mapping is None:
            return None
        return self._controller.control(self.mapping.control)

    def show_mapping(self, controller: ControllerMap | None, mapping: Mapping | None) -> None:
        """Show a mapping, or none."""
        self._controller, self.mapping = controller, mapping
        control = self.control
        self.setEnabled(control is not None)
        self.value.hide()
        if control is None or mapping is None:
            return
        fields = (self.kind, self.channel, self.layer, self.low, self.high, self.invert, self.curve,
                  self.takeover, self.action, self.value, self.step)  # fmt: skip
        blockers = [QSignalBlocker(field) for field in fields]
        self.kind.clear()
        for kind in edits.kinds_for(control):
            self.kind.addItem(KIND_LABELS[kind], kind)
        self.kind.setCurrentIndex(self.kind.findData(control.kind))
        self.channel.setCurrentIndex(0 if control.channel is None else control.channel)
        self.layer.setCurrentIndex(self.layer.findData(mapping.layer))
        self.low.setValue(mapping.low * 100.0)
        self.high.setValue(mapping.high * 100.0)
        self.invert.setChecked(mapping.invert)
        self.units.setText(edits.range_text(mapping, self._registry))
        self.curve.setCurrentIndex(self.curve.findData(mapping.shape))
        self.takeover.setCurrentIndex(self.takeover.findData(mapping.takeover))
        self.action.setCurrentIndex(self.action.findData(mapping.action))
        self.value.setText("" if mapping.value is None else str(mapping.value))
        self.step.setValue(mapping.step * 100.0)
        del blockers
        self._show_what_applies(control, mapping)

    def _show_what_applies(self, control: ControllerElement, mapping: Mapping) -> None:
        """Enable only the fields that have an effect."""
        known = mapping.target in self._registry
        parameter = self._registry[mapping.target] if known else None
        way = parameter is not None and parameter.kind in ("continuous", "choice")
        pressed, relative = is_button_kind(control.kind), is_relative(control.kind)
        for words, applies in {
            "Range": way or (parameter is not None and parameter.kind == "switch" and not pressed),
            "Curve": way and not relative and not (pressed and control.kind != "pad"),
            "Takeover": way and not relative and not pressed,
            "Press": pressed and mapping.target != SHIFT and control.kind != "program",
            "Step": relative and way,
        }.items():
            if words in self._rows:
                for widget in self._rows[words]:
                    widget.setEnabled(applies)
        self.layer.setEnabled(mapping.target != SHIFT)
        self.value.setVisible(not self.compact and mapping.action == "set")

    # -- changing ------------------------------------------------------------------------------
    def _set(self, **changes: Any) -> None:
        if self._controller is None or self.mapping is None:
            return
        new = replace(self.mapping, **changes)
        if new != self.mapping:
            self._tell(edits.replace_mapping(self._controller, self.mapping, new), new)

    def _tell(self, controller: ControllerMap, mapping: Mapping) -> None:
        self.show_mapping(controller, mapping)
        self.edited.emit(controller, mapping)

    def _set_kind(self) -> None:
        control = self.control
        if control is not None and self._controller is not None and self.mapping is not None:
            new = edits.with_kind(control, self.kind.currentData())
            if new != control:
                self._tell(edits.replace_control(self._controller, new), self.mapping)

    def _set_channel(self) -> None:
        control = self.control
        if control is not None and self._controller is not None and self.mapping is not None:
            new = replace(control, channel=self.channel.currentData())
            if new != control:
                self._tell(edits.replace_control(self._controller, new), self.mapping)

    def _set_range(self, moved: QDoubleSpinBox) -> None:
        low, high = self.low.value(), self.high.value()
        if low >= high:
            # The other end of the range gives way.
            if moved is self.low:
                low = min(low, 99.0)
                high = low + 1.0
            else:
                high = max(high, 1.0)
                low = high - 1.0
        self._set(low=low / 100.0, high=high / 100.0)

    def _set_action(self) -> None:
        action = self.action.currentData()
        value = self.mapping.value if self.mapping is not None and action == "set" else None
        if action == "set" and value is None and self.mapping is not None:
            value = self._registry.get(self.mapping.target)
        self._set(action=action, value=value)

    def _set_value(self) -> None:
        mapping = self.mapping
        if mapping is None or mapping.target not in self._registry:
            return
        text = self.value.text().strip()
        try:
            self._set(value=read_value(text, mapping.target, self._registry))
        except SegueError as error:
            self.message.emit(str(error))
            self.value.setText("" if mapping.value is None else str(mapping.value))


def read_value(text: str, target: str, registry: Registry) -> float | bool | str | None:
    """Parse a parameter's value: '124', 'on', 'A minor', 'auto'. Raises SegueError."""
    parameter = registry[target]
    if parameter.kind == "choice":
        return parameter.accept(text)
    words = {"on": True, "off": False, "yes": True, "no": False}
    if parameter.kind == "switch" and text.casefold() in words:
        return words[text.casefold()]
    try:
        number = float(text)
    except ValueError:
        raise SegueError(f"'{text}' is no number; {parameter.label} needs one.") from None
    return parameter.accept(number)
