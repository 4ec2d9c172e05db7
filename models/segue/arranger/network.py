"""Step network of the arranger: odds of the next step, given everything before it.

A causal recurrent network (gated recurrent units, Cho et al. 2014, section 2.3) over rows of
`models.segue.arranger.steps`. It also sees the rows one, two, four and eight bars back and those of
the same place in the section's previous occurrence, and may copy from them (after the pointer
mechanism of See et al. 2017, section 2.2, as a bonus on the logit), so that repetition and form
need not pass through the recurrent state. Within a step the parts are decided one after the other:
drums, chord, chord part, bass, extra, lead, each conditioned on those before; the drums among
themselves by a triangular map, as in NADE (Larochelle & Murray 2011, section 3).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from models.music.score import CHORDS, DRUMS, INSTRUMENTS, KITS, MODE_NAMES, PARTS, QUALITIES
from models.segue.arranger.steps import (
    ACTION,
    LEVELS,
    MAX_BAR,
    METRES,
    NOTE_CODES,
    NOTE_PARTS,
    PITCH_CODES,
    SECTIONS,
    STRIKE,
    SYMBOL,
    TOKEN,
    TOUCHES,
    WIDTH,
)

LAGS: Final = (1, 2, 4, 8)
"""Bars back; the last source is the section's earlier occurrence."""
SOURCES: Final = len(LAGS) + 1
LONG_AGO: Final = 8  # bars since the style changed, and more
SECTION_BARS: Final = 16
STAY: Final = 0  # chord: the same symbol again; plan: the section goes on
SYMBOL_CODES: Final = CHORDS + 2  # stay, none, symbols
SECTION_CODES: Final = len(SECTIONS) + 1  # stay, names
ACTIVES: Final = 1 << len(PARTS)
HEADS: Final = ("drums", "symbol", "action", *NOTE_PARTS)

