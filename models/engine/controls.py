"""Controls of a block, and the blend of prompt styles.

A control left at auto (None) is the model's own choice. With a `strength` between 0 and 1 a control
is a prior that shifts the model's probabilities instead of deciding: the control priors of Lyria
RealTime ("Live Music Models", section 4), p(control | context) mixed with the performer's value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from numbers import Real
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.engine.control_values import (
    ARRIVALS,
    GENERATION_MODES,
    MEMORY_MODES,
    NOTE_ONSETS,
    RANGES,
    SWITCHES,
    check_bars,
    check_hold,
    check_mute,
    check_notes,
    check_number,
    check_switch,
    check_variation,
    check_word,
)
from models.engine.frozen_map import FrozenMap
from models.engine.parts import PartControls, PartMap, check_part_names, check_parts
from models.engine.sounds import check_sounds
from models.errors import SegueError
from models.music.hearing.sketch import Sketch, check_sketches
from models.music.score import parse_key

Style: TypeAlias = NDArray[np.float32]
"""A vector (style_dim,) in an engine's joint text-audio space."""


CONTROL_NAMES: Final = (
    "style", "bpm", "key", "density", "brightness", "mute", "notes", "drums", "guidance",
    "guidance_notes", "guidance_drums", "chaos", "energy", "dream", "electronic", "percussive",
    "follow_prompts", "change_at", "fill", "next_section", "parts", "reroll", "memory",
    "memory_mode", "loop_bars", "hold", "variation", "sketches", "echo", "echo_time",
    "echo_feedback", "echo_dream", "generation_mode", "sounds", "temperature", "top_k",
    "note_width", "note_onsets", "strikes", "next_beat",
)  # fmt: skip
"""All controls; an engine lists in `EngineInfo.controls` those that have an effect."""

WORDS_AT_REST: Final = (
    ("change_at", ARRIVALS[0]),
    ("memory_mode", MEMORY_MODES[0]),
    ("generation_mode", GENERATION_MODES[0]),
    ("note_onsets", NOTE_ONSETS[0]),
)
"""Controls that are words, and those that change nothing."""
UNSET_IF_EMPTY: Final = frozenset(
    {"mute", "notes", "strikes", "parts", "reroll", "sketches", "sounds", *SWITCHES}
)
"""Controls that have no auto but a value that changes nothing."""


class FrozenMapping(FrozenMap[float]):
    """Immutable numbers by name."""

    __slots__ = ()

    def __init__(self, items: Mapping[str, float] | Iterable[tuple[str, float]] = ()) -> None:
        super().__init__(sorted(dict(items).items()))


