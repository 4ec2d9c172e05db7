"""Performance file: what was steered and when, as JSON Lines.

Each line holds `t` (seconds from the start) and what changed there: `prompts`, `bpm`, `key`,
`density`, `brightness`, `mute`, `notes`, `drums`, `guidance`, `guidance_notes`, `guidance_drums`,
`chaos`, `temperature`, `top_k`, `note_width`, `note_onsets`, `strikes` (keys struck in this block),
`next_beat`, `energy`, `dream`, `electronic`, `percussive`, `follow_prompts`, `change_at`, `fill`,
`next_section`, `memory`, `memory_mode`, `loop_bars`, `parts` (by part its level in dB, mute, solo,
lock, instrument, octave, dry), `reroll` (a list of parts), `generation_mode`, `strength`. A value
of null sets a control to auto; an empty list of prompts leaves the style to the engine. `clear:
true` forgets the context, `moment: s` goes back to the context as it was at s seconds,
`continue_from: file` makes the end of an audio file the context, `end: true` is where the
performance stops. The first line may name `engine`, `seed` and `weights`, the identity of the
weights that it was played with: with others it sounds differently; and `input`, a file of what was
played in, where that was recorded. Then `heard` says what of it a block knew, and `style` is what
the style send made of it.

Changes take effect at the first block that starts at their time or later; the instrument records
the start of the block in which a change first sounded, so that the same blocks are rendered.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Final

from app.performance.recorded_input import (
    parse_place,
    parse_style,
)
from models.engine.control_values import RANGES, SWITCHES
from models.engine.controls import Controls, Style
from models.engine.hearing import HeardPlace
from models.engine.prompts import Prompt, check_weights
from models.errors import SegueError

CONTROL_KEYS: Final = (
    *RANGES, "key", "mute", "notes", "drums", *SWITCHES, "change_at", "memory_mode", "loop_bars",
    "generation_mode", "hold", "variation", "sketches", "parts", "reroll", "strength",
    "note_onsets", "strikes",
)  # fmt: skip
"""Fields of a line that are fields of Controls by the same name."""
KEYS: Final = (
    "t", "prompts", *CONTROL_KEYS, "clear", "moment", "continue_from", "end", "engine", "seed",
    "weights", "input", "heard", "style",
)  # fmt: skip


@dataclass(frozen=True)
class PerformanceChange:
    """One line: at `t` seconds new values of `controls` and `prompts` (None: unchanged)."""

    t: float
    controls: Mapping[str, object] = field(default_factory=dict)
    prompts: tuple[Prompt, ...] | None = None
    clear: bool = False
    moment: float | None = None
    continue_from: str | None = None
    end: bool = False
    engine: str | None = None
    seed: int | None = None
    where: str = ""
    weights: str | None = None
    input: str | None = None
    heard: HeardPlace | None = None
    style: Style | None = None

    def apply(self, controls: Controls) -> Controls:
        """Controls with the values of this change; the style stays."""
        return controls.with_(**self.controls)


@dataclass(frozen=True)
class Performance:
    """Changes in the order of time. folder: where relative audio paths start."""

    changes: tuple[PerformanceChange, ...]
    folder: Path | None = None

    @property
    def engine(self) -> str | None:
        return self.changes[0].engine if self.changes else None

    @property
    def seed(self) -> int | None:
        return self.changes[0].seed if self.changes else None

    @property
    def weights(self) -> str | None:
        """Identity of the weights that it was recorded with (`Engine.weights_identity`), if it
        says so.
        """
        return self.changes[0].weights if self.changes else None

    def weights_warning(self, engine: str, identity: str | None) -> str | None:
        """What must be said where the engine's weights are not those of the recording.

        Args:
            engine: Name of the engine that is to play it.
            identity: Identity of its weights (`Engine.weights_identity`).

        Returns:
            A sentence; None where the weights are the same, or either is not known, or the
            performance is of another engine.

        """
        if None in (self.weights, identity) or self.weights == identity:
            return None
        if self.engine not in (None, engine):
            return None
        recorded, here = str(self.weights)[:8], str(identity)[:8]
        return (
            f"the performance was recorded with other weights of {engine} ({recorded}) than are "
            f"here ({here}): it will not sound the same."
        )

    @property
    def end(self) -> float | None:
        """Seconds at which it stops, if it has an end."""
        return next((change.t for change in self.changes if change.end), None)


def read_performance(path: Path) -> Performance:
    """Read a JSON Lines file. SegueError names the file, the line and what is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SegueError(f"there is no performance {path}: check the name.") from None
    except UnicodeDecodeError:
        raise SegueError(f"{path} is no performance: it must be JSON Lines in UTF-8.") from None
    except OSError as error:
        raise SegueError(f"{path} cannot be read: {error.strerror}.") from None
    return Performance(parse_lines(text.splitlines(), str(path)), path.parent)


