"""Where a step stands, and what it must or should be."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.segue.arranger.held_keys import HeldHarmony
from models.segue.arranger.idiom.idiom import StepIdiom
from models.segue.arranger.memory.recollection import (
    Recollection,
)
from models.segue.arranger.parts.targets import NO_TARGETS, PartTargets
from models.segue.arranger.sampling import (
    Logits,
    SamplingParams,
)
from models.segue.arranger.state import Row


@dataclass(frozen=True)
class StepTargets:
    """Targets of a step that the controls set, in the arranger's own units."""

    guidance: float
    sampling: SamplingParams
    density: tuple[float, float]  # quantile, and 1 if it is given
    bias: float  # added to the log-odds of every onset
    scale: float  # 0..1 how strictly the mode is kept to
    held: HeldHarmony | None
    strike: bool  # the chord part must strike now
    mute: frozenset[str]
    tones: Logits = field(default_factory=lambda: np.zeros(12, np.float32))
    """(12,) log-odds of notes counted from the tonic, see `tonal_balance`."""
    theme: Row | None = None  # what the section's theme has here
    recall: float = 0.0  # log-odds for it
    fill: NDArray[np.uint8] | None = None  # (drums,) levels of a fill
    energy: float | None = None
    parts: PartTargets = NO_TARGETS
    idiom: StepIdiom | None = None
    recollection: Recollection | None = None  # what the performer played at this place


@dataclass(frozen=True)
class StepPosition:
    """Position of a step: its number since the start, its place in the bar, and the first row that
    it may attend to.
    """

    step: int
    step_in_bar: int
    change: int  # bars since the style changed
    floor: int
