"""Performance file: what was steered and when, as JSON Lines.

Each line holds `t` (seconds from the start) and what changed there: `prompts`, `bpm`, `key`,
`density`, `brightness`, `mute`, `notes`, `drums`, `guidance`, `guidance_notes`, `guidance_drums`,
`chaos`, `temperature`, `top_k`, `note_width`, `note_onsets`, `strikes` (keys struck in this block),
`energy`, `dream`, `electronic`, `percussive`, `follow_prompts`, `change_at`, `fill`,
`next_section`, `memory`, `memory_mode`, `loop_bars`, `parts` (by part its level in dB, mute, solo,
lock, instrument, octave), `reroll` (a list of parts), `generation_mode`, `strength`. A value of
null sets a control to auto; an empty list of prompts leaves the style to the engine. `clear: true`
forgets the context, `moment: s` goes back to the context as it was at s seconds, `continue_from:
file` makes the end of an audio file the context, `end: true` is where the performance stops. The
first line may name `engine`, `seed` and `weights`, the identity of the weights that it was played
with: with others it sounds differently; and `input`, a file of what was played in, where that was
recorded. Then `heard` says what of it a block knew, and `style` is what the style send made of it.

Changes take effect at the first block that starts at their time or later; the instrument records
the start of the block in which a change first sounded, so that the same blocks are rendered.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from types import TracebackType
from typing import Final

from app.performance.json_values import plain_value, prompt_value
from app.performance.recorded_input import (
    RecordedInput,
    parse_place,
    parse_style,
    same_style,
    style_text,
)
from models.engine.controls import RANGES, SWITCHES, Controls, Style
from models.engine.hearing import HeardPlace, Hearing
from models.engine.interface import Audio
from models.engine.prompts import Prompt, check_weights, load_ending
from models.engine.sounds import sound_scales
from models.errors import SegueError
from models.music.score import SAMPLE_RATE

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
HALF_SAMPLE: Final = 0.5 / SAMPLE_RATE


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


@dataclass(frozen=True)
class PerformanceStep:
    """Controls of a block, and what happens before it.

    clear: forget the context. moment: go back to the start of that block. continuation: audio to
    go on from, samples (n, channels) and their rate in Hz. heard: what was played in.
    """

    controls: Controls
    clear: bool = False
    moment: int | None = None
    continuation: tuple[Audio, int] | None = None
    heard: Hearing | None = None


class PerformancePlayer:
    """Player of a performance: one step for each block.

    All prompts are mixed at once, so that an unusable prompt is known before the first block.
    mix: `PromptEmbedder.mix` of the engine. base: controls until the first change.
    """

    def __init__(
        self,
        performance: Performance,
        mix: Callable[[Sequence[Prompt]], Style | None],
        block_seconds: float,
        base: Controls | None = None,
    ) -> None:
        self.block_seconds = block_seconds
        self._next = 0
        self._block = 0
        self._controls = base if base is not None else Controls()
        self._changes = performance.changes
        self._styles: list[Style | None] = []
        self.endings: dict[str, tuple[Audio, int]] = {}
        """Endings of continued files by name: samples (n, channels), rate in Hz."""
        folder = performance.folder or Path()
        first = self._changes[0].input if self._changes else None
        self.input = None if first is None else RecordedInput(folder / first)
        for change in self._changes:
            try:
                self._styles.append(mix(change.prompts) if change.prompts else None)
                if change.continue_from is not None:
                    path = folder / Path(change.continue_from).expanduser()
                    self.endings[change.continue_from] = load_ending(path)
            except SegueError as error:
                raise SegueError(f"{change.where}: {error}") from None
            if change.moment is not None and self._at(change.moment) > self._at(change.t):
                raise SegueError(f"{change.where}: the moment lies in the future.")
        self.moments = frozenset(
            self._at(change.moment) for change in self._changes if change.moment is not None
        )
        """Blocks of whose start a snapshot is needed, as a change goes back to it."""

    def _at(self, seconds: float) -> int:
        """First block that starts at this time or later, to within half a sample."""
        return math.ceil((seconds - HALF_SAMPLE) / self.block_seconds)

    def step(self) -> PerformanceStep:
        """Step of the next block; the first call is for block 0."""
        clear, moment, continuation, heard = False, None, None, None
        while self._next < len(self._changes):
            change = self._changes[self._next]
            if self._at(change.t) > self._block:
                break
            self._controls = change.apply(self._controls)
            if change.prompts is not None:
                sounds = sound_scales(change.prompts)
                self._controls = self._controls.with_(style=self._styles[self._next], sounds=sounds)
            if change.style is not None:
                self._controls = self._controls.with_(style=change.style)
            heard = change.heard or heard
            if change.clear:
                clear, moment, continuation = True, None, None
            if change.moment is not None:
                clear, moment, continuation = False, self._at(change.moment), None
            if change.continue_from is not None:
                clear, moment, continuation = False, None, self.endings[change.continue_from]
            self._next += 1
        self._block += 1
        known = self.input.at(heard) if self.input is not None and heard is not None else None
        return PerformanceStep(self._controls, clear, moment, continuation, known)


class PerformanceWriter:
    """Writer of a performance file; lines hold only what changed. Not thread-safe.

    OSError (a full disk) leaves whole lines behind.
    """

    def __init__(
        self, path: Path, engine: str, seed: int, weights: str | None = None,
        input: str | None = None,
    ) -> None:  # fmt: skip
        """input: file of what is played in, where that is recorded."""
        self.path, self._with_input = path, input is not None
        self._header: dict[str, object] = {"engine": engine, "seed": seed}
        if weights:
            self._header["weights"] = weights
        if input:
            self._header["input"] = input
        self._last = Controls()
        self._prompts: tuple[Prompt, ...] = ()
        self._file = path.open("x", encoding="utf-8")

    def record(
        self,
        t: float,
        controls: Controls,
        prompts: Sequence[Prompt] = (),
        *,
        clear: bool = False,
        moment: float | None = None,
        continue_from: str | None = None,
        end: bool = False,
        heard: HeardPlace | None = None,
    ) -> None:
        """Write the changes at `t` seconds, the start of a block, if there are any.

        The style itself is not written, as it follows from the prompts; but with an input, which
        may be in it.
        """
        line: dict[str, object] = {"t": round(t, 6), **self._header}
        if tuple(prompts) != self._prompts:
            line["prompts"] = [prompt_value(prompt) for prompt in prompts]
        for name in CONTROL_KEYS:
            value = getattr(controls, name)
            if value != getattr(self._last, name):
                line[name] = plain_value(value)
        style = controls.style
        if self._with_input and style is not None and not same_style(style, self._last.style):
            line["style"] = style_text(style)
        flags: dict[str, object] = {
            "clear": clear or None,
            "moment": moment,
            "continue_from": continue_from,
            "end": end or None,
            "heard": None if heard is None else list(heard),
        }
        line.update({name: value for name, value in flags.items() if value is not None})
        if len(line) == 1:
            return
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()
        self._last, self._prompts, self._header = controls, tuple(prompts), {}

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> PerformanceWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
