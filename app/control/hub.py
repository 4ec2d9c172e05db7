"""Control surfaces and keyboards, joined to the registry: one hand among others. GUI lane.

No Qt: whoever owns the hub calls `drain` soon after `wake` was called (from any thread) and `tick`
some fifty times a second. Sound never waits for it, and it never waits for a port.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypedDict

from app.control import settings as remembered
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
"""By plain name of the port."""
MAX_LOG_ENTRIES: Final = 1000
MAX_RAW_BYTES: Final = 64
"""Bytes that are kept of what is no MIDI."""


@dataclass(frozen=True)
class MidiLogEntry:
    """A line of the MIDI monitor. message None: bytes that are no MIDI, which `raw` holds."""

    when: float
    port: str
    out: bool
    message: Message | None
    raw: bytes = b""


class HubOptions(TypedDict, total=False):
    """Optional arguments of `ControlHub` that a bridge passes on."""

    settings: ControlSettings
    make: Callable[[str], Backend]
    known: Callable[[], list[str]]


class ControlHub:
    """Owns ports, surfaces, held notes, clock and learn mode. Start it, and stop it at the end.

    lamp: 0, 0.5 or 1 for the light of a trigger ("scene.3.recall"). incident: told level and
    sentence. folder keeps settings and the performer's maps.
    """

    def __init__(
        self,
        registry: Registry,
        folder: Path,
        *,
        settings: ControlSettings | None = None,
        make: Callable[[str], Backend] = RtMidiBackend,
        known: Callable[[], list[str]] = available,
        wake: Callable[[], None] = lambda: None,
        led: Callable[[str], float] = lambda name: 0.0,
        incident: Callable[[str, str], None] = lambda level, sentence: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.registry = registry
        self.folder = folder
        self._incident, self._led, self._now = incident, led, clock
        self.settings = self._load_settings() if settings is None else settings
        self.map_store = MapStore(registry, folder, incident)
        self.library = self.map_store.library
        self.surfaces: dict[str, Surface] = {}
        """By plain name of the port. A controller that is unplugged keeps its surface."""
        self.connected: set[str] = set()
        self.notes = HeldNotes()
        self.learn_mode = LearnMode()
        self.on_learned: Callable[[LearnResult, Mapping], None] | None = None
        self.on_ports: Callable[[], None] | None = None
        self.on_offers: Callable[[], None] | None = None
        """Told when `offers` are others than before."""
        self.on_map: Callable[[str], None] | None = None
        """Told the port whose map is another now."""
        self.on_edit: Callable[[Maps, str], None] | None = None
        """Told the maps before an edit, and the gesture that it belongs to ('': none)."""
        self.monitor: deque[MidiLogEntry] = deque(maxlen=MAX_LOG_ENTRIES)
        self.malformed = 0
        self.connections = Connections(make, known, wake, self.settings.api)
        self.connections.ignored = frozenset(self.settings.ignored)
        self.clock = ClockSync(registry, self.settings, self.connections.sender.send_now)
        self.feedback = FeedbackSender(self.surfaces, self.connections, self._log_sent)
        self._unsubscribe = registry.subscribe(self._on_change)

    def _load_settings(self) -> ControlSettings:
        try:
            return remembered.load(self.folder)
        except SegueError as error:
            self._incident("warning", str(error))
            return ControlSettings()

    # -- life ----------------------------------------------------------------------------------
    def start(self) -> None:
        self.connections.start()
        self.clock.start()

    def stop(self) -> None:
        """Release everything, write what has not been written, close the ports."""
        self._unsubscribe()
        self.clock.stop()
        self.notes.panic()
        for surface in self.surfaces.values():
            surface.release()
        self.map_store.save(self._now(), everything=True)
        self.connections.stop()

    def apply(self, settings: ControlSettings) -> None:
        """New settings, kept for the next time. Raises SegueError where they cannot be written."""
        before, self.settings = self.settings, settings
        self.connections.ignored = frozenset(settings.ignored)
        if settings.api != before.api:
            self.connections.use_api(settings.api)
        self.clock.apply(settings)
        self._update_outputs()
        self.connections.poll_now()
        remembered.save(self.folder, settings)

    # -- what came in ----------------------------------------------------------------------------
    def drain(self) -> int:
        """Take in everything that has arrived; how many messages there were."""
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
                # Some release may have been among what was lost: let go of everything.
                inbox.lost = False
                self._release(key)
                self._incident("warning", f"'{key}' sent more than can be taken in.")
        if count:
            self.feedback.send(self._now())
        return count

    def _receive(self, key: str, surface: Surface | None, data: Sequence[int], when: float) -> None:
        message = parse(data)
        if message is None:
            self.malformed += 1
            self.monitor.append(MidiLogEntry(when, key, False, None, bytes(data[:MAX_RAW_BYTES])))
            return
        if message.kind != "clock":
            self.monitor.append(MidiLogEntry(when, key, False, message))
        if message.kind in REALTIME or message.kind == "position":
            self.clock.receive(key, message, when)
            return
        if self.learn_mode.on:
            self.learn_mode.receive(key, message, when)
            # What is let go must be let go, whatever is being learned.
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
        """A beat is heard at `when` (time.monotonic): the clock that is sent keeps to it."""
        self.clock.set_sent_tempo(bpm)
        self.clock.sender.align(when)

    # -- offers ----------------------------------------------------------------------------------
    @property
    def offers(self) -> dict[str, str]:
        """Connected port -> name of the ready-made map that fits it and waits for an answer."""
        return {key: name for key, name in self.map_store.offers.items() if key in self.connected}

    def accept(self, key: str) -> None:
        """The offered map it is, now and whenever this controller is connected.

        Raises SegueError where nothing is offered for the port.
        """
        name = self.map_store.offers.get(key)
        if name is None:
            raise SegueError(f"No map is offered for '{key}'; choose one from the list.")
        self.use_ready_made(key, name)

    def decline(self, key: str) -> None:
        """No map for this controller; it is not offered again, but may be chosen."""
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
        """Whether something has been learned; it is then mapped and kept."""
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
        """A surface gets another map, or the same with other mappings; it is kept for good.

        gesture: what is being edited, where one change follows another (a range that is pulled).
        """
        self._change_maps({key: controller}, gesture)

    def _change_maps(self, maps: Maps, gesture: str = "") -> None:
        before = self.put_maps(maps)
        if self.on_edit is not None and before != maps:
            self.on_edit(before, gesture)

    def put_maps(self, maps: Maps) -> dict[str, ControllerMap]:
        """Change maps, of surfaces that there are, unnoted: what there was before, for undo."""
        before = {key: self.surfaces[key].controller for key in maps if key in self.surfaces}
        for key, old in before.items():
            if maps[key] != old:
                self._put_map(key, maps[key])
        return before

    def _put_map(self, key: str, controller: ControllerMap) -> None:
        surface = self.surfaces[key]
        # What is a key now may be a button in a moment, and its end would not be heard.
        self.notes.release_port(key)
        surface.use(controller)
        surface.resync()
        self.map_store.changed(key, controller, self._now())
        if self.map_store.offers.pop(key, None) is not None:
            # Who has begun a map of his own has answered.
            self._notify_offers()
        self._update_outputs()
        if self.on_map is not None:
            self.on_map(key)

    def use_ready_made(self, key: str, name: str) -> None:
        """The ready-made map `name` for a port; '' for an empty one. Own mappings are dropped."""
        controller = self.library.ready_made[name] if name else default_map(key)
        self.change_map(key, controller)
        self.apply(self.settings.with_map(key, name))

    def unmap(self, target: str) -> None:
        """No control moves this target any more."""
        self._change_maps(
            {
                key: surface.controller.without(target=target)
                for key, surface in self.surfaces.items()
                if surface.controller.mappings_of(target)
            }
        )

    def mapped_targets(self) -> set[str]:
        """Names of all targets that some control moves."""
        return {
            mapping.target
            for surface in self.surfaces.values()
            for mapping in surface.controller.mappings
        }

    # -- what goes out -----------------------------------------------------------------------------
    def _on_change(self, change: Change) -> None:
        self.feedback.changed(change.name)
        if change.name.endswith((".recall", ".save")):
            # Which scene is the present one shows on all of their lamps.
            self.refresh_feedback("scene.*.recall")
        if change.name == "transport.panic":
            self.panic()
        elif change.name == "keys.latch":
            self.notes.latch = bool(change.value)
        elif change.name == "keys.off" and change.source != "availability":
            self.notes.panic()
        self.clock.changed(change)

    def refresh_feedback(self, pattern: str) -> None:
        """Lamps of these targets may be others now though no value changed (scenes were saved)."""
        self.feedback.changed(*self.registry.names(pattern))

    def tick(self) -> None:
        """Some fifty times a second: feedback that is due, learning, saving, a lost clock."""
        self._take_events()
        self.feedback.tick(self._now())
        if self.learn_mode.on:
            self.finish_learning()
        self.map_store.save(self._now())
        lost = self.clock.lost(self._now())
        if lost:
            self._incident("warning", f"The clock of '{lost}' has stopped coming.")

    def resync(self) -> None:
        """Send all lamps and faders of all controllers again."""
        self.feedback.resync()

    def _log_sent(self, key: str, message: Message, now: float) -> None:
        self.monitor.append(MidiLogEntry(now, key, True, message))

    def _update_outputs(self) -> None:
        self.feedback.update_outputs(self.connected, self.settings)

    # -- emergencies -------------------------------------------------------------------------------
    def panic(self) -> None:
        """Nothing is held, nothing stays pressed."""
        self.notes.panic()
        for surface in self.surfaces.values():
            surface.release()
            surface.resync()

    def ignore(self, key: str, yes: bool) -> None:
        """Leave an input alone, or take it in again."""
        ignored = set(self.settings.ignored)
        (ignored.add if yes else ignored.discard)(key)
        self.apply(replace(self.settings, ignored=tuple(sorted(ignored))))
