"""Panel of learn mode: instruction, incoming messages, and the last mapping to be corrected."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.control.midi.decode import KIND_LABELS
from app.control.midi.mapping import ControllerMap, Mapping
from app.parameters.registry import Registry
from app.window.controllers import form_style as forms
from app.window.controllers import map_edits as edits
from app.window.controllers.mapping_form import MappingForm
from app.window.style import colours, theme

HEIGHT = 196
COMPACT_HEIGHT = 104
"""Without a mapping to be corrected."""


class LearnPanel(QWidget):
    """Panel of learn mode, where the last mapping can be corrected or removed."""

    done_requested = Signal()
    forget_requested = Signal()
    skip_requested = Signal()
    edited = Signal(object, object)

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setStyleSheet(forms.sheet())
        self._registry = registry
        self.instruction = QLabel(self)
        self.instruction.setFont(theme.bold(23))
        self.input_text = QLabel(self)
        self.input_text.setFont(theme.font(14))
        self.input_text.setStyleSheet(f"color: {colours.DIM}")
        self.learned = QLabel(self)
        self.learned.setFont(theme.bold(15))
        self.learned.setStyleSheet(f"color: {colours.ACCENT}")
        self.form = MappingForm(registry, self, compact=True)
        self.form.edited.connect(self.edited)
        self.skip = QPushButton("Skip", self)
        self.skip.setToolTip("Leave this one, and on to the next")
        self.skip.clicked.connect(self.skip_requested)
        self.forget = QPushButton("Forget", self)
        self.forget.setToolTip("Take the last lesson back")
        self.forget.clicked.connect(self.forget_requested)
        done = QPushButton("Done", self)
        done.setDefault(True)
        done.setToolTip("Leave learn mode (Esc or L)")
        done.clicked.connect(self.done_requested)
        for button in (self.skip, self.forget, done):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setCursor(Qt.CursorShape.PointingHandCursor)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.instruction)
        words.addWidget(self.input_text)
        top = QHBoxLayout()
        top.addLayout(words, 1)
        top.addWidget(self.skip, 0, Qt.AlignmentFlag.AlignTop)
        top.addWidget(done, 0, Qt.AlignmentFlag.AlignTop)
        self.result = QWidget(self)
        inner = forms.lay_out(QVBoxLayout(self.result), 8)
        line = QHBoxLayout()
        line.addWidget(self.learned, 1)
        line.addWidget(self.forget)
        inner.addLayout(line)
        inner.addWidget(self.form)
        self.hint = QLabel(
            "Pull the mouse over several to learn them in a row.   Right-click frees a control.   "
            "Hold L over a control: the same, anywhere.   Esc leaves.",
            self,
        )
        self.hint.setFont(theme.font(13))
        self.hint.setStyleSheet(f"color: {colours.FAINT}")
        column = QVBoxLayout(self)
        column.setContentsMargins(22, 14, 16, 14)
        column.setSpacing(8)
        column.addLayout(top)
        column.addWidget(self.hint)
        column.addStretch(1)
        column.addWidget(self.result)
        self.show_target(None, 0)
        self.show_result("", None, None)

    def show_target(self, target: str | None, left: int) -> None:
        """left: number of targets that follow."""
        if target is None:
            self.instruction.setText("Click what you want to play")
        else:
            name = edits.target_label(target, self._registry)
            self.instruction.setText(f"{name}: now move a knob or press a key")
        self.skip.setVisible(target is not None)
        self.skip.setText(f"Skip  ({left} more)" if left else "Skip")

    def show_input(self, words: str) -> None:
        if words != self.input_text.text():
            self.input_text.setText(words)

    def show_result(
        self, port: str, controller: ControllerMap | None, mapping: Mapping | None
    ) -> None:
        """Show the mapping that was learned last, or none."""
        there = controller is not None and mapping is not None
        self.result.setVisible(there)
        self.hint.setVisible(not there)
        self.form.show_mapping(controller, mapping)
        if controller is None or mapping is None:
            return
        control = controller.control(mapping.control)
        target = edits.target_label(mapping.target, self._registry)
        sends = edits.control_description(control)
        name = sends if control.label in sends else f"{control.label} ({sends})"
        self.learned.setText(f"✓  {target}  ←  {port}: {name}, {KIND_LABELS[control.kind]}")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()  # a click beside a button must not reach what lies beneath

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setBrush(QColor(colours.PANEL))
        painter.setPen(QPen(theme.colour(colours.ACCENT, 0.6), 1))
        painter.drawRoundedRect(box, 12, 12)