@dataclass(frozen=True, eq=False)
class Controls:
    """Controls of one block. Immutable, comparable, hashable; None (auto) is the model's choice.

    Attributes:
        style: float32 (style_dim,), a read-only copy.
        bpm: beats per minute, 30 to 300.
        key: 'A minor', 'F# dorian', ... (`models.music.score.parse_key`).
        density: 0 (sparse) to 1 (busy).
        brightness: 0 (dark) to 1 (bright).
        mute: stems that must not sound.
        notes: MIDI numbers of the held keys, sorted; empty leaves the harmony to the model.
        drums: whether there are drums.
        guidance: -1 to 7, how closely the style is followed (classifier-free guidance).
        guidance_notes: the same for `notes`, in engines with separate guidance.
        guidance_drums: the same for `drums`.
        chaos: 0 to 1, randomness of sampling.
        temperature: 0 to 3, of sampling; None: by `chaos`.
        top_k: 1 to 1024, codes among which one is drawn; None: by `chaos`.
        note_width: semitones around each held key in which no other pitch may sound, 0 for none;
            at 127 none may but those held.
        note_onsets: of NOTE_ONSETS.
        strikes: MIDI numbers that are struck in this block, sorted, whether they stay held or not;
            a key among `notes` that was not there before is struck too.
        next_beat: seconds from the block's start to the next beat of a player who is followed, by
            engines without a beat of their own: the held keys are struck there. 0 to 4.
        energy: 0 to 1, how many parts play and how busily; a large rise or fall also moves the
            form.
        dream: 0 to 1, how far the sound departs from the instruments' own, towards what a
            renderer makes of it.
        electronic, percussive: -1 to 1, how far the style is moved from acoustic to electronic,
            and from sustained to percussive.
        follow_prompts: tempo, metre and mode at auto change with the prompts, gliding over a bar,
            instead of staying.
        change_at: when a changed tempo or key arrives, "now" or at the next "bar".
        fill, next_section: triggers; each acts once when it turns true.
        parts: level, mute, solo, lock, instrument and octave by part.
        reroll: parts that get another pattern, now or with the next bar as `change_at` says; a
            part's name is a trigger, which acts once when it comes in.
        memory: 0 to 1, how much of what is played in the model remembers as its own past.
        memory_mode: of MEMORY_MODES.
        loop_bars: bars of the looper's loop, 1 to 16.
        hold: 1, 2, 4 or 8 bars that are kept as a loop, the last ones when it is set; 0 for none.
        variation: 0 (the held bars' notes) to 1 (as if nothing were held).
        echo: 0 to 1, level at which what is played in returns.
        echo_time: beats after which it does, 0 (the shortest) to 16.
        echo_feedback: 0 to 0.95, share of it that returns again.
        echo_dream: 0 to 1, how far the renderer departs from it; 0 is a plain delay.
        sounds: how far each learned sound acts on the weights, 0 to 1.5 by name.
        generation_mode: of GENERATION_MODES.
        sketches: lines and grooves that parts play from the next bar on, one a part at most.
        strength: per control 0 (no effect) to 1 (decides, the default); only for controls set.

    Raises:
        SegueError: a value out of range or of the wrong type.

    """

    style: Style | None = None
    bpm: float | None = None
    key: str | None = None
    density: float | None = None
    brightness: float | None = None
    mute: frozenset[str] = frozenset()
    notes: tuple[int, ...] = ()
    drums: bool | None = None
    guidance: float | None = None
    guidance_notes: float | None = None
    guidance_drums: float | None = None
    chaos: float | None = None
    energy: float | None = None
    dream: float | None = None
    electronic: float | None = None
    percussive: float | None = None
    follow_prompts: bool = False
    change_at: str = "now"
    fill: bool = False
    next_section: bool = False
    parts: Mapping[str, PartControls] = field(default_factory=PartMap)
    reroll: frozenset[str] = frozenset()
    memory: float | None = None
    memory_mode: str = "free"
    loop_bars: int = 4
    hold: int = 0
    variation: float = 0.0
    sketches: tuple[Sketch, ...] = ()
    echo: float | None = None
    echo_time: float | None = None
    echo_feedback: float | None = None
    echo_dream: float | None = None
    sounds: Mapping[str, float] = field(default_factory=FrozenMap)
    generation_mode: str = GENERATION_MODES[0]
    temperature: float | None = None
    top_k: float | None = None
    note_width: float | None = None
    note_onsets: str = "free"
    strikes: tuple[int, ...] = ()
    next_beat: float | None = None
    strength: Mapping[str, float] = field(default_factory=FrozenMapping)

    def __post_init__(self) -> None:
        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        if self.style is not None:
            put("style", as_style(self.style))
        for name in RANGES:
            put(name, check_number(name, getattr(self, name)))
        for name in SWITCHES:
            put(name, check_switch(name, getattr(self, name)))
        put("change_at", check_word("change_at", self.change_at, ARRIVALS))
        put("memory_mode", check_word("memory_mode", self.memory_mode, MEMORY_MODES))
        mode = check_word("generation_mode", self.generation_mode, GENERATION_MODES)
        put("generation_mode", mode)
        put("note_onsets", check_word("note_onsets", self.note_onsets, NOTE_ONSETS))
        put("loop_bars", check_bars(self.loop_bars))
        put("hold", check_hold(self.hold))
        put("variation", check_variation(self.variation))
        put("sketches", check_sketches(self.sketches))
        if self.key is not None:
            if not isinstance(self.key, str):
                raise SegueError(f"key is {self.key!r}: write a name such as 'A minor'.")
            parse_key(self.key)
        put("mute", check_mute(self.mute))
        put("notes", check_notes(self.notes))
        put("strikes", check_notes(self.strikes, "strikes"))
        if self.drums is not None and not isinstance(self.drums, bool):
            raise SegueError(f"drums is {self.drums!r}: write true, false, or null for auto.")
        put("parts", check_parts(self.parts))
        put("reroll", check_part_names(self.reroll))
        put("sounds", check_sounds(self.sounds))
        put("strength", _check_strength(self.strength))

    def with_(self, **changes: object) -> Controls:
        """A copy with some fields replaced, validated again."""
        return replace(self, **changes)  # type: ignore[arg-type]  # __post_init__ checks them

    @property
    def part_map(self) -> PartMap:
        """`parts`, as what it is after the checks."""
        return check_parts(self.parts)

    def strength_of(self, name: str) -> float:
        """Strength of a control, 0 to 1; 0 where it is left at auto."""
        value = getattr(self, name)
        if value is None or (name in UNSET_IF_EMPTY and not value):
            return 0.0
        if (name, value) in WORDS_AT_REST:
            return 0.0
        if name == "loop_bars" or (name in ("hold", "variation") and not value):
            return 0.0
        return self.strength.get(name, 1.0)

    def _identity(self) -> tuple[object, ...]:
        style = None if self.style is None else self.style.tobytes()
        return (style, *(getattr(self, f.name) for f in fields(self) if f.name != "style"))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Controls):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())