_TOUCHED: Final = (ACTION, *(TOKEN[p] for p in NOTE_PARTS))  # a touch follows in the next column
_OCTAVES: Final = -(-PITCH_CODES // 12)
_NOTE_FEATURES: Final = STRIKE + 1 + 12 + _OCTAVES + TOUCHES
_SIZES: Final = (
    len(DRUMS) * LEVELS,
    1 + 12 + len(QUALITIES) + 12,
    STRIKE + 1 + TOUCHES,
    _NOTE_FEATURES,
    _NOTE_FEATURES,
    _NOTE_FEATURES,
)
OFFSETS: Final = tuple(int(v) for v in np.cumsum((0, *_SIZES)))
"""Where each head's features begin: a head is conditioned on the features before its own."""
FEATURES: Final = OFFSETS[-1] + 1  # and one that says that there is a row at all


def _feature_table() -> NDArray[np.int64]:
    """(WIDTH, 256, 8): which features each value of each column sets; FEATURES is a dummy."""
    table = np.full((WIDTH, 256, 8), FEATURES, np.int64)
    for drum in range(len(DRUMS)):
        for level in range(LEVELS):
            table[drum, level, 0] = drum * LEVELS + level
    base = OFFSETS[1]
    table[SYMBOL, 0, 0] = base
    steps = list(QUALITIES.values())
    for symbol in range(CHORDS):
        root, quality = divmod(symbol, len(QUALITIES))
        hot = [base + 1 + root, base + 13 + quality]
        hot += [base + 13 + len(QUALITIES) + (root + s) % 12 for s in steps[quality]]
        table[SYMBOL, symbol + 1, : len(hot)] = hot
    for head, column in enumerate(_TOUCHED):
        base = OFFSETS[2 + head]
        for code in range(STRIKE + (1 if column == ACTION else PITCH_CODES)):
            table[column, code, 0] = base + min(code, STRIKE)
            if column != ACTION and code >= STRIKE:
                pitch = code - STRIKE
                table[column, code, 1] = base + STRIKE + 1 + pitch % 12
                table[column, code, 2] = base + STRIKE + 13 + pitch // 12
        touch = base + STRIKE + 1 + (0 if column == ACTION else 12 + _OCTAVES)
        for value in range(TOUCHES):
            table[column + 1, value, 0] = touch + value
    return table


def _compact(table: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[int]]:
    """The table without columns that never set anything: (values, (column, slot) pairs)."""
    pairs = [
        (column, slot)
        for column in range(WIDTH)
        for slot in range(table.shape[2])
        if (table[column, :, slot] != FEATURES).any()
    ]
    values = np.stack([table[column, :, slot] for column, slot in pairs])
    return values, [column for column, _ in pairs]


class RowFeatures:
    """`ArrangerNet.features` for single rows, in numpy: a table look-up, column by column."""

    def __init__(self) -> None:
        table = _feature_table()
        self._hot = [
            [np.array([f for f in table[column, value] if f != FEATURES]) for value in range(256)]
            for column in range(WIDTH)
        ]
        self._touch_of = {column + 1: column for column in _TOUCHED}

    def add(self, out: NDArray[np.float32], row: NDArray[np.uint8], columns: range) -> None:
        """Set the features of some columns of a row in `out` (FEATURES,)."""
        for column in columns:
            owner = self._touch_of.get(column)
            if owner is None or row[owner] >= STRIKE:
                out[self._hot[column][row[column]]] = 1.0

    def of(self, row: NDArray[np.uint8] | None) -> NDArray[np.float32]:
        """(FEATURES,) of a whole row; zeros for None."""
        out = np.zeros(FEATURES, np.float32)
        if row is not None:
            self.add(out, row, range(WIDTH))
            out[FEATURES - 1] = 1.0
        return out


class StepPlace(NamedTuple):
    """Inputs of a step besides the music, tensors (B, T, ...)."""

    place: Tensor  # long: metre * MAX_BAR + step in the bar
    section: Tensor  # long: index into SECTIONS
    section_bar: Tensor  # long: bars since the section began
    active: Tensor  # float (B, T, 5)
    change: Tensor  # long: bars since the style changed, up to LONG_AGO
    density: Tensor  # float (B, T, 2): quantile 0..1 (0 if auto), 1 if given


class StepCondition(NamedTuple):
    """Style and setting, tensors (B, ...)."""

    style: Tensor  # float (B, style_dim), zeros for none
    styled: Tensor  # float (B, 1), 0 for none
    kit: Tensor  # long (B,)
    instruments: Tensor  # long (B, 4)
    mode: Tensor  # long (B,)
    metre: Tensor  # long (B,)
    pace: Tensor  # float (B, 2): log2(bpm / 120), swing


@dataclass(frozen=True)
class ArrangerConfig:
    """Layer sizes of the step network."""

    style_dim: int = 128
    hidden: int = 320
    layers: int = 1
    content: int = 96
    head: int = 160

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


class ArrangerNet(nn.Module):
    """Step network, see the module.

    `advance` runs the recurrence; `logits_*` are the heads in their order.
    """

    def __init__(self, config: ArrangerConfig) -> None:
        super().__init__()
        self.config = c = config
        values, columns = _compact(_feature_table())
        self.register_buffer("_table", torch.from_numpy(values), persistent=False)
        self.register_buffer("_columns", torch.tensor(columns), persistent=False)
        mask = torch.arange(len(DRUMS)).repeat_interleave(LEVELS)
        self.register_buffer("_earlier", (mask[:, None] > mask[None, :]).float(), persistent=False)

        self.previous = nn.Linear(FEATURES, c.content, bias=False)
        self.lagged = nn.Linear(FEATURES, c.content, bias=False)
        self.place = nn.Embedding(len(METRES) * MAX_BAR, 32)
        self.section = nn.Embedding(len(SECTIONS), 16)
        self.section_bar = nn.Embedding(SECTION_BARS, 16)
        self.change = nn.Embedding(LONG_AGO + 1, 8)
        self.kit = nn.Embedding(len(KITS), 24)
        self.instruments = nn.ModuleList(nn.Embedding(len(INSTRUMENTS), 24) for _ in range(4))
        self.mode = nn.Embedding(len(MODE_NAMES), 12)
        self.metre = nn.Embedding(len(METRES), 12)
        self.style = nn.Linear(c.style_dim + 1, 96)
        condition = 96 + 24 * 5 + 24 + 2
        self.condition_in = nn.Linear(condition, 128)
        self._plan_size = 16 + 16 + len(PARTS) + 8 + 2
        inputs = c.content * (1 + SOURCES) + 32 + self._plan_size + 128
        self.input = nn.Linear(inputs, c.hidden)
        self.recurrent = nn.GRU(c.hidden, c.hidden, c.layers, batch_first=True)

        self.trunk = nn.Linear(2 * c.hidden, len(HEADS) * c.head)
        self.hear = nn.ModuleList(
            nn.Linear(max(1, OFFSETS[i]), c.head, bias=False) for i in range(len(HEADS))
        )
        self.gates = nn.Linear(2 * c.hidden, SOURCES * (len(DRUMS) + 5))
        self.drums = nn.Linear(c.head, OFFSETS[1])
        self.triangle = nn.Parameter(torch.zeros(OFFSETS[1], OFFSETS[1]))
        self.symbol = nn.Linear(c.head, SYMBOL_CODES)
        self.action = nn.Linear(c.head, STRIKE + 1)
        self.notes = nn.ModuleList(nn.Linear(c.head, NOTE_CODES) for _ in NOTE_PARTS)
        own = (_SIZES[2], _NOTE_FEATURES, _NOTE_FEATURES, _NOTE_FEATURES)
        self.touches = nn.ModuleList(nn.Linear(c.head + size, TOUCHES) for size in own)

        self.plan = nn.Linear(c.hidden + 128 + self._plan_size, 160)
        self.plan_section = nn.Linear(160, SECTION_CODES)
        self.plan_hear = nn.Linear(SECTION_CODES + len(PARTS) + 1, 160)
        self.plan_active = nn.Linear(160, ACTIVES)
        nn.init.zeros_(self.gates.weight)
        nn.init.constant_(self.gates.bias, 0.5)

    def features(self, rows: Tensor) -> Tensor:
        """Rows (..., WIDTH) of integers -> float (..., FEATURES), all zero for no row (column 0 is
        255).
        """
        flat = rows.reshape(-1, WIDTH).long()
        absent = flat[:, 0] == 255
        flat = flat.masked_fill(absent[:, None], 0)
        picked = flat[:, self._columns]
        slots = torch.arange(picked.shape[1], device=flat.device)
        hot = self._table[slots[None, :], picked]
        # A touch belongs to an onset; elsewhere the column is left over and says nothing.
        out = torch.zeros(len(flat), FEATURES + 1, device=flat.device)
        out.scatter_(1, hot, 1.0)
        for head, column in enumerate(_TOUCHED):
            end = OFFSETS[3 + head]
            out[:, end - TOUCHES : end] *= (flat[:, column] >= STRIKE).float()[:, None]
        out[:, FEATURES - 1] = 1.0
        out = out.masked_fill(absent[:, None], 0.0)
        return out[:, :FEATURES].reshape(*rows.shape[:-1], FEATURES)

    def condition(self, given: StepCondition) -> Tensor:
        """(B, 128) of style and setting: constant between changes, so computed once."""
        parts = [
            self.style(torch.cat([given.style, given.styled], -1)),
            self.kit(given.kit),
            *(table(given.instruments[:, i]) for i, table in enumerate(self.instruments)),
            self.mode(given.mode),
            self.metre(given.metre),
            given.pace,
        ]
        return F.silu(self.condition_in(torch.cat(parts, -1)))

    def _plan_features(self, moment: StepPlace) -> Tensor:
        return torch.cat(
            [
                self.section(moment.section),
                self.section_bar(moment.section_bar.clamp(max=SECTION_BARS - 1)),
                moment.active,
                self.change(moment.change),
                moment.density,
            ],
            -1,
        )

    def advance(
        self,
        previous: Tensor,
        lags: Tensor,
        moment: StepPlace,
        condition: Tensor,
        hidden: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Run the recurrence over one or many steps.

        previous (B, T, FEATURES), lags (B, T, SOURCES, FEATURES), condition (B, T, 128), hidden
        (layers, B, hidden) or None. Returns the trunk's input (B, T, 2 hidden), the recurrent
        output (B, T, hidden), and the new hidden state.
        """
        inputs = torch.cat(
            [
                self.previous(previous),
                self.lagged(lags).flatten(-2),
                self.place(moment.place),
                self._plan_features(moment),
                condition,
            ],
            -1,
        )
        inputs = F.silu(self.input(inputs))
        output, hidden = self.recurrent(inputs, hidden)
        return torch.cat([output, inputs], -1), output, hidden

    def trunks(self, joined: Tensor) -> tuple[Tensor, Tensor]:
        """(..., 2 hidden) -> (..., 6, head) starts of the heads, (..., SOURCES, 21) copy gates."""
        shape = joined.shape[:-1]
        starts = self.trunk(joined).reshape(*shape, len(HEADS), self.config.head)
        return starts, self.gates(joined).reshape(*shape, SOURCES, len(DRUMS) + 5)

    def _hidden(self, head: int, start: Tensor, features: Tensor) -> Tensor:
        hidden = start[..., head, :]
        if head:
            hidden = hidden + self.hear[head](features[..., : OFFSETS[head]])
        return F.silu(hidden)

    def logits_drums(self, start: Tensor, gates: Tensor, lag_features: Tensor) -> Tensor:
        """(..., 64) before the drums are linked to each other; see `drum_links`."""
        logits = self.drums(F.silu(start[..., 0, :]))
        gate = gates[..., : len(DRUMS)].repeat_interleave(LEVELS, dim=-1)
        return logits + (gate * lag_features[..., : OFFSETS[1]]).sum(-2)

    def drum_links(self) -> Tensor:
        """(64, 64): what a drum's level adds to the logits of the drums after it."""
        return self.triangle * self._earlier

    def logits_code(
        self, head: int, start: Tensor, features: Tensor, gates: Tensor, lag_codes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits of head 1..5 (symbol, action, bass, extra, lead) and the head's hidden layer.

        lag_codes (..., SOURCES) long: what each source had there, -1 for none.
        """
        hidden = self._hidden(head, start, features)
        layer = (self.symbol, self.action, *self.notes)[head - 1]
        logits = layer(hidden)
        gate = gates[..., len(DRUMS) + head - 1] * (lag_codes >= 0).float()
        return logits.scatter_add(-1, lag_codes.clamp(min=0), gate.to(logits.dtype)), hidden

    def logits_touch(self, head: int, hidden: Tensor, features: Tensor) -> Tensor:
        """(..., 6) touch of an onset in head 2..5, whose own features must be set."""
        own = features[..., OFFSETS[head] : OFFSETS[head + 1]].clone()
        own[..., -TOUCHES:] = 0.0
        return self.touches[head - 2](torch.cat([hidden, own], -1))

    def logits_section(
        self, output: Tensor, condition: Tensor, moment: StepPlace
    ) -> tuple[Tensor, Tensor]:
        """Plan of the coming bar, section first: (..., 11) logits and the hidden layer.

        output and moment are of the step before; condition is the coming step's.
        """
        plan = self.plan(torch.cat([output, condition, self._plan_features(moment)], -1))
        return self.plan_section(F.silu(plan)), plan

    def logits_active(self, plan: Tensor, section_code: Tensor, returned: Tensor) -> Tensor:
        """(..., 32) which parts sound in the coming bar.

        section_code long (...): 0 stay, else 1 + index; returned (..., 6): the parts in that bar
        of the section's previous occurrence, and 1 if there was one.
        """
        code = F.one_hot(section_code, SECTION_CODES).float()
        return self.plan_active(F.silu(plan + self.plan_hear(torch.cat([code, returned], -1))))
