"""Hub of MIDI controllers and keyboards: from ports to the registry and back. No Qt.

Its owner calls `drain` soon after `wake` was called (from any thread), and `tick` some fifty times
a second. It never blocks on a port.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypedDict

from app.control import settings as settings_file
from app.control.clock_sync import ClockSync
from app.control.feedback_sender import FeedbackSender
from app.control.map_store import MapStore
from app.control.midi.connections import Connections, PortEvent
from app.control.midi.learn_mode import LearnMode, LearnResult
from app.control.midi.library import default_map
from app.control.midi.mapping import ControllerMap, Mapping, control_from_detection
from app.control.midi.message import REALTIME, Message, parse
from app.control.midi.notes import HeldNotes
from app.control.midi.ports import Backend
from app.control.midi.rtmidi_ports import RtMidiBackend, available
from app.control.midi.surface import Surface
from app.control.settings import ControlSettings
from app.parameters.registry import Change, Registry
from models.errors import SegueError

Maps = dict[str, ControllerMap]
"""Controller maps by plain port name."""
MAX_LOG_ENTRIES: Final = 1000
MAX_RAW_BYTES: Final = 64
"""Longest part of an invalid message that is logged."""
LOOP: Final = (
    "'{}' sends back what it is sent: its output reaches its input. What comes back is ignored; "
    "switch MIDI thru off at the controller, or remove the cable or patch between the two."
)


@dataclass(frozen=True)
class MidiLogEntry:
    """Entry of the MIDI monitor. message None: invalid bytes, which `raw` holds."""

    when: float
    port: str
    out: bool
    message: Message | None
    raw: bytes = b""


class HubOptions(TypedDict, total=False):
    """Optional arguments of `ControlHub` that a bridge passes on."""

    settings: ControlSettings
    open_backend: Callable[[str], Backend]
    list_apis: Callable[[], list[str]]


class ControlHub:
    """Owns ports, surfaces, held notes, clock and learn mode; `stop` it at the end.

    folder: of settings and the performer's maps. open_backend: opens a MIDI API. list_apis: APIs
    that there are. wake: called from any thread. led: 0, 0.5 (dim) or 1 for the LED of a trigger
    ("scene.3.recall"). incident: gets level and sentence. clock: seconds, monotonic. executor:
    where a MIDI clock is measured; None measures it at once.
    """

    def __init__(
        self,
        registry: Registry,
        folder: Path,
        *,
        settings: ControlSettings | None = None,
        open_backend: Callable[[str], Backend] = RtMidiBackend,
        list_apis: Callable[[], list[str]] = available,
        wake: Callable[[], None] = lambda: None,
        led: Callable[[str], float] = lambda name: 0.0,
        incident: Callable[[str, str], None] = lambda level, sentence: None,
        clock: Callable[[], float] = time.monotonic,
        executor: Executor | None = None,
    ) -> None:
        self.registry = registry
        self.folder = folder
        self._incident, self._led, self._now = incident, led, clock
        self.settings = self._load_settings() if settings is None else settings
        self.map_store = MapStore(registry, folder, incident)
        self.library = self.map_store.library
        self.surfaces: dict[str, Surface] = {}
        """Surfaces by plain port name. An unplugged controller keeps its surface."""
        self.connected: set[str] = set()
        self.notes = HeldNotes()
        self.learn_mode = LearnMode()
        self.on_learned: Callable[[LearnResult, Mapping], None] | None = None
        self.on_ports: Callable[[], None] | None = None
        self.on_offers: Callable[[], None] | None = None
        """Called when `offers` have changed."""
        self.on_map: Callable[[str], None] | None = None
        """Called with the port whose map has changed."""
        self.on_edit: Callable[[Maps, str], None] | None = None
        """Called with the maps before an edit and the gesture it belongs to ('': none)."""
        self.monitor: deque[MidiLogEntry] = deque(maxlen=MAX_LOG_ENTRIES)
        self.connections = Connections(open_backend, list_apis, wake, self.settings.api)
        self.connections.ignored = frozenset(self.settings.ignored)
        self.clock = ClockSync(registry, self.settings, self.connections.sender.send_now, executor)
        self.feedback = FeedbackSender(self.surfaces, self.connections, self._log_sent)
        self._unsubscribe = registry.subscribe(self._on_change)

    def _load_settings(self) -> ControlSettings:
        try:
            return settings_file.load(self.folder)
        except SegueError as error:
            self._incident("warning", str(error))
            return ControlSettings()

    # -- start and stop --------------------------------------------------------------------------
    def start(self) -> None:
        self.connections.start()
        self.clock.start()

    def stop(self) -> None:
        """Release all notes and buttons, save unsaved maps, close the ports."""
        self._unsubscribe()
        self.clock.stop()
        self.notes.panic()
        for surface in self.surfaces.values():
            surface.release()
        self.map_store.save(self._now(), everything=True)
        self.connections.stop()

    def apply(self, settings: ControlSettings) -> None:
        """Apply new settings and save them. Raises SegueError where they cannot be written."""
        before, self.settings = self.settings, settings
        self.connections.ignored = frozenset(settings.ignored)
        if settings.api != before.api:
            self.connections.use_api(settings.api)
        self.clock.apply(settings)
        self._update_outputs()
        self.connections.poll_now()
        settings_file.save(self.folder, settings)

    # -- input ----------------------------------------------------------------------------
    def drain(self) -> int:
        """Process all messages that have arrived; returns their number."""
        self._take_events()
        count = 0
        for key, inbox in list(self.connections.inboxes.items()):
            surface = self.surfaces.get(key)
            waiting = inbox.take()
            count += len(waiting)
            for data, when in waiting:
                self._receive(key, surface, data, when)
            if surface is not None:
                surface.flush()
            if inbox.lost:
                # A note off may be among the lost messages.
                inbox.lost = False
                self._release(key)
                self._incident("warning", f"'{key}' sent more than can be taken in.")
        if count:
            self.feedback.send(self._now())
        return count

    def _receive(self, key: str, surface: Surface | None, data: Sequence[int], when: float) -> None:
        message = parse(data)
        if message is None:
            self.monitor.append(MidiLogEntry(when, key, False, None, bytes(data[:MAX_RAW_BYTES])))
            return
        if message.kind != "clock":
            self.monitor.append(MidiLogEntry(when, key, False, message))
        if message.kind in REALTIME or message.kind == "position":
            self.clock.receive(key, message, when)
            return
        echoes = self.connections.sender.echoes
        if echoes.is_echo(key, message, when):
            if echoes.is_loop(key):
                self._incident("warning", LOOP.format(key))
            return
        if self.learn_mode.on:
            self.learn_mode.receive(key, message, when)
            # Note offs are played even in learn mode, or notes would hang.
            if message.kind != "note_off":
                return
        handled = surface is not None and surface.receive(message, self._now())
        keyboard = None if surface is None else surface.controller.keyboard
        if handled or keyboard is None:
            return
        note = message.kind in ("note_on", "note_off")
        if keyboard.plays(message.channel, message.number if note else keyboard.low):
            octaves = 12 * round(self.registry.number("keys.octave"))
            self.notes.receive(key, message, keyboard.transpose + octaves)

    def _take_events(self) -> None:
        events = self.connections.events
        while events:
            event = events.popleft()
            if event.kind == "error":
                self._incident("warning", event.sentence)
            elif event.kind == "input":
                self._input_changed(event)
            elif event.kind == "output":
                self.feedback.output_changed(event.key, event.on, self._now())
            elif event.kind == "ports":
                self._update_outputs()
            if self.on_ports is not None:
                self.on_ports()

    def _input_changed(self, event: PortEvent) -> None:
        key = event.key
        if not event.on:
            self.connected.discard(key)
            self.connections.sender.echoes.forget(key)
            self._release(key)
            self._incident("info", f"'{key}' was unplugged.")
            self._notify_offers()
            return
        self.connected.add(key)
        if key not in self.surfaces:
            controller = self.map_store.map_for(key, self.settings)
            self.surfaces[key] = Surface(key, controller, self.registry, self._led)
            if key in self.map_store.offers:
                self._incident("info", f"'{key}' is connected; there is a map for it.")
            else:
                self._incident("info", f"'{key}' is connected, with the map '{controller.name}'.")
        else:
            self._incident("info", f"'{key}' is back.")
        self.surfaces[key].resync()
        self._update_outputs()
        self._notify_offers()

    def _release(self, key: str) -> None:
        self.notes.release_port(key)
        if key in self.surfaces:
            self.surfaces[key].release()
        if self.clock.followed == key:
            self.clock.forget()

    def beat(self, when: float, bpm: float) -> None:
        """Align the sent clock: a beat is audible at `when` (time.monotonic)."""
        self.clock.set_sent_tempo(bpm)
        self.clock.sender.align(when)

    # -- offers ----------------------------------------------------------------------------------
    @property
    def offers(self) -> dict[str, str]:
        """Connected port -> name of the ready-made map that is offered for it."""
        return {key: name for key, name in self.map_store.offers.items() if key in self.connected}

    def accept(self, key: str) -> None:
        """Use the offered map, now and whenever this controller is connected.

        Raises SegueError where nothing is offered for the port.
        """
        name = self.map_store.offers.get(key)
        if name is None:
            raise SegueError(f"No map is offered for '{key}'; choose one from the list.")
        self.use_ready_made(key, name)

    def decline(self, key: str) -> None:
        """Reject the offered map; it is not offered again, but can be chosen."""
        if self.map_store.offers.pop(key, None) is not None:
            surface = self.surfaces[key]
            surface.use(replace(surface.controller, keyboard=default_map(key).keyboard))
            self.apply(self.settings.with_map(key, ""))
            self._notify_offers()

    def _notify_offers(self) -> None:
        if self.on_offers is not None:
            self.on_offers()

    # -- learning and maps -------------------------------------------------------------------------
    def finish_learning(self) -> LearnResult | None:
        """Map the control that learn mode has detected, if any."""
        lesson = self.learn_mode.poll(self._now())
        if lesson is None:
            return None
        surface = self.surfaces.get(lesson.port)
        if surface is None:
            return None
        controller = surface.controller
        control = controller.find(lesson.control)
        if control is None:
            control = control_from_detection(lesson.control, len(controller.controls))
            controller = controller.with_control(control)
        mapping = Mapping(control.id, lesson.target)
        self.change_map(lesson.port, controller.with_mapping(mapping))
        if self.on_learned is not None:
            self.on_learned(lesson, mapping)
        return lesson

    def change_map(self, key: str, controller: ControllerMap, gesture: str = "") -> None:
        """Replace the map of a surface, undoably, and save it later.

        gesture: names a continuous edit (a range that is dragged), so that it is one undo step.
        """
        self._change_maps({key: controller}, gesture)

    def _change_maps(self, maps: Maps, gesture: str = "") -> None:
        before = self.put_maps(maps)
        if self.on_edit is not None and before != maps:
            self.on_edit(before, gesture)

    def put_maps(self, maps: Maps) -> dict[str, ControllerMap]:
        """Replace maps of surfaces without an undo step; returns the old ones."""
        before = {key: self.surfaces[key].controller for key in maps if key in self.surfaces}
        for key, old in before.items():
            if maps[key] != old:
                self._put_map(key, maps[key])
        return before

    def _put_map(self, key: str, controller: ControllerMap) -> None:
        surface = self.surfaces[key]
        # A key may become a button, and then its note off would not be recognised.
        self.notes.release_port(key)
        surface.use(controller)
        surface.resync()
        self.map_store.changed(key, controller, self._now())
        if self.map_store.offers.pop(key, None) is not None:
            # Whoever edits a map has answered the offer.
            self._notify_offers()
        self._update_outputs()
        if self.on_map is not None:
            self.on_map(key)

    def use_ready_made(self, key: str, name: str) -> None:
        """Use the ready-made map `name` for a port ('': the default), without own mappings."""
        controller = self.library.ready_made[name] if name else default_map(key)
        self.change_map(key, controller)
        self.apply(self.settings.with_map(key, name))

    def unmap(self, target: str) -> None:
        """Remove all mappings of a target."""
        self._change_maps(
            {
                key: surface.controller.without(target=target)
                for key, surface in self.surfaces.items()
                if surface.controller.mappings_of(target)
            }
        )

    def mapped_targets(self) -> set[str]:
        """Names of all mapped targets."""
        return {
            mapping.target
            for surface in self.surfaces.values()
            for mapping in surface.controller.mappings
        }

    # -- feedback -----------------------------------------------------------------------------
    def _on_change(self, change: Change) -> None:
        self.feedback.changed(change.name)
        if change.name.endswith((".recall", ".save")):
            # The LEDs of all scenes show which one is active.
            self.refresh_feedback("scene.*.recall")
        if change.name == "transport.panic":
            self.panic()
        elif change.name == "feedback.resend" and change.source != "availability":
            self.feedback.resend()
        elif change.name == "keys.latch":
            self.notes.latch = bool(change.value)
        elif change.name == "keys.off" and change.source != "availability":
            self.notes.panic()
        self.clock.changed(change)

    def refresh_feedback(self, pattern: str) -> None:
        """Send feedback of the targets that match, though no value changed."""
        self.feedback.changed(*self.registry.names(pattern))

    def tick(self) -> None:
        """Send due feedback, learn, save maps, detect a lost clock. Fifty times a second."""
        self._take_events()
        self.feedback.tick(self._now())
        if self.learn_mode.on:
            self.finish_learning()
        self.map_store.save(self._now())
        self.clock.poll()
        lost = self.clock.lost(self._now())
        if lost:
            self._incident("warning", f"The clock of '{lost}' has stopped coming.")

    def _log_sent(self, key: str, message: Message, now: float) -> None:
        self.monitor.append(MidiLogEntry(now, key, True, message))

    def _update_outputs(self) -> None:
        self.feedback.update_outputs(self.connected, self.settings)

    # -- emergencies -------------------------------------------------------------------------------
    def panic(self) -> None:
        """Release all notes and buttons."""
        self.notes.panic()
        for surface in self.surfaces.values():
            surface.release()
            surface.resync()