def parse_lines(lines: Iterable[str], name: str = "performance") -> tuple[PerformanceChange, ...]:
    """Changes from lines of JSON; empty lines are skipped. SegueError for wrong ones."""
    changes: list[PerformanceChange] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        try:
            change = _parse_line(line, where)
            if changes and change.t < changes[-1].t:
                raise SegueError("t goes back in time: put the lines in order.")
            if changes and (change.engine, change.seed, change.weights) != (None, None, None):
                raise SegueError("engine, seed and weights stand in the first line only.")
        except SegueError as error:
            raise SegueError(f"{where}: {error}") from None
        changes.append(change)
    if not changes:
        raise SegueError(f'{name} is empty: give at least one line such as {{"t": 0, "bpm": 120}}.')
    return tuple(changes)


def _parse_line(line: str, where: str) -> PerformanceChange:
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        raise SegueError(f"this is not JSON ({error.msg} at column {error.colno}).") from None
    if not isinstance(values, dict):
        raise SegueError('a line is an object such as {"t": 0, "bpm": 120}.')
    unknown = [key for key in values if key not in KEYS]
    if unknown:
        raise SegueError(f"there is no '{unknown[0]}': choose from {', '.join(KEYS)}.")
    if "t" not in values:
        raise SegueError("t is missing: give the time in seconds.")
    controls = {key: values[key] for key in CONTROL_KEYS if key in values}
    if controls.get("strength", 0) is None:
        controls["strength"] = {}
    checked = Controls(**controls)  # validates the values
    controls = {key: getattr(checked, key) for key in controls}
    return PerformanceChange(
        t=_seconds("t", values["t"]),
        controls=controls,
        prompts=_parse_prompts(values["prompts"]) if "prompts" in values else None,
        clear=_flag("clear", values),
        moment=_seconds("moment", values["moment"]) if values.get("moment") is not None else None,
        continue_from=_file(values.get("continue_from")),
        end=_flag("end", values),
        engine=_engine(values.get("engine")),
        seed=_seed(values.get("seed")),
        where=where,
        weights=_identity(values.get("weights")),
        input=_file(values.get("input"), "input"),
        heard=parse_place(values.get("heard")),
        style=parse_style(values.get("style")),
    )


def _seconds(name: str, value: object) -> float:
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or value < 0:  # type: ignore[arg-type,operator]
        raise SegueError(f"{name} is {value!r}: give a time of 0 seconds or more.")
    return float(value)  # type: ignore[arg-type]


def _flag(name: str, values: Mapping[str, object]) -> bool:
    value = values.get(name, False)
    if not isinstance(value, bool):
        raise SegueError(f"{name} is {value!r}: write true or leave it out.")
    return value


def _engine(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise SegueError(f"engine is {value!r}: write its name in quotes.")
    return value


def _identity(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise SegueError(f"weights is {value!r}: write their checksum in quotes, or leave it out.")
    return value


def _file(value: object, key: str = "continue_from") -> str | None:
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise SegueError(f"{key} is {value!r}: write the name of an audio file in quotes.")
    return value


def _seed(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise SegueError(f"seed is {value!r}: give a whole number of 0 or more.")
    return value


def _parse_prompts(value: object) -> tuple[Prompt, ...]:
    if not isinstance(value, list):
        raise SegueError('prompts is a list such as [{"text": "flute", "weight": 0.5}].')
    prompts = []
    for item in value:
        if not isinstance(item, dict) or not set(item) <= {"text", "audio", "weight", "amount"}:
            raise SegueError(
                f"{json.dumps(item)} is no prompt: it has text or audio, weight, and amount."
            )
        prompts.append(Prompt(**item))
    check_weights(prompts)
    return tuple(prompts)
