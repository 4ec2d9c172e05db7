"""Coordinator of learn mode, map offers and the controllers window."""

from __future__ import annotations

import time
from typing import Final

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QWidget

from app.control.bridge import ControlBridge
from app.control.midi.learn_mode import LearnResult
from app.control.midi.mapping import ControllerMap, Mapping
from app.window.controllers import map_edits as edits
from app.window.controllers.controllers_window import ControllersWindow
from app.window.controllers.learn.overlay import LearnOverlay
from app.window.controllers.learn.panel import COMPACT_HEIGHT, HEIGHT, LearnPanel
from app.window.controllers.learn.zones import LearnTargets, box_in, control_at
from app.window.controllers.offer_bar import OfferBar
from models.errors import SegueError

INPUT_POLL_MS: Final = 50


class ControllerCoordinator(QObject):
    """Learn mode, map offers and the controllers' window; `stop` it before the window is shut.

    targets: what can be mapped. spectrogram: the part of the window that panels may cover.
    """

    message = Signal(str, str)  # level, sentence
    learning_changed = Signal(bool)

    def __init__(
        self, window: QWidget, bridge: ControlBridge, targets: LearnTargets, spectrogram: QWidget
    ) -> None:
        super().__init__(window)
        self.bridge, self.hub = bridge, bridge.hub
        self._window, self._centre, self._spectrogram = window, targets.centre, spectrogram
        self.registry = bridge.hub.registry
        self.overlay = LearnOverlay(
            self._centre, lambda: list(targets.zones(self.registry)), self._mapped_labels
        )
        self.panel = LearnPanel(self.registry, self.overlay)
        self.offer = OfferBar(self._centre)
        self.last_result: tuple[str, Mapping] | None = None
        """Port and mapping that were learned last."""
        self.controllers: ControllersWindow | None = None
        self._reopen_window = False
        self._selection: tuple[str, ...] = ()
        self._input_timer = QTimer(self)
        self._input_timer.setInterval(INPUT_POLL_MS)
        self._input_timer.timeout.connect(self._show_input)
        self.overlay.chosen.connect(self.choose)
        self.overlay.swept.connect(self._sweep)
        self.overlay.unmap_requested.connect(self.unmap)
        self.overlay.leave_requested.connect(self.stop_learning)
        self.panel.done_requested.connect(self.stop_learning)
        self.panel.skip_requested.connect(self._skip)
        self.panel.forget_requested.connect(self.forget)
        self.panel.edited.connect(self._edited)
        self.offer.answered.connect(self._answer)
        bridge.learned.connect(self._learned)
        bridge.offers_changed.connect(self._show_offers)
        bridge.map_changed.connect(self._map_changed)
        self._centre.installEventFilter(self)
        self._show_offers()

    def stop(self) -> None:
        """End learn mode, close the controllers window."""
        self._reopen_window = False
        self.stop_learning()
        if self.controllers is not None:
            self.controllers.close()
        self._centre.removeEventFilter(self)

    def open_controllers(self, page: str = "") -> None:
        """Show the controllers window at a page; it is made when first opened."""
        if self.controllers is None:
            self.controllers = ControllersWindow(self.bridge, self._window)
            self.controllers.maps.answered.connect(self._answer)
            self._show_offers()
            self.controllers.message.connect(self.message)
            self.controllers.learn_requested.connect(self._learn_from_maps)
        self.controllers.open_page(page)

    def _learn_from_maps(self) -> None:
        """Hide the controllers window during learn mode, and show it again afterwards."""
        if self.controllers is not None:
            self.controllers.hide()
            self._reopen_window = True
        self._window.activateWindow()
        if not self.learning:
            self.start_learning()

    # -- learn mode ------------------------------------------------------------------------------
    @property
    def learning(self) -> bool:
        return self.hub.learn_mode.on

    def toggle_learning(self, held: bool = False) -> None:
        """Start or end learn mode. held: by a key, which chooses the widget under the mouse."""
        if self.learning:
            self.stop_learning()
            return
        control = control_at(QCursor.pos()) if held else None
        self.start_learning(held=control is not None)
        if control is not None:
            self.choose(control.parameter_name)

    def start_learning(self, *, held: bool = False) -> None:
        """Start learn mode: mappable widgets are lit, controllers do not play."""
        self.last_result = None
        self.hub.learn_mode.begin()
        self.learning_changed.emit(True)
        self.panel.show_result("", None, None)
        self.overlay.open_overlay(key_held=held)
        self._place_panels()
        self._input_timer.start()
        self._show_target()
        self._show_input()

    def stop_learning(self) -> None:
        """End learn mode: controllers play again."""
        if self.learning:
            self.hub.learn_mode.end()
            self._input_timer.stop()
            self.overlay.close_overlay()
            self.learning_changed.emit(False)
            self._window.setFocus()
            if self._reopen_window and self.controllers is not None:
                self._reopen_window = False
                self.controllers.open_page()

    def choose(self, target: str) -> None:
        """Learn this target next."""
        self._selection = ()
        self.hub.learn_mode.choose(target)
        self._show_target()

    def _sweep(self, targets: tuple[str, ...]) -> None:
        self._selection = targets
        self.hub.learn_mode.begin(targets)
        self._show_target()

    def _skip(self) -> None:
        learn = self.hub.learn_mode
        target = learn.target
        learn.skip()
        if learn.target is None and target is not None:
            self._choose_next(target)
        self._show_target()

    def _choose_next(self, target: str) -> None:
        """Choose the next target of a row (prompt 2 after prompt 1), unless a list was given."""
        following = edits.next_in_row(target, self.registry, self.hub.mapped_targets())
        if following is not None and self.overlay.zone_of(following) is not None:
            self.hub.learn_mode.choose(following)

    def _learned(self, result: LearnResult, mapping: Mapping) -> None:
        self.last_result = (result.port, mapping)
        if self.learning:
            if self.hub.learn_mode.target is None:
                self._choose_next(result.target)
            self.overlay.flash(result.target)
            self._show_target()
        self._show_result()

    def _show_result(self) -> None:
        if self.last_result is None:
            self.panel.show_result("", None, None)
            self._place_panels()
            return
        port, mapping = self.last_result
        self.panel.show_result(port, self.hub.surfaces[port].controller, mapping)
        self._place_panels()

    def _edited(self, controller: ControllerMap, mapping: Mapping) -> None:
        if self.last_result is not None:
            port, before = self.last_result
            self.last_result = (port, mapping)
            self.hub.change_map(port, controller, edits.edit_gesture(before, mapping))
            self._show_result()
            self.overlay.poll()

    def _map_changed(self, port: str) -> None:
        """Refresh after an undo, which may have removed the last result."""
        if not self.learning:
            return
        if self.last_result is not None and self.last_result[0] == port:
            still = edits.find_mapping(self.hub.surfaces[port].controller, self.last_result[1])
            self.last_result = None if still is None else (port, still)
            self._show_result()
        self.overlay.poll()

    def forget(self) -> None:
        """Remove the mapping that was learned last, and learn its target again."""
        if self.last_result is None:
            return
        port, mapping = self.last_result
        controller = edits.remove_mapping(self.hub.surfaces[port].controller, mapping)
        self.hub.change_map(port, controller)
        self.last_result = None
        self._show_result()
        self.choose(mapping.target)
        self.overlay.poll()

    def unmap(self, target: str) -> None:
        """Remove all mappings of a target."""
        self.hub.unmap(target)
        if self.last_result is not None and self.last_result[1].target == target:
            self.last_result = None
            self._show_result()
        self.overlay.poll()

    def _show_target(self) -> None:
        learn = self.hub.learn_mode
        self.panel.show_target(learn.target, learn.left)
        waiting = self._selection[len(self._selection) - learn.left :] if learn.left else ()
        self.overlay.set_target(learn.target, waiting)

    def _show_input(self) -> None:
        ports = sorted(self.hub.connected)
        if not ports:
            self.panel.show_input(
                "No MIDI input is connected. Plug a controller in: it is found by itself."
            )
            return
        latest = next((each for each in reversed(self.hub.monitor) if not each.out), None)
        fresh = latest is not None and time.monotonic() - latest.when < 2.0
        if latest is not None and latest.message is not None and fresh:
            self.panel.show_input(f"{latest.port}: {latest.message.text}")
        else:
            listening = ", ".join(ports[:3]) + (" …" if len(ports) > 3 else "")
            self.panel.show_input(f"Listening to {listening}")

    # -- where things are ------------------------------------------------------------------------
    def _mapped_labels(self) -> dict[str, str]:
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

    def _place_panels(self) -> None:
        """Place panel and offer over the spectrogram, where nothing can be mapped."""
        box = box_in(self._spectrogram, self._centre)
        self.offer.place(box.top() + 10)
        self.offer.raise_()
        if not self.learning:
            return
        width = min(980, box.width() - 40)
        height = HEIGHT if self.last_result is not None else COMPACT_HEIGHT
        self.panel.setGeometry(
            # In a small window over the top bar rather than over widgets to be clicked.
            box.center().x() - width // 2,
            min(box.top() + max((box.height() - height) // 2, 0), box.bottom() - height),
            width, height,
        )  # fmt: skip
        self.overlay.setGeometry(self._centre.rect())
        self.overlay.raise_()
        self.offer.raise_()  # it can be answered in learn mode, too

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            QTimer.singleShot(0, self._place_panels)
        return False

    # -- the offer of a map ------------------------------------------------------------------------
    def _show_offers(self) -> None:
        ready = self.hub.library.ready_made
        offers = {
            port: f"{ready[name].maker} {name}".strip() if name in ready else name
            for port, name in self.hub.offers.items()
        }
        self.offer.show_offers(offers)
        if self.controllers is not None:
            self.controllers.maps.offer.show_offers(offers)
        self._place_panels()

    def _answer(self, port: str, yes: bool) -> None:
        try:
            if yes:
                name = self.hub.offers.get(port, "")
                self.hub.accept(port)
                self.message.emit("info", f"{port} plays with the map {name}.")
            else:
                self.hub.decline(port)
        except SegueError as error:
            self.message.emit("error", str(error))
        self._show_offers()
