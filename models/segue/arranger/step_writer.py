"""Writing one row: the network's odds, bent by the controls, drawn. Inference lane; needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from models.music.score import (
    CHORDS,
    DRUMS,
    MODES,
    PARTS,
    PITCHED,
    STEM_OF_PART,
    chord_pitch_classes,
)
from models.segue.arranger.held_keys import Held, snap
from models.segue.arranger.network import (
    ACTIVES,
    FEATURES,
    LAGS,
    LONG_AGO,
    OFFSETS,
    SECTION_BARS,
    SECTION_CODES,
    SOURCES,
    STAY,
    SYMBOL_CODES,
    ArrangerNet,
    RowFeatures,
    StepPlace,
)
from models.segue.arranger.sampling import (
    Logits,
    SamplingParams,
    StepNoise,
    mixed,
    pick,
    pick_drums,
)
from models.segue.arranger.state import Form, History, Row, empty_row
from models.segue.arranger.steps import (
    ACTION,
    DRUM_COLUMNS,
    LEVELS,
    MAX_BAR,
    NOTE_CODES,
    NOTE_PARTS,
    PITCH_CODES,
    SECTIONS,
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
CODE_COLUMNS: Final = (SYMBOL, ACTION, *(TOKEN[p] for p in NOTE_PARTS))
OUT_OF_SCALE: Final = 2.5  # log-odds against a note outside the key that was asked for
OUTRO: Final = SECTIONS.index("outro")
THIN: Final = tuple(SECTIONS.index(name) for name in ("intro", "break", "build"))
THIN_BARS: Final = 4  # a thin section ends after so many bars, and is not followed by another
GROOVE_BARS: Final = 24  # bars back in which a drummer looks for the last groove
STEADY_BARS: Final = 8  # bars between two thin sections
PATIENCE: Final = 2  # bars that a part may be away before it is pressed to come back
ROW_FEATURES: Final = RowFeatures()
_SYMBOL_CLASSES: Final = np.zeros((CHORDS, 12), np.float32)
for _symbol in range(CHORDS):
    _SYMBOL_CLASSES[_symbol, list(chord_pitch_classes(_symbol, 0))] = 1.0


@dataclass(frozen=True)
class StepTargets:
    """What the controls ask of a step, in the arranger's own units."""

    guidance: float
    taste: SamplingParams
    density: tuple[float, float]  # asked quantile and whether it is asked
    bias: float  # added to the log-odds of every onset
    scale: float  # 0..1 how strictly the mode is kept to
    held: Held | None
    strike: bool  # the chord part must strike now
    mute: frozenset[str]


@dataclass(frozen=True)
class StepPosition:
    """Where a step is: its number since the start, its place in the bar, and what it may look back
    to."""

    step: int
    step_in_bar: int
    change: int  # bars since the style changed
    floor: int


def available(setting: Setting) -> int:
    """Bits of the parts that have somebody to play them."""
    bits = 1 if setting.kit else 0
    for index, instrument in enumerate(setting.instruments):
        bits |= (1 << (index + 1)) if instrument else 0
    return bits


def audible(mute: frozenset[str]) -> int:
    """Bits of the parts whose stems are not muted."""
    return sum(1 << i for i, part in enumerate(PARTS) if STEM_OF_PART[part] not in mute)


def _bits(active: int) -> list[float]:
    return [float(active >> i & 1) for i in range(len(PARTS))]


def moment_of(
    place: StepPosition, form: Form, setting: Setting, density: tuple[float, float]
) -> StepPlace:
    """The network's view of a step, two rows of one step each."""

    def both(value: int) -> Tensor:
        return torch.full((2, 1), value)

    return StepPlace(
        place=both(setting.metre * MAX_BAR + place.step_in_bar),
        section=both(form.section),
        section_bar=both(min(form.bar, SECTION_BARS - 1)),
        active=torch.tensor(_bits(form.active)).expand(2, 1, -1),
        change=both(min(place.change, LONG_AGO)),
        density=torch.tensor(density, dtype=torch.float32).expand(2, 1, -1),
    )