def _check_strength(value: object) -> FrozenMapping:
    if not isinstance(value, Mapping):
        raise SegueError(f"strength is {value!r}: give a number from 0 to 1 for each control.")
    strengths = {}
    for name, amount in value.items():
        if name not in CONTROL_NAMES:
            raise SegueError(
                f"there is no control {name!r}: choose from {', '.join(CONTROL_NAMES)}."
            )
        real = isinstance(amount, Real) and not isinstance(amount, bool)
        if not real or not 0.0 <= float(amount) <= 1.0:
            raise SegueError(f"the strength of {name} is {amount!r}: give a number from 0 to 1.")
        strengths[name] = float(amount)
    return FrozenMapping(strengths)


def as_style(vector: ArrayLike) -> Style:
    """A style as a read-only float32 copy (style_dim,).

    Raises:
        SegueError: not a vector, empty, or not finite.

    """
    style = np.array(vector, dtype=np.float32)
    if style.ndim != 1 or style.size == 0:
        raise SegueError(f"a style is one vector of numbers, not an array of shape {style.shape}.")
    if not np.isfinite(style).all():
        raise SegueError("the style holds a number that is not finite: take the prompt out again.")
    style.setflags(write=False)
    return style


def blend(styles: Sequence[ArrayLike], weights: Sequence[float]) -> Style:
    """Weighted mean sum(w s) / sum(w) of styles; its length is not normalised.

    Args:
        styles: (style_dim,) each.
        weights: one per style, 0 or more.

    Raises:
        SegueError: no styles, different sizes, negative weights, not finite, or all zero.

    """
    if len(styles) == 0:
        raise SegueError("there is no prompt to mix: give at least one.")
    if len(styles) != len(weights):
        raise SegueError(f"{len(styles)} prompts came with {len(weights)} weights: give one each.")
    vectors = [as_style(style) for style in styles]
    if len({vector.size for vector in vectors}) != 1:
        raise SegueError("the prompts' styles are of different sizes: they must be of one engine.")
    scale = np.array(weights, dtype=np.float64)
    if not np.isfinite(scale).all():
        raise SegueError("a prompt's weight is not finite: give a number of 0 or more.")
    if (scale < 0).any():
        raise SegueError("a prompt's weight is negative: give a number of 0 or more.")
    if not scale.any():
        raise SegueError("all prompt weights are zero: raise at least one.")
    # Scaled by the largest, so that the sum of very large or tiny weights is finite and above 0.
    scale /= scale.max()
    return as_style((scale / scale.sum()) @ np.stack(vectors).astype(np.float64))
