"""Registry of parameters: values by name, changes with their source, listeners.

Window, MIDI, OSC, keyboard, performance files and undo are sources of equal rank. Used in the GUI
thread only; other threads pass their changes to it first.

A value is a float (continuous), a bool (switch), a str (choice) or None: *auto*, the model's own
choice, where the parameter allows it. Every parameter `x` with an auto position has a switch
`x.auto`, so that a button can control it. Triggers have no value, only a strength 0..1.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from app.parameters.parameter import Parameter, Value, number_of
from models.errors import SegueError

Listener = Callable[["Change"], None]


@dataclass(frozen=True)
class Change:
    """A change. value: strength 0..1 for a trigger. source: what made it, such as "midi"."""

    name: str
    value: Value
    source: str


@dataclass
class _RegisteredParameter:
    parameter: Parameter
    value: Value
    manual: Value  # value before it went to auto
    whole: Parameter  # with the whole range, before an engine narrowed it
    available: bool = True


class Registry:
    """Parameters by name, their values and listeners. Not thread-safe."""

    def __init__(self) -> None:
        self._entries: dict[str, _RegisteredParameter] = {}
        self._listeners: dict[str | None, list[Listener]] = {}
        self._batch: dict[str, Change] | None = None
        self.error: Callable[[str, Exception], None] | None = None
        """Called with name and error when a listener raises; the others are still called."""

    # -- parameters -----------------------------------------------------------------------------
    def add(self, parameter: Parameter) -> None:
        """Register a parameter and its `.auto` switch. Raises SegueError where the name exists."""
        if parameter.name in self._entries:
            raise SegueError(f"Parameter '{parameter.name}' is registered twice.")
        manual = parameter.default
        if manual is None and parameter.kind == "continuous":
            manual = parameter.from_unit(0.5)
        elif manual is None and parameter.kind == "choice":
            manual = parameter.choices[0]
        self._entries[parameter.name] = _RegisteredParameter(
            parameter, parameter.default, manual, parameter
        )
        if parameter.auto:
            switch = Parameter(
                f"{parameter.name}.auto",
                f"{parameter.label} auto",
                "switch",
                default=parameter.default is None,
                group=parameter.group,
                help=f"On: the model chooses the {parameter.label.lower()}.",
            )
            self._entries[switch.name] = _RegisteredParameter(switch, switch.default, False, switch)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __getitem__(self, name: str) -> Parameter:
        return self._entry(name).parameter

    def __iter__(self) -> Iterator[Parameter]:
        return (entry.parameter for entry in list(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)

    def names(self, pattern: str = "*", *, available_only: bool = False) -> list[str]:
        """Names that match a shell pattern such as "prompt.*.weight", in order of registration."""
        return [
            name
            for name, entry in self._entries.items()
            if fnmatch.fnmatchcase(name, pattern) and (entry.available or not available_only)
        ]

    def available(self, name: str) -> bool:
        """Whether the parameter acts now: the engine has it, the prompt strip exists."""
        return self._entry(name).available

    def set_available(self, name: str, available: bool) -> None:
        """A parameter that is not available keeps value and mappings but ignores changes."""
        entry = self._entry(name)
        twin = self._entries.get(f"{name}.auto")
        if entry.available == available:
            return
        entry.available = available
        if twin is not None:
            twin.available = available
        self._tell(Change(name, entry.value, "availability"))

    def set_range(
        self, name: str, span: tuple[float, float] | None = None, start: float | None = None
    ) -> None:
        """Narrow the range of a continuous parameter.

        Args:
            name: of the parameter.
            span: (low, high) in its unit; None for the whole range.
            start: value from which a knob starts that was on auto.

        A value outside the range stays, as sessions keep what the present engine cannot do.

        """
        entry = self._entry(name)
        low, high = span if span is not None else (entry.whole.low, entry.whole.high)
        entry.parameter = replace(entry.whole, low=low, high=high)
        if entry.value is None and start is not None:
            entry.manual = start
        self._tell(Change(name, entry.value, "availability"))

    def whole(self, name: str) -> Parameter:
        """The parameter with its whole range, whatever the engine."""
        return self._entry(name).whole

    def _entry(self, name: str) -> _RegisteredParameter:
        try:
            return self._entries[name]
        except KeyError:
            raise SegueError(f"There is no parameter '{name}'; see the list of names.") from None

    # -- values --------------------------------------------------------------------------------
    def get(self, name: str) -> Value:
        """The value in its unit; None is auto. Raises SegueError for an unknown name."""
        return self._entry(name).value

    def number(self, name: str) -> float:
        """A continuous value for arithmetic; at auto, the last manual value."""
        entry = self._entry(name)
        value = entry.manual if entry.value is None else entry.value
        return number_of(name, value)

    def get_unit(self, name: str) -> float:
        """Position 0..1 of the value; at auto, of the last manual value."""
        entry = self._entry(name)
        value = entry.manual if entry.value is None else entry.value
        return entry.parameter.to_unit(value)

    def set(self, name: str, value: Value, source: str = "window") -> bool:
        """Set a value.

        Args:
            name: of the parameter, or of its `.auto` switch.
            value: in the parameter's unit; None for auto.
            source: what changes it, such as "window", "midi" or "osc:host:port".

        Returns:
            Whether the value changed.

        Raises:
            SegueError: unknown name, or no value of this parameter.

        """
        entry = self._entry(name)
        parameter = entry.parameter
        if parameter.kind == "trigger":
            return self.trigger(name, source)
        new = parameter.accept(value)
        if not entry.available:
            return False
        owner = self._auto_owner(name)
        if owner is not None:
            target = self._entries[owner]
            return self.set(owner, None if new else target.manual, source)
        if new == entry.value and type(new) is type(entry.value):
            return False
        was_auto = entry.value is None
        entry.value = new
        if new is not None:
            entry.manual = new
        self._tell(Change(name, new, source))
        if parameter.auto and was_auto != (new is None):
            twin = self._entries[f"{name}.auto"]
            twin.value = new is None
            self._tell(Change(f"{name}.auto", twin.value, source))
        return True

    def set_unit(self, name: str, position: float, source: str = "window") -> bool:
        """Set by position 0..1 along the curve; a trigger fires where the position is not 0."""
        entry = self._entry(name)
        if entry.parameter.kind == "trigger":
            return position > 0 and self.trigger(name, source, min(position, 1.0))
        return self.set(name, entry.parameter.from_unit(position), source)

    def nudge(self, name: str, steps: float, source: str = "window", *, fine: bool = False) -> bool:
        """Move by a number of steps (arrow keys, wheel, relative encoders). Leaves auto."""
        entry = self._entry(name)
        parameter = entry.parameter
        if parameter.kind == "choice":
            current = entry.manual if entry.value is None else entry.value
            known = str(current) in parameter.choices
            index = (parameter.choices.index(str(current)) if known else -1) + round(steps)
            return self.set(name, parameter.choices[index % len(parameter.choices)], source)
        if parameter.kind == "switch":
            return self.set(name, steps > 0, source)
        if parameter.kind == "trigger":
            return self.trigger(name, source)
        by = steps * (parameter.fine if fine else parameter.step)
        if parameter.curve == "linear":
            return self.set(name, self.number(name) + by, source)
        span = parameter.high - parameter.low
        return self.set_unit(name, self.get_unit(name) + by / span, source)

    def toggle(self, name: str, source: str = "window") -> bool:
        """Invert a switch."""
        return self.set(name, not self._entry(name).value, source)

    def reset(self, name: str, source: str = "window") -> bool:
        """Set to the default."""
        return self.set(name, self._entry(name).parameter.default, source)

    def trigger(self, name: str, source: str = "window", strength: float = 1.0) -> bool:
        """Fire a trigger with a strength 0..1; True when it is available."""
        entry = self._entry(name)
        if entry.parameter.kind != "trigger":
            raise SegueError(f"'{name}' is no trigger; set its value.")
        if not entry.available:
            return False
        self._send(Change(name, strength, source))
        return True

    def values(self, pattern: str = "*") -> dict[str, Value]:
        """Values whose names match, without triggers and `.auto` switches."""
        return {
            name: entry.value
            for name, entry in self._entries.items()
            if entry.parameter.kind != "trigger"
            and self._auto_owner(name) is None
            and fnmatch.fnmatchcase(name, pattern)
        }

    def restore(self, name: str, value: Value, source: str) -> None:
        """Set a value though it is not available or out of range for the present engine."""
        entry = self._entry(name)
        available, entry.available = entry.available, True
        narrowed, entry.parameter = entry.parameter, entry.whole
        try:
            self.set(name, value, source)
        finally:
            entry.available, entry.parameter = available, narrowed

    def _auto_owner(self, name: str) -> str | None:
        owner, dot, last = name.rpartition(".")
        if dot and last == "auto" and owner in self._entries:
            return owner
        return None

    # -- listeners -----------------------------------------------------------------------------
    def subscribe(self, listener: Listener, name: str | None = None) -> Callable[[], None]:
        """Call `listener` at every change, or those of one name; returns what ends it."""
        bucket = self._listeners.setdefault(name, [])
        bucket.append(listener)

        def unsubscribe() -> None:
            if listener in bucket:
                bucket.remove(listener)

        return unsubscribe

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Context in which changes are collected; at its end each changed name is sent once."""
        if self._batch is not None:
            yield
            return
        self._batch = {}
        try:
            yield
        finally:
            changes, self._batch = self._batch, None
            for change in changes.values():
                self._send(change)

    def _tell(self, change: Change) -> None:
        if self._batch is not None:
            self._batch.pop(change.name, None)
            self._batch[change.name] = change
        else:
            self._send(change)

    def _send(self, change: Change) -> None:
        for listener in (*self._listeners.get(change.name, ()), *self._listeners.get(None, ())):
            try:
                listener(change)
            except Exception as error:
                if self.error is None:
                    raise
                self.error(change.name, error)