def plan_bar(
    net: ArrangerNet,
    output: Tensor,
    condition: Tensor,
    before: StepPlace,
    form: Form,
    place: StepPosition,
    history: History,
    setting: Setting,
    wish: StepTargets,
    dice: StepNoise,
    keep: bool = False,
) -> Form:
    """Section and active parts of the bar that begins now. With `keep` the section goes on.

    A part must have an instrument; at least one that is not muted plays. Music does not end, so
    there is no outro.
    """
    section_logits, plan = net.logits_section(output, condition, _squeeze(before))
    odds = mixed(section_logits.numpy(), wish.guidance)
    odds[1 + OUTRO] = -np.inf
    if form.section in THIN and form.bar + 1 >= THIN_BARS:
        odds[STAY] = -np.inf
    if form.section in THIN or form.steady < STEADY_BARS:
        odds[[1 + section for section in THIN]] = -np.inf
    if place.step == 0:
        odds[STAY] = -np.inf
    noise = dice.roll(SECTION_CODES)
    code = STAY if keep else pick(odds, noise, SamplingParams(1.0, 1.0, 0.0))
    if code != STAY:
        form = form.enter(code - 1, place.step)
    elif not keep:
        form = replace(form, bar=form.bar + 1)
    back = form.returns(place.step)
    row = history.get(back) if back >= place.floor else None
    returned = [*_bits(int(row[WIDTH])), 1.0] if row is not None else [0.0] * (len(PARTS) + 1)
    logits = net.logits_active(
        plan, torch.full((2,), code), torch.tensor(returned).expand(2, -1)
    ).numpy()
    odds = mixed(logits, wish.guidance)
    can, heard = available(setting), available(setting) & audible(wish.mute)
    bits = np.arange(ACTIVES)
    barred = (bits & ~can) != 0
    if heard:
        barred |= (bits & heard) == 0
    elif can:
        barred |= bits == 0
    odds = np.where(barred, -np.inf, odds + _pressure(form, heard, wish.density))
    active = (
        pick(odds, dice.roll(ACTIVES), SamplingParams(0.9, 0.97, 0.0)) if not barred.all() else 0
    )
    return replace(form, active=active) if keep else form.sounded(active, form.section in THIN)


def _pressure(form: Form, heard: int, density: tuple[float, float]) -> Logits:
    """(ACTIVES,) log-odds in favour of the parts of `heard` that have been away for long.

    A composed song may begin with half a minute of pads; whoever asked for a genre on a stage
    waits for its drums. Low density asks for few players, so there the pressure eases.
    """
    if form.section in THIN:
        return np.zeros(ACTIVES, np.float32)
    asked, known = density
    ease = min(1.0, asked / 0.4) if known else 1.0
    bits = np.arange(ACTIVES)
    total = np.zeros(ACTIVES, np.float32)
    for part, bars in enumerate(form.missed):
        if heard >> part & 1:
            weight = 2.5 if part == 0 else 0.5
            push = ease * weight * min(max(bars - PATIENCE, 0), 6)
            total += np.float32(push) * (bits >> part & 1)
    return total


