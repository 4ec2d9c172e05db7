"""Control surface: messages of one connected controller move parameters; values become feedback.

Moves are collected and applied together (`flush`), so that in a flood each target is set once;
presses act at once and in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from app.control.midi import feedback as back
from app.control.midi import takeover
from app.control.midi.decode import (
    Cc14Decoder,
    Gesture,
    NrpnDecoder,
    is_button_kind,
    is_relative,
    read_gesture,
)
from app.control.midi.mapping import (
    SHIFT,
    ControllerElement,
    ControllerMap,
    Mapping,
    resolve_action,
)
from app.control.midi.message import Message
from app.control.midi.shaping import to_control, to_target
from app.control.midi.takeover import TakeoverState
from app.parameters.registry import Registry

SOURCE: Final = "midi"
MAX_PRESSES: Final = 16
"""Presses of one control that count within one drain; the rest of a flood is dropped."""


@dataclass
class _MappingState:
    """State of a mapping.

    requested: the position last set. stored: what the parameter made of it (a choice or limit may
    round it). upper_half: last side of the middle, where a knob works a switch or trigger.
    """

    takeover: TakeoverState = field(default_factory=TakeoverState)
    requested: float = 0.0
    stored: float | None = None
    upper_half: bool | None = None


@dataclass
class Activity:
    """When a control was last moved (seconds), and its position 0..1. For the drawing."""

    when: float = -1e9
    position: float = 0.0


@dataclass
class Surface:
    """A connected controller. key: the plain port name. led: 0, 0.5 or 1 for a trigger's LED."""

    key: str
    controller: ControllerMap
    registry: Registry
    led: Callable[[str], float] = lambda name: 0.0
    shifted: bool = False
    activity: dict[str, Activity] = field(default_factory=dict)
    dropped_presses: int = 0

    def __post_init__(self) -> None:
        self._states: dict[tuple[str, str, str], _MappingState] = {}
        self._feedback_states: dict[str, back.FeedbackState] = {}
        self._build()

    def use(self, controller: ControllerMap) -> None:
        """Use another map; mappings that stay keep their state."""
        self.release()
        self.controller = controller
        self._build()

    def _build(self) -> None:
        self._index: dict[tuple[str, int, int], list[ControllerElement]] = {}
        self._fine: dict[tuple[int, int], list[ControllerElement]] = {}
        self._pairs: dict[str, Cc14Decoder] = {}
        self._parameters: dict[int, NrpnDecoder] = {}
        self._moves: dict[Mapping, list[float]] = {}
        self._turns: dict[Mapping, int] = {}
        self._presses: dict[str, int] = {}
        self._gates: dict[Mapping, None] = {}
        self._pending: set[str] = set()
        self._has_nrpn = False
        for control in self.controller.controls:
            place = (control.message, control.channel or 0, control.number or 0)
            self._index.setdefault(place, []).append(control)
            if control.kind == "knob14":
                fine = (control.channel or 0, (control.number or 0) + 32)
                self._fine.setdefault(fine, []).append(control)
            self._has_nrpn = self._has_nrpn or control.kind == "nrpn"
        self._by_control: dict[str, list[Mapping]] = {}
        self._by_target: dict[str, set[str]] = {}
        for mapping in self.controller.mappings:
            self._by_control.setdefault(mapping.control, []).append(mapping)
            self._by_target.setdefault(mapping.target, set()).add(mapping.control)

    # -- input ----------------------------------------------------------------------------------
    def receive(self, message: Message, now: float) -> bool:
        """Handle a message; True when it came from a control of the map, mapped or not."""
        found = False
        for control, performed in self._gestures(message):
            found = True
            if performed is not None:
                self._handle(control, performed, now)
        return found

    def _gestures(self, message: Message) -> Iterable[tuple[ControllerElement, Gesture | None]]:
        kind = "note" if message.kind in ("note_on", "note_off") else message.kind
        if kind == "cc":
            if self._has_nrpn and (done := self._nrpn(message)) is not None:
                number, value = done
                for control in self._find("nrpn", message.channel, number):
                    yield control, Gesture("move", value / 16383)
                return
            for control in self._at(self._fine, message.channel, message.number):
                joined = self._pair(control, message.channel).lsb(message.value)
                yield control, None if joined is None else Gesture("move", joined / 16383)
        for control in self._find(kind, message.channel, message.number):
            if control.kind == "knob14":
                joined = self._pair(control, message.channel).msb(message.value)
                yield control, None if joined is None else Gesture("move", joined / 16383)
            else:
                yield control, read_gesture(control.kind, message)

    def _find(self, kind: str, channel: int, number: int) -> list[ControllerElement]:
        exact = self._index.get((kind, channel, number), [])
        return exact or self._index.get((kind, 0, number), [])

    @staticmethod
    def _at(
        table: dict[tuple[int, int], list[ControllerElement]], channel: int, number: int
    ) -> list[ControllerElement]:
        return table.get((channel, number)) or table.get((0, number), [])

    def _pair(self, control: ControllerElement, channel: int) -> Cc14Decoder:
        # A control on any channel must not join halves of two channels.
        return self._pairs.setdefault(f"{control.id}/{channel}", Cc14Decoder())

    def _nrpn(self, message: Message) -> tuple[int, int] | None:
        followed = self._parameters.setdefault(message.channel, NrpnDecoder())
        return followed.receive(message.number, message.value)

    def _handle(self, control: ControllerElement, performed: Gesture, now: float) -> None:
        sent = self._feedback_states.setdefault(control.id, back.FeedbackState())
        if performed.kind == "move" and control.motor and sent.is_motor(performed.position, now):
            return
        active = self.activity.setdefault(control.id, Activity())
        active.when = now
        if performed.kind != "turn":
            active.position = performed.position
        if performed.kind == "move":
            sent.touch(now)
        if performed.kind == "press":
            self._presses[control.id] = self._presses.get(control.id, 0) + 1
            if self._presses[control.id] > MAX_PRESSES:
                self.dropped_presses += 1
                return
        for mapping in self._active(control.id):
            if performed.kind == "move":
                self._moves.setdefault(mapping, []).append(performed.position)
            elif performed.kind == "turn":
                self._turns[mapping] = self._turns.get(mapping, 0) + performed.steps
            else:
                self._apply_moves()
                self._press(mapping, control, performed)
        if performed.kind == "release":
            # A gate may belong to a layer that has been left since.
            for mapping in [gate for gate in self._gates if gate.control == control.id]:
                self._release_gate(mapping)
            if control.kind == "toggle":
                self._switch_off(control)

    def _active(self, control: str) -> list[Mapping]:
        layer = "shift" if self.shifted else "base"
        return [
            mapping
            for mapping in self._by_control.get(control, ())
            if mapping.target == SHIFT or mapping.layer in (layer, "any")
        ]

    def flush(self) -> None:
        """Apply collected moves at the end of a drain."""
        self._apply_moves()
        self._presses.clear()

    def _apply_moves(self) -> None:
        if not self._moves and not self._turns:
            return
        moves, self._moves = self._moves, {}
        turns, self._turns = self._turns, {}
        with self.registry.batch():
            for mapping, path in moves.items():
                self._move(mapping, path)
            for mapping, steps in turns.items():
                self._turn(mapping, steps)

    def _state_of(self, mapping: Mapping) -> _MappingState:
        return self._states.setdefault(
            (mapping.control, mapping.target, mapping.layer), _MappingState()
        )

    def _position_of(self, mapping: Mapping) -> float:
        """Position of the control that corresponds to the target's value."""
        unit = self.registry.get_unit(mapping.target)
        return to_control(unit, mapping.low, mapping.high, mapping.invert, mapping.shape)

    def _set_position(self, mapping: Mapping, position: float) -> None:
        unit = to_target(position, mapping.low, mapping.high, mapping.invert, mapping.shape)
        self.registry.set_unit(mapping.target, unit, SOURCE)

    def _move(self, mapping: Mapping, path: list[float]) -> None:
        """Set the value once; the whole path counts, because it may have passed the value."""
        position = path[-1]
        if mapping.target not in self.registry:
            return
        state = self._state_of(mapping)
        parameter = self.registry[mapping.target]
        if parameter.kind in ("trigger", "switch"):
            # A dead zone around the middle, so that jitter triggers once.
            before = state.upper_half
            if before is None or abs(position - 0.5) > 0.04:
                state.upper_half = position >= 0.5
            if state.upper_half == before or (before is None and mapping.takeover != "jump"):
                return
            if parameter.kind == "switch":
                self._set_position(mapping, 1.0 if state.upper_half else 0.0)
            elif state.upper_half != mapping.invert and before is not None:
                self.registry.trigger(mapping.target, SOURCE)
            return
        value = self._position_of(mapping)
        if state.stored is not None and abs(value - state.stored) <= takeover.VALUE_TOLERANCE:
            value = state.requested
        new = None
        for knob in path:
            state.takeover, moved = takeover.move(mapping.takeover, state.takeover, knob, value)
            if moved is not None:
                value = new = moved
        if new is not None:
            self._set_position(mapping, new)
            state.requested, state.stored = new, self._position_of(mapping)

    def _turn(self, mapping: Mapping, steps: int) -> None:
        if mapping.target not in self.registry:
            return
        parameter = self.registry[mapping.target]
        if parameter.kind != "continuous":
            signed = -steps if mapping.invert else steps
            if parameter.kind == "choice" or signed > 0 or parameter.kind == "switch":
                self.registry.nudge(mapping.target, signed, SOURCE)
            return
        self._set_position(mapping, self._position_of(mapping) + steps * mapping.step)

    def _press(self, mapping: Mapping, control: ControllerElement, performed: Gesture) -> None:
        if mapping.target == SHIFT:
            pressed = performed.kind == "press"
            self._shift(self.shifted != pressed if mapping.action == "toggle" else pressed)
            return
        name = mapping.target
        if control.kind == "program":
            name = name.replace("*", str(performed.steps + 1))
        if name not in self.registry or performed.kind == "release":
            return
        action = resolve_action(mapping, control.kind, self.registry[name])
        strength = performed.position if control.kind == "pad" else 1.0
        if action == "gate":
            self._set_position(mapping, strength)
            if control.kind != "toggle":  # a toggle keeps its state when the cable is pulled
                self._gates[mapping] = None
        elif self.registry[name].kind == "trigger":
            self.registry.trigger(name, SOURCE, strength)
        elif action == "toggle":
            if self.registry[name].kind == "switch":
                self.registry.toggle(name, SOURCE)
            else:
                self._set_position(mapping, 0.0 if self._position_of(mapping) > 0.5 else 1.0)
        elif action in ("next", "previous"):
            self.registry.nudge(name, 1.0 if action == "next" else -1.0, SOURCE)
        elif mapping.value is not None:
            self.registry.set(name, mapping.value, SOURCE)
        elif control.kind == "program":
            self.registry.set_unit(name, performed.steps / 127, SOURCE)
        else:
            self._set_position(mapping, strength)

    def _release_gate(self, mapping: Mapping) -> None:
        self._gates.pop(mapping, None)
        self._set_position(mapping, 0.0)

    def _switch_off(self, control: ControllerElement) -> None:
        for mapping in self._active(control.id):
            if mapping.target in self.registry:
                action = resolve_action(mapping, control.kind, self.registry[mapping.target])
                if action == "gate":
                    self._set_position(mapping, 0.0)

    def _shift(self, on: bool) -> None:
        if on == self.shifted:
            return
        self.shifted = on
        self._forget_positions()  # knobs stand where the other layer left them
        self._pending.update(control.id for control in self.controller.controls)

    def _forget_positions(self) -> None:
        for state in self._states.values():
            state.takeover, state.upper_half = TakeoverState(), None

    def release(self) -> None:
        """Release all gates and the shift layer, and forget positions (unplugged, panic)."""
        self._apply_moves()
        for mapping in list(self._gates):
            self._release_gate(mapping)
        self._shift(False)
        self._forget_positions()
        self._pairs.clear()
        self._parameters.clear()

    # -- feedback -------------------------------------------------------------------------------
    def resync(self) -> None:
        """Send all feedback with the next `feedback`, because the device has lost its state."""
        for sent in self._feedback_states.values():
            sent.forget()
        self._pending.update(control.id for control in self.controller.controls)

    def feedback(self, changed: Iterable[str], now: float) -> list[Message]:
        """Feedback messages for targets that have changed, and what is pending."""
        due = self._pending
        for name in changed:
            due |= self._by_target.get(name, set())
        self._pending = set()
        found: list[Message] = []
        if not due:
            return found
        for control in self.controller.controls:
            if control.id not in due or control.feedback.message == "none":
                continue
            sent = self._feedback_states.setdefault(control.id, back.FeedbackState())
            absolute = not is_relative(control.kind) and not is_button_kind(control.kind)
            if absolute and not sent.is_untouched(now):
                self._pending.add(control.id)
                continue
            position, led = self._feedback_values(control)
            message = back.message_for(control.feedback, position, led)
            if message is not None and sent.should_send(message, position, now):
                found.append(message)
        return found

    def _feedback_values(self, control: ControllerElement) -> tuple[float, float]:
        """(position, LED) that the control should show."""
        for mapping in self._active(control.id):
            if mapping.target == SHIFT:
                return float(self.shifted), float(self.shifted)
            if mapping.target not in self.registry or not self.registry.available(mapping.target):
                continue
            parameter = self.registry[mapping.target]
            if parameter.kind == "trigger":
                led = self.led(mapping.target)
                return led, led
            if mapping.action == "set" and mapping.value is not None:
                same = float(self.registry.get(mapping.target) == mapping.value)
                return same, same
            position = self._position_of(mapping)
            return position, 1.0 if position > 0.5 else 0.0
        return 0.0, 0.0
