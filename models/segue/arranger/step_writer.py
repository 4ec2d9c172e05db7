"""Decoder of one step: the network's odds, biased by the controls, sampled part by part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.music.harmony import scale_of
from models.music.score import (
    CHORDS,
    DRUMS,
    MODES,
    PARTS,
    PITCHED,
    STEM_OF_PART,
    chord_pitch_classes,
)
from models.segue.arranger.held_keys import HeldHarmony, snap
from models.segue.arranger.memory.recollection import (
    favour_code,
    favour_drums,
    favour_symbol,
)
from models.segue.arranger.network import (
    FEATURES,
    LAGS,
    LONG_AGO,
    OFFSETS,
    SECTION_BARS,
    SOURCES,
    STAY,
    SYMBOL_CODES,
    ArrangerNet,
    RowFeatures,
    StepPlace,
)
from models.segue.arranger.sampling import (
    Logits,
    StepNoise,
    guided,
    pick,
    pick_drums,
)
from models.segue.arranger.state import Form, History, Row, empty_row
from models.segue.arranger.step_targets import StepPosition, StepTargets
from models.segue.arranger.steps import (
    ACTION,
    DRUM_COLUMNS,
    LEVELS,
    MAX_BAR,
    NOTE_CODES,
    NOTE_PARTS,
    PITCH_CODES,
    STRIKE,
    SYMBOL,
    TOKEN,
    TOUCHES,
    WIDTH,
    Setting,
    code_pitch,
    pitch_code,
)

ABSENT: Final = 255
NO_SOURCES: Final[tuple[Row | None, ...]] = (None,) * SOURCES
CODE_COLUMNS: Final = (SYMBOL, ACTION, *(TOKEN[p] for p in NOTE_PARTS))
OUT_OF_SCALE: Final = 2.5  # log-odds against a note outside the key of the control
CHORD_OUT_OF_SCALE: Final = 0.6  # log-odds against a chord for each of its notes outside the key
UNDER_FILLS: Final = ("kick", "perc_low")
ROW_FEATURES: Final = RowFeatures()
_SYMBOL_CLASSES: Final = np.zeros((CHORDS, 12), np.float32)
for _symbol in range(CHORDS):
    _SYMBOL_CLASSES[_symbol, list(chord_pitch_classes(_symbol, 0))] = 1.0
_SYMBOL_MEANS: Final = _SYMBOL_CLASSES / _SYMBOL_CLASSES.sum(axis=1, keepdims=True)


def available(setting: Setting) -> int:
    """Bits of the parts that have a kit or an instrument."""
    bits = 1 if setting.kit else 0
    for index, instrument in enumerate(setting.instruments):
        bits |= (1 << (index + 1)) if instrument else 0
    return bits


def audible(mute: frozenset[str]) -> int:
    """Bits of the parts whose stems are not muted."""
    return sum(1 << i for i, part in enumerate(PARTS) if STEM_OF_PART[part] not in mute)


def part_flags(active: int) -> list[float]:
    """Bits of parts as zeros and ones, in PARTS' order."""
    return [float(active >> i & 1) for i in range(len(PARTS))]


def step_place(
    place: StepPosition, form: Form, setting: Setting, density: tuple[float, float]
) -> StepPlace:
    """The network's view of a step, two rows of one step each."""

    def both(value: int) -> Tensor:
        return torch.full((2, 1), value)

    return StepPlace(
        place=both(setting.metre * MAX_BAR + place.step_in_bar),
        section=both(form.section),
        section_bar=both(min(form.bar, SECTION_BARS - 1)),
        active=torch.tensor(part_flags(form.active)).expand(2, 1, -1),
        change=both(min(place.change, LONG_AGO)),
        density=torch.tensor(density, dtype=torch.float32).expand(2, 1, -1),
    )


def sources(
    history: History, form: Form, place: StepPosition, steps_per_bar: int, theme: Row | None = None
) -> list[Row | None]:
    """The rows that the network may copy from; `theme`: the same place of the section's theme."""
    back = [place.step - lag * steps_per_bar for lag in LAGS]
    back.append(form.returns(place.step))
    rows = [history.get(index) if index >= place.floor else None for index in back]
    if theme is not None:
        rows[-1] = theme
    return rows


def _lag_codes(rows: Sequence[Row | None], symbol: int) -> Tensor:
    codes = np.full((SOURCES, len(CODE_COLUMNS)), -1, np.int64)
    for index, row in enumerate(rows):
        if row is not None:
            codes[index] = row[list(CODE_COLUMNS)]
            same = codes[index, 0] == symbol
            codes[index, 0] = STAY if same else codes[index, 0] + 1
    return torch.from_numpy(codes)


