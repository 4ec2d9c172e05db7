"""Where an idiom acts on the odds of a step. No torch."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import CHORDS, PARTS, QUALITIES, QUALITY_NAMES
from models.segue.arranger.clock import Tick
from models.segue.arranger.idiom.counts import PLACES, WIDEST, triad
from models.segue.arranger.idiom.idiom import Idiom, StepIdiom
from models.segue.arranger.state import History, State
from models.segue.arranger.step_targets import StepTargets
from models.segue.arranger.steps import PITCH_CODES, STRIKE, TOKEN, WIDTH

BACK: Final = 32
"""Steps back in which the last note of the lead is looked for."""
BEATS: Final = 4
"""Beats of the bars whose rhythm was counted."""
_TRIADS: Final = np.array(
    [
        triad(chord // len(QUALITIES), QUALITY_NAMES[chord % len(QUALITIES)])
        for chord in range(CHORDS)
    ]
)
"""(CHORDS,) the triad of each symbol."""


def with_idiom(
    targets: StepTargets, idiom: Idiom | None, state: State, tick: Tick, given: bool
) -> StepTargets:
    """The targets of a step in an idiom.

    Args:
        targets: of the step.
        idiom: what acts; None changes nothing.
        state: before the step.
        tick: of the step.
        given: whether the density is given: then only where onsets lie changes.

    """
    if idiom is None:
        return targets
    onsets = idiom.onsets - idiom.onsets.mean() if given else idiom.onsets
    return replace(
        targets,
        bias=targets.bias + onset_odds(onsets, tick),
        tones=targets.tones + idiom.tones,
        idiom=StepIdiom(
            symbol_odds(idiom, state.symbol, tick),
            line_odds(idiom, state.history),
        ),
    )


def onset_odds(onsets: NDArray[np.float32], tick: Tick) -> float:
    """Log-odds of what begins in a step; in bars of other than four beats those of all places."""
    if tick.steps_per_bar != BEATS * tick.steps_per_beat:
        return float(onsets.mean())
    return float(onsets[tick.step_in_bar * PLACES // tick.steps_per_bar])


def symbol_odds(idiom: Idiom, symbol: int, tick: Tick) -> NDArray[np.float32]:
    """(2 + CHORDS,) log-odds of the chord codes: to stay, none, and each symbol; `symbol` (+ 1)
    sounds. A triad's odds are shared by its kinds.
    """
    odds = np.zeros(2 + CHORDS, np.float32)
    if symbol:
        odds[2:] = idiom.chords[_TRIADS[symbol - 1]][_TRIADS]
    if tick.step_in_bar % tick.steps_per_beat == 0:
        odds[2:] += float(idiom.harmonic_rhythm[0])
    return odds


def line_odds(idiom: Idiom, history: History) -> NDArray[np.float32] | None:
    """(PITCH_CODES,) log-odds of the lead's next note; None where none was played lately."""
    column, lead = TOKEN["lead"], 1 << PARTS.index("lead")
    for back in range(1, BACK + 1):
        row = history.get(history.length - back)
        if row is None:
            return None
        if row[WIDTH] & lead and row[column] >= STRIKE:
            steps = np.arange(PITCH_CODES) - (int(row[column]) - STRIKE)
            near = np.abs(steps) <= WIDEST
            return np.where(near, idiom.steps[np.clip(steps, -WIDEST, WIDEST) + WIDEST], 0.0)
    return None
