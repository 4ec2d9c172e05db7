"""Joins control surfaces to the window: learn mode, the offer of a map, the controllers' window.

GUI lane. The window only says that somebody wants to learn or to see the controllers; all that it
needs to know of surfaces is here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QTimer
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication, QWidget

from app.control.bridge import ControlBridge
from app.control.midi.learn_mode import Lesson
from app.control.midi.mapping import Mapping
from app.window.controllers import map_edits as edits
from app.window.controllers.controllers_window import ControllersWindow
from app.window.controllers.learn_overlay import LearnOverlay, Zone
from app.window.controllers.learn_panel import HEIGHT, LOW, LearnPanel
from app.window.controllers.offer_bar import OfferBar
from app.window.widgets.parameter_widget import ParameterWidget
from models.errors import SegueError
from models.music.score import SAMPLE_RATE

HEARD_MS: Final = 50
BEAT_MS: Final = 400


class ControllerCoordinator(QObject):
    """Made once the bridge runs; `stop` it before the window is shut."""

    def __init__(self, window: Any, bridge: ControlBridge) -> None:
        super().__init__(window)
        self.window, self.bridge, self.hub = window, bridge, bridge.hub
        self.registry = window.registry
        centre: QWidget = window.centre
        self.overlay = LearnOverlay(centre, lambda: list(self._zones()), self._tags)
        self.panel = LearnPanel(self.registry, self.overlay)
        self.offer = OfferBar(centre)
        self.last: tuple[str, Mapping] | None = None
        """Port and mapping of the last lesson."""
        self.controllers: ControllersWindow | None = None
        self._come_back = False
        self._swept: tuple[str, ...] = ()
        self._model_bpm: float | None = None
        self._heard_timer = QTimer(self)
        self._heard_timer.setInterval(HEARD_MS)
        self._heard_timer.timeout.connect(self._show_heard)
        self._beat_timer = QTimer(self)
        self._beat_timer.setInterval(BEAT_MS)
        self._beat_timer.timeout.connect(self._align_clock)
        self._beat_timer.start()
        self.overlay.chosen.connect(self.choose)
        self.overlay.swept.connect(self._sweep)
        self.overlay.unmap_wanted.connect(self.unmap)
        self.overlay.leave_wanted.connect(self.leave)
        self.panel.done_wanted.connect(self.leave)
        self.panel.skip_wanted.connect(self._skip)
        self.panel.forget_wanted.connect(self.forget)
        self.panel.edited.connect(self._edited)
        self.offer.answered.connect(self._answer)
        bridge.learned.connect(self._learned)
        bridge.offers_changed.connect(self._show_offers)
        bridge.map_changed.connect(self._map_changed)
        window.player.worker.block_ready.connect(self._block)
        window.learn_wanted.connect(self.key)
        window.controllers_wanted.connect(self.open_controllers)
        centre.installEventFilter(self)
        self._show_offers()

    def stop(self) -> None:
        """No timer outlives the window."""
        self._come_back = False
        self.leave()
        if self.controllers is not None:
            self.controllers.close()
        self._beat_timer.stop()
        self.window.centre.removeEventFilter(self)

    def open_controllers(self, page: str = "") -> None:
        """The window of maps, ports, clock, OSC and monitor; made when it is first wanted."""
        if self.controllers is None:
            self.controllers = ControllersWindow(self.bridge, self.window)
            self.controllers.said.connect(self.window.say)
            self.controllers.learn_wanted.connect(self._learn_from_maps)
        self.controllers.open_page(page)

    def _learn_from_maps(self) -> None:
        """Their window makes room for what is lit, and comes back afterwards."""
        if self.controllers is not None:
            self.controllers.hide()
            self._come_back = True
        self.window.activateWindow()
        if not self.learning:
            self.learn()

    # -- learn mode ------------------------------------------------------------------------------
    @property
    def learning(self) -> bool:
        return self.hub.learn.on

    def key(self, held: bool = False) -> None:
        """The button or the key. A held key over a control waits for that one at once."""
        if self.learning:
            self.leave()
            return
        control = control_at(QCursor.pos()) if held else None
        self.learn(held=control is not None)
        if control is not None:
            self.choose(control.parameter_name)

    def learn(self, *, held: bool = False) -> None:
        """Begin: everything that can be mapped is lit, nothing that is moved is played."""
        self.window.editor.close_editor()
        self.last = None
        self.hub.learn.begin()
        self.window.top.learn.setChecked(True)
        self.panel.show_lesson("", None, None)
        self.overlay.open_overlay(key_held=held)
        self._place()
        self._heard_timer.start()
        self._show_target()
        self._show_heard()

    def leave(self) -> None:
        """What is moved is played again."""
        if self.learning:
            self.hub.learn.end()
            self._heard_timer.stop()
            self.overlay.close_overlay()
            self.window.top.learn.setChecked(False)
            self.window.setFocus()
            if self._come_back and self.controllers is not None:
                self._come_back = False
                self.controllers.open_page()

    def choose(self, target: str) -> None:
        """This one waits for a control."""
        self._swept = ()
        self.hub.learn.choose(target)
        self._show_target()

    def _sweep(self, targets: tuple[str, ...]) -> None:
        self._swept = targets
        self.hub.learn.begin(targets)
        self._show_target()

    def _skip(self) -> None:
        learn = self.hub.learn
        target = learn.target
        learn.skip()
        if learn.target is None and target is not None:
            self._go_on(target)
        self._show_target()

    def _go_on(self, target: str) -> None:
        """Along the row, where no list was made: prompt 2 after prompt 1."""
        following = edits.next_in_row(target, self.registry, self.hub.mapped())
        if following is not None and self.overlay.zone_of(following) is not None:
            self.hub.learn.choose(following)

    def _learned(self, lesson: Lesson, mapping: Mapping) -> None:
        self.last = (lesson.port, mapping)
        if self.learning:
            if self.hub.learn.target is None:
                self._go_on(lesson.target)
            self.overlay.flash(lesson.target)
            self._show_target()
        self._show_lesson()

    def _show_lesson(self) -> None:
        if self.last is None:
            self.panel.show_lesson("", None, None)
            self._place()
            return
        port, mapping = self.last
        self.panel.show_lesson(port, self.hub.surfaces[port].controller, mapping)
        self._place()

    def _edited(self, controller: Any, mapping: Mapping) -> None:
        if self.last is not None:
            port, before = self.last
            self.last = (port, mapping)
            self.hub.change_map(port, controller, edits.gesture_of(before, mapping))
            self._show_lesson()
            self.overlay.look()

    def _map_changed(self, port: str) -> None:
        """Undo may have taken the last lesson back."""
        if not self.learning:
            return
        if self.last is not None and self.last[0] == port:
            still = edits.same_place(self.hub.surfaces[port].controller, self.last[1])
            self.last = None if still is None else (port, still)
            self._show_lesson()
        self.overlay.look()

    def forget(self) -> None:
        """Take the last lesson back; its target waits again."""
        if self.last is None:
            return
        port, mapping = self.last
        controller = edits.drop_mapping(self.hub.surfaces[port].controller, mapping)
        self.hub.change_map(port, controller)
        self.last = None
        self._show_lesson()
        self.choose(mapping.target)
        self.overlay.look()

    def unmap(self, target: str) -> None:
        """Nothing moves this target any more."""
        self.hub.unmap(target)
        if self.last is not None and self.last[1].target == target:
            self.last = None
            self._show_lesson()
        self.overlay.look()

    def _show_target(self) -> None:
        learn = self.hub.learn
        self.panel.show_target(learn.target, learn.left)
        waiting = self._swept[len(self._swept) - learn.left :] if learn.left else ()
        self.overlay.set_target(learn.target, waiting)

    def _show_heard(self) -> None:
        ports = sorted(self.hub.connected)
        if not ports:
            self.panel.show_heard(
                "No MIDI input is connected. Plug a controller in: it is found by itself."
            )
            return
        heard = next((each for each in reversed(self.hub.monitor) if not each.out), None)
        fresh = heard is not None and time.monotonic() - heard.when < 2.0
        if heard is not None and heard.message is not None and fresh:
            self.panel.show_heard(f"{heard.port}: {heard.message.text}")
        else:
            listening = ", ".join(ports[:3]) + (" …" if len(ports) > 3 else "")
            self.panel.show_heard(f"Listening to {listening}")

    # -- where things are ------------------------------------------------------------------------
    def _zones(self) -> Iterator[Zone]:
        centre: QWidget = self.window.centre
        whole = centre.rect()
        seen: set[str] = set()
        for widget in self.window.control_widgets():
            if not widget.isVisible() or not self.registry.available(widget.parameter_name):
                continue
            box = box_in(widget, centre) & whole
            if not box.isEmpty() and widget.parameter_name not in seen:
                seen.add(widget.parameter_name)
                yield Zone(widget.parameter_name, box)
        top = self.window.top
        for widget, target in (
            (top.undo, "edit.undo"),
            (top.redo, "edit.redo"),
            (top.stage, "stage"),
        ):
            if widget.isVisible():
                yield Zone(target, box_in(widget, centre))
        plane = self.window.map_panel.map
        if plane.isVisible():
            # The cursor has two ways: along the lower edge and along the left one.
            box = box_in(plane, centre).adjusted(6, 6, -6, -6)
            yield Zone("map.x", QRect(box.left() + 44, box.bottom() - 34, box.width() - 50, 34))
            yield Zone("map.y", QRect(box.left(), box.top() + 6, 34, box.height() - 50))

    def _tags(self) -> dict[str, str]:
        tags: dict[str, list[str]] = {}
        for surface in self.hub.surfaces.values():
            for mapping in surface.controller.mappings:
                label = surface.controller.control(mapping.control).label
                if mapping.layer == "shift":
                    label = f"⇧ {label}"
                tags.setdefault(mapping.target, []).append(label)
            for mapping in surface.controller.mappings:
                if "*" in mapping.target:
                    tags.pop(mapping.target, None)
        return {target: ", ".join(labels) for target, labels in tags.items()}

    def _place(self) -> None:
        """Panel and offer over the spectrogram, where nothing can be mapped."""
        box = box_in(self.window.spectrogram, self.window.centre)
        self.offer.place(box.top() + 10)
        self.offer.raise_()
        if not self.learning:
            return
        width = min(980, box.width() - 40)
        height = HEIGHT if self.last is not None else LOW
        self.panel.setGeometry(
            # In a small window rather over the top than over what is to be clicked.
            box.center().x() - width // 2,
            min(box.top() + max((box.height() - height) // 2, 0), box.bottom() - height),
            width, height,
        )  # fmt: skip
        self.overlay.setGeometry(self.window.centre.rect())
        self.overlay.raise_()
        self.offer.raise_()  # also over a lit window it can be answered

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            QTimer.singleShot(0, self._place)
        return False

    # -- the offer of a map ------------------------------------------------------------------------
    def _show_offers(self) -> None:
        ready = self.hub.library.ready
        self.offer.show_offers(
            {
                port: f"{ready[name].maker} {name}".strip() if name in ready else name
                for port, name in self.hub.offers.items()
            }
        )
        self._place()

    def _answer(self, port: str, yes: bool) -> None:
        try:
            if yes:
                name = self.hub.offers.get(port, "")
                self.hub.accept(port)
                self.window.say("info", f"{port} plays with the map {name}.")
            else:
                self.hub.decline(port)
        except SegueError as error:
            self.window.say("error", str(error))
        self._show_offers()

    # -- the clock that is sent --------------------------------------------------------------------
    def _block(self, report: Any) -> None:
        if report.score is not None and report.score.tempo is not None:
            self._model_bpm = report.score.tempo

    def _align_clock(self) -> None:
        """Beats of the clock fall on the beats that are heard."""
        if self.hub.settings.clock != "send" or not self.registry.get("transport.play"):
            return
        bar = self.window.player.worker.next_bar()
        if bar is not None and self._model_bpm is not None:
            ahead = (bar - self.window.player.output.position_now()) / SAMPLE_RATE
            self.hub.beat(time.monotonic() + ahead, self._model_bpm)


def box_in(widget: QWidget, parent: QWidget) -> QRect:
    """Where a widget is, in the coordinates of one that holds it."""
    return QRect(widget.mapTo(parent, QPoint(0, 0)), widget.size())


def control_at(place: QPoint) -> ParameterWidget | None:
    """The control under a place of the screen."""
    widget: QWidget | None = QApplication.widgetAt(place)
    while widget is not None and not isinstance(widget, ParameterWidget):
        widget = widget.parentWidget()
    return widget
