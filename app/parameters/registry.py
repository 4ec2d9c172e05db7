"""The parameter registry: one name for everything that can be moved or triggered.

Window, MIDI, OSC, keyboard, performance files and undo are equal hands on the values kept here.
GUI lane only (a MIDI or OSC thread hands its changes over first); pure logic, no Qt, no torch.

A value is a float (continuous), a bool (switch), a str (choice) or None: *auto*, the model's own
choice, where the parameter allows it. Every parameter `x` that has an auto position comes with a
switch `x.auto`, so that a button can hold it. Triggers carry no value, only a strength 0..1.
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
    """What listeners are told. `value` is a strength 0..1 for a trigger. `source` is the hand."""

    name: str
    value: Value
    source: str


@dataclass
class _RegisteredParameter:
    parameter: Parameter
    value: Value
    manual: Value  # where the parameter was before it went to auto
    whole: Parameter  # with the range that it has for engines that do not narrow it
    available: bool = True


class Registry:
    """Parameters by name, their values, and who listens. Not thread-safe: GUI lane only."""

    def __init__(self) -> None:
        self._entries: dict[str, _RegisteredParameter] = {}
        self._listeners: dict[str | None, list[Listener]] = {}
        self._batch: dict[str, Change] | None = None
        self.error: Callable[[str, Exception], None] | None = None
        """Told when a listener raises, so that one broken hand does not stop the others."""

    # -- what there is -------------------------------------------------------------------------
    def add(self, parameter: Parameter) -> None:
        """Register a parameter (and its `.auto` switch). Raises where the name is taken."""
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
        """Whether the parameter acts now: the engine has it, the prompt strip is there."""
        return self._entry(name).available

    def set_available(self, name: str, available: bool) -> None:
        """A parameter that is not available keeps its name and mappings but ignores hands."""
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
        """Narrow what hands can reach of a continuous parameter; None: all of it.

        start: where a hand takes it up that was left at auto. A value that lies outside stays, as
        sessions keep what the present engine cannot do.
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
        """The value in the parameter's own unit; None is auto."""
        return self._entry(name).value

    def number(self, name: str) -> float:
        """A continuous value that is never auto, for arithmetic (the manual value when auto)."""
        entry = self._entry(name)
        value = entry.manual if entry.value is None else entry.value
        return number_of(name, value)

    def get_unit(self, name: str) -> float:
        """Position 0..1; at auto, where the hand left it."""
        entry = self._entry(name)
        value = entry.manual if entry.value is None else entry.value
        return entry.parameter.to_unit(value)

    def set(self, name: str, value: Value, source: str = "window") -> bool:
        """Set a value; True when it changed. Raises SegueError for what cannot be a value."""
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
        """Set by position 0..1 along the curve; a trigger fires when the position is not 0."""
        entry = self._entry(name)
        if entry.parameter.kind == "trigger":
            return position > 0 and self.trigger(name, source, min(position, 1.0))
        return self.set(name, entry.parameter.from_unit(position), source)

    def nudge(self, name: str, steps: float, source: str = "window", *, fine: bool = False) -> bool:
        """Move by a number of steps: arrow keys, wheel, relative encoders. Leaves auto."""
        entry = self._entry(name)
        parameter = entry.parameter
        if parameter.kind == "choice":
            current = entry.manual if entry.value is None else entry.value
            index = parameter.choices.index(str(current)) + round(steps)
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
        """Flip a switch."""
        return self.set(name, not self._entry(name).value, source)

    def reset(self, name: str, source: str = "window") -> bool:
        """Back to the default."""
        return self.set(name, self._entry(name).parameter.default, source)

    def trigger(self, name: str, source: str = "window", strength: float = 1.0) -> bool:
        """Fire a trigger; True when it is available and somebody was told."""
        entry = self._entry(name)
        if entry.parameter.kind != "trigger":
            raise SegueError(f"'{name}' is no trigger; set its value.")
        if not entry.available:
            return False
        self._send(Change(name, strength, source))
        return True

    def values(self, pattern: str = "*") -> dict[str, Value]:
        """All values (no triggers, no `.auto` twins) whose names match."""
        return {
            name: entry.value
            for name, entry in self._entries.items()
            if entry.parameter.kind != "trigger"
            and self._auto_owner(name) is None
            and fnmatch.fnmatchcase(name, pattern)
        }

    def restore(self, name: str, value: Value, source: str) -> None:
        """Set even where not available: sessions keep what the present engine cannot do."""
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
        """Tell `listener` of every change (or of one name's); returns what unsubscribes it."""
        bucket = self._listeners.setdefault(name, [])
        bucket.append(listener)

        def unsubscribe() -> None:
            if listener in bucket:
                bucket.remove(listener)

        return unsubscribe

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Within it listeners are not told; at its end each changed name is told once."""
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