def advance(
    net: ArrangerNet,
    hidden: Tensor,
    condition: Tensor,
    moment: StepPlace,
    previous: Row | None,
    attended_rows: Sequence[Row | None],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One step of the recurrence. Returns joined (2, 2 hidden), output (2, hidden), the new hidden
    state and the sources' features (SOURCES, FEATURES).
    """
    seen = torch.from_numpy(np.stack([ROW_FEATURES.of(row) for row in (previous, *attended_rows)]))
    joined, output, hidden = net.advance(
        seen[:1].expand(2, 1, -1),
        seen[1:].expand(2, 1, -1, -1),
        moment,
        condition[:, None],
        hidden,
    )
    return joined[:, 0], output[:, 0], hidden, seen[1:]


class HeadInputs(NamedTuple):
    """Inputs of the heads: their starts, the copy gates, the sources' features and their codes."""

    start: Tensor
    gates: Tensor
    lag_features: Tensor
    codes: Tensor

    @classmethod
    def of(
        cls,
        net: ArrangerNet,
        joined: Tensor,
        lag_features: Tensor,
        rows: Sequence[Row | None],
        symbol: int,
    ) -> HeadInputs:
        """The inputs from what `advance` returns; `symbol` is the chord that sounds (+ 1)."""
        return cls(*net.trunks(joined), lag_features, _lag_codes(rows, symbol))


@dataclass(frozen=True, eq=False)
class StepHeads:
    """The network's heads in one step. `anew` are the inputs of parts that are written anew, which
    know no sources; `so_far` (FEATURES,) is what of the row is decided.
    """

    net: ArrangerNet
    usual: HeadInputs
    anew: HeadInputs
    targets: StepTargets
    so_far: NDArray[np.float32] = field(default_factory=lambda: np.zeros(FEATURES, np.float32))

    @property
    def _features(self) -> Tensor:
        # They share memory: what is decided is an input of the next head.
        return torch.from_numpy(self.so_far).expand(2, FEATURES)

    def _inputs(self, part: int) -> HeadInputs:
        return self.anew if self.targets.parts.is_renewed(part) else self.usual

    def decided(self, row: Row, first: int, end: int) -> None:
        """Note columns of a row as decided."""
        ROW_FEATURES.add(self.so_far, row, range(first, end))

    def drums(self) -> Logits:
        """(drums * levels,) log-odds."""
        own = self._inputs(0)
        logits = self.net.logits_drums(own.start, own.gates, own.lag_features[None]).numpy()
        base = guided_drums(logits, self.targets.guidance)
        self.targets.parts.shift_drums(base)
        favour_drums(base, LEVELS, self.targets.recollection)
        return base

    def code(self, head: int, part: int | None = None) -> tuple[Logits, Tensor]:
        """Log-odds of a head's codes and its hidden layer; part None is the chord symbol."""
        own = self.usual if part is None else self._inputs(part)
        logits, layer = self.net.logits_code(
            head, own.start, self._features, own.gates, own.codes[:, head - 1].expand(2, SOURCES)
        )
        return guided(logits.numpy(), self.targets.guidance), layer

    def touches(self, head: int, layer: Tensor) -> Logits:
        """Log-odds of an onset's touch."""
        logits = self.net.logits_touch(head, layer, self._features).numpy()
        return guided(logits, self.targets.guidance)


def decode_step(
    heads: StepHeads,
    links: Logits,
    form: Form,
    symbol: int,
    tonic: int,
    mode: str,
    step_noise: StepNoise,
) -> Row:
    """One row, drawn part by part; `symbol` is the chord that sounds (+ 1).

    Parts that are not active rest, and locked ones play their pattern. Held keys decide the chord
    and pull the notes to it.
    """
    targets = heads.targets
    row = empty_row()
    row[WIDTH] = form.active
    noise = step_noise.gumbel(len(DRUMS) * LEVELS)
    if not targets.parts.fixed(0, row, mode) and form.active & 1:
        bias = targets.bias + targets.parts.fuller(0)
        row[DRUM_COLUMNS] = pick_drums(heads.drums(), links, noise, targets.sampling, bias, LEVELS)
    if targets.fill is not None:
        # What holds the bar together plays on under the fill.
        steady = row[DRUM_COLUMNS] * np.isin(DRUMS, UNDER_FILLS)
        row[DRUM_COLUMNS] = np.maximum(targets.fill, steady)
    heads.decided(row, 0, SYMBOL)
    scale = np.zeros(12, np.float32)
    scale[list(MODES[mode])] = 1.0
    # The chord.
    logits, _ = heads.code(1)
    noise = step_noise.gumbel(SYMBOL_CODES)
    if targets.held is not None:
        row[SYMBOL] = targets.held.symbol + 1
    elif targets.parts.symbol is not None:
        row[SYMBOL] = targets.parts.symbol
    else:
        row[SYMBOL] = _choose_symbol(logits, noise, form, symbol, scale, targets)
    heads.decided(row, SYMBOL, ACTION)
    # The parts.
    notes = targets.tones - OUT_OF_SCALE * targets.scale * (1 - _bent(mode, int(row[SYMBOL])))
    notes = notes[np.arange(PITCH_CODES) % 12]
    for head, part in enumerate(("chords", *NOTE_PARTS), start=2):
        size = STRIKE + 1 if part == "chords" else NOTE_CODES
        noise, touch_noise = step_noise.gumbel(size), step_noise.gumbel(TOUCHES)
        forced = targets.strike and part == "chords"
        column, index = CODE_COLUMNS[head - 1], PARTS.index(part)
        if not forced and targets.parts.fixed(index, row, mode):
            heads.decided(row, column, column + (2 if row[column] >= STRIKE else 1))
        elif form.active >> index & 1 or forced:
            layer = _draw_code(heads, row, head, part, notes, noise, tonic, mode)
            heads.decided(row, column, column + 1)
            if row[column] >= STRIKE:
                row[column + 1] = pick(heads.touches(head, layer), touch_noise, targets.sampling)
                heads.decided(row, column + 1, column + 2)
        else:
            heads.decided(row, column, column + 1)
    return row


def _draw_code(
    heads: StepHeads,
    row: Row,
    head: int,
    part: str,
    notes: Logits,
    noise: Logits,
    tonic: int,
    mode: str,
) -> Tensor:
    """Draw a pitched part's token into the row; returns the head's hidden layer. `notes`: log-odds
    of pitches.
    """
    targets, index, column = heads.targets, PARTS.index(part), CODE_COLUMNS[head - 1]
    logits, layer = heads.code(head, index)
    logits[STRIKE:] += targets.bias
    again = targets.theme is not None and not targets.parts.is_renewed(index)
    if targets.theme is not None and again and targets.theme[WIDTH] >> index & 1:
        logits[int(targets.theme[column])] += targets.recall
    targets.parts.shift(index, logits, row, mode)
    favour_code(logits, part, targets.recollection)
    if part == "chords":
        row[column] = STRIKE if targets.strike else pick(logits, noise, targets.sampling)
        return layer
    logits[STRIKE:] += notes
    if part == "lead" and targets.idiom is not None and targets.idiom.lead is not None:
        logits[STRIKE:] += targets.idiom.lead
    code = pick(logits, noise, targets.sampling)
    if code >= STRIKE and targets.held is not None:
        code = STRIKE + _to_chord(code - STRIKE, tonic, targets.held, part)
    row[column] = code
    return layer


def _choose_symbol(
    logits: Logits, noise: Logits, form: Form, symbol: int, scale: Logits, targets: StepTargets
) -> int:
    """The chord (+ 1) of a step after `symbol`, kept to the scale (12,) and to the theme."""
    fitness = _SYMBOL_MEANS @ targets.tones
    fitness -= targets.scale * CHORD_OUT_OF_SCALE * (_SYMBOL_CLASSES @ (1 - scale))
    logits[2:] += fitness
    if symbol:
        logits[STAY] += fitness[symbol - 1]
    if targets.idiom is not None:
        logits += targets.idiom.symbols
    if form.active >> 1:
        # A tune has a harmony, even where it rests.
        logits[1] = -np.inf
        if not symbol:
            logits[STAY] = -np.inf
    if targets.theme is not None:
        known = int(targets.theme[SYMBOL])
        logits[STAY if known == symbol else known + 1] += targets.recall
    favour_symbol(logits, symbol, targets.recollection)
    code = pick(logits, noise, targets.sampling)
    return symbol if code == STAY else code - 1


def _bent(mode: str, symbol: int) -> Logits:
    """(12,) 1 for the notes of the mode, bent to the chord (+ 1, 0 for none) that sounds."""
    scale = np.zeros(12, np.float32)
    scale[list(scale_of(mode, symbol - 1))] = 1.0
    return scale


def guided_drums(logits: Logits, guidance: float) -> Logits:
    """`guided` for the drums: (2, drums * levels), odds within each drum."""
    grouped = logits.reshape(2, len(DRUMS), LEVELS)
    shifted = grouped - grouped.max(axis=-1, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    # The links that are added later act on raw logits, so the first row's level stays.
    change = np.clip(logp[0] - logp[1], -4.0, 4.0)
    return np.asarray(grouped[0] + (guidance - 1) * change, np.float32).reshape(-1)


def _to_chord(code: int, tonic: int, held: HeldHarmony, part: str) -> int:
    """A pitch code moved to the held chord; the bass plays its lowest key."""
    classes = (held.root,) if part == "bass" else held.classes
    return int(pitch_code(snap(code_pitch(code, tonic), classes), tonic))


assert PITCHED == ("bass", "chords", "lead", "extra") and OFFSETS[1] == len(DRUMS) * LEVELS