def groove(history: History, form: Form, place: StepPosition, steps_per_bar: int) -> Row | None:
    """The row at this place of the last bar with drums, where the drums should play and have been
    silent for half a bar; None where they play, or never did.

    A network that looks back a bar and sees no drums writes none, again and again: after a break
    the drummer is to remember what was played before it.
    """
    if not form.active & 1:
        return None
    for back in range(1, GROOVE_BARS * steps_per_bar):
        row = history.get(place.step - back)
        if row is None or place.step - back < place.floor:
            return None
        if row[DRUM_COLUMNS].any():
            if back <= steps_per_bar // 2:
                return None
            # Half a bar before the last hit, which may be the crash that a break begins with.
            bars = -(-(back + steps_per_bar // 2) // steps_per_bar)
            return history.get(place.step - bars * steps_per_bar)
    return None


def drummed(row: Row | None, drums: Row) -> Row:
    """`row` with the drums of another."""
    patched = empty_row() if row is None else row.copy()
    patched[DRUM_COLUMNS] = drums[DRUM_COLUMNS]
    return patched


def _squeeze(moment: StepPlace) -> StepPlace:
    return StepPlace(*(value[:, 0] for value in moment))


def sources(
    history: History, form: Form, place: StepPosition, steps_per_bar: int
) -> list[Row | None]:
    """The rows that the network may copy from."""
    back = [place.step - lag * steps_per_bar for lag in LAGS]
    back.append(form.returns(place.step))
    return [history.get(index) if index >= place.floor else None for index in back]


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
    looked: Sequence[Row | None],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One step of the recurrence. Returns joined (2, 2 hidden), output (2, hidden), the new hidden
    state and the sources' features (SOURCES, FEATURES)."""
    seen = torch.from_numpy(np.stack([ROW_FEATURES.of(row) for row in (previous, *looked)]))
    joined, output, hidden = net.advance(
        seen[:1].expand(2, 1, -1),
        seen[1:].expand(2, 1, -1, -1),
        moment,
        condition[:, None],
        hidden,
    )
    return joined[:, 0], output[:, 0], hidden, seen[1:]


def decode_step(
    net: ArrangerNet,
    links: Logits,
    joined: Tensor,
    looked: Sequence[Row | None],
    lag_features: Tensor,
    form: Form,
    symbol: int,
    tonic: int,
    mode: str,
    wish: StepTargets,
    dice: StepNoise,
) -> Row:
    """One row, drawn part by part; `symbol` is the chord that sounds (+ 1).

    Parts that are not active rest. Held keys decide the chord and pull the notes to it.
    """
    start, gates = net.trunks(joined)
    row = empty_row()
    row[WIDTH] = form.active
    noise = dice.roll(len(DRUMS) * LEVELS)
    if form.active & 1:
        base = mixed_groups(
            net.logits_drums(start, gates, lag_features[None]).numpy(), wish.guidance
        )
        row[DRUM_COLUMNS] = pick_drums(base, links, noise, wish.taste, wish.bias, LEVELS)
    so_far = np.zeros(FEATURES, np.float32)
    ROW_FEATURES.add(so_far, row, range(SYMBOL))
    # One piece of memory: what is set below is heard by the next head.
    features = torch.from_numpy(so_far).expand(2, FEATURES)
    codes = _lag_codes(looked, symbol)
    scale = np.zeros(12, np.float32)
    scale[list(MODES[mode])] = 1.0

    def odds(head: int) -> tuple[Logits, Tensor]:
        logits, heard = net.logits_code(
            head, start, features, gates, codes[:, head - 1].expand(2, SOURCES)
        )
        return mixed(logits.numpy(), wish.guidance), heard

    # The chord.
    logits, _ = odds(1)
    noise = dice.roll(SYMBOL_CODES)
    if wish.held is not None:
        row[SYMBOL] = wish.held.symbol + 1
    else:
        outside = wish.scale * 1.2 * (_SYMBOL_CLASSES @ (1 - scale))
        logits[2:] -= outside
        if symbol:
            logits[STAY] -= outside[symbol - 1]
        if form.active >> 1:
            # A tune has a harmony, even where it rests.
            logits[1] = -np.inf
            if not symbol:
                logits[STAY] = -np.inf
        code = pick(logits, noise, wish.taste)
        row[SYMBOL] = symbol if code == STAY else code - 1
    ROW_FEATURES.add(so_far, row, range(SYMBOL, ACTION))
    # The parts.
    for head, part in enumerate(("chords", *NOTE_PARTS), start=2):
        size = STRIKE + 1 if part == "chords" else NOTE_CODES
        noise, touch_noise = dice.roll(size), dice.roll(TOUCHES)
        forced = wish.strike and part == "chords"
        column = CODE_COLUMNS[head - 1]
        if not form.active >> PARTS.index(part) & 1 and not forced:
            ROW_FEATURES.add(so_far, row, range(column, column + 1))
            continue
        logits, heard = odds(head)
        logits[STRIKE:] += wish.bias
        if part == "chords":
            code = STRIKE if forced else pick(logits, noise, wish.taste)
        else:
            logits[STRIKE:] -= OUT_OF_SCALE * wish.scale * (1 - scale)[np.arange(PITCH_CODES) % 12]
            code = pick(logits, noise, wish.taste)
            if code >= STRIKE and wish.held is not None:
                code = STRIKE + _to_chord(code - STRIKE, tonic, wish.held, part)
        row[column] = code
        ROW_FEATURES.add(so_far, row, range(column, column + 1))
        if code >= STRIKE:
            touches = mixed(net.logits_touch(head, heard, features).numpy(), wish.guidance)
            row[column + 1] = pick(touches, touch_noise, wish.taste)
            ROW_FEATURES.add(so_far, row, range(column + 1, column + 2))
    return row


def mixed_groups(logits: Logits, guidance: float) -> Logits:
    """`mixed` for the drums: (2, drums * levels), odds within each drum."""
    grouped = logits.reshape(2, len(DRUMS), LEVELS)
    shifted = grouped - grouped.max(axis=-1, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    # The links that are added later act on raw logits, so the first row's level is kept.
    change = np.clip(logp[0] - logp[1], -4.0, 4.0)
    return np.asarray(grouped[0] + (guidance - 1) * change, np.float32).reshape(-1)


def _to_chord(code: int, tonic: int, held: Held, part: str) -> int:
    """A pitch code moved to the held chord; the bass plays its lowest key."""
    classes = (held.root,) if part == "bass" else held.classes
    return int(pitch_code(snap(code_pitch(code, tonic), classes), tonic))


assert PITCHED == ("bass", "chords", "lead", "extra") and OFFSETS[1] == len(DRUMS) * LEVELS
