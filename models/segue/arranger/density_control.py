"""Density control: onsets per second that are written, measured and steered towards the control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.controls import Controls
from models.segue.arranger.clock import Tick
from models.segue.arranger.state import Row, State
from models.segue.arranger.step_writer import audible
from models.segue.arranger.steps import WIDTH, onsets, sounding

MEMORY: Final = 1.5  # seconds over which the density that was written is measured
QUIET: Final = 0.8  # seconds without an onset after which the next one becomes ever more likely


@dataclass(frozen=True, eq=False)
class DensityControl:
    """Feedback control of the onset density. `quantiles`: of the corpus, in onsets per second."""

    quantiles: NDArray[np.float32]

    def targets(self, state: State, controls: Controls) -> tuple[tuple[float, float], float]:
        """The network's density input, and the bias on the log-odds of every onset.

        Returns:
            (quantile 0 to 1, 1 if it is given), and the bias.

        """
        density, bias = (0.0, 0.0), 0.0
        if controls.density is not None:
            strength = controls.strength_of("density")
            span = np.linspace(0, 1, len(self.quantiles))
            own = float(np.interp(state.busy, self.quantiles, span))
            target = strength * controls.density + (1 - strength) * own
            density = (target, 1.0) if strength > 0.05 else (0.0, 0.0)
            bias = strength * float(
                np.clip(self._error(state, controls.density) + state.push, -3, 3)
            )
        if state.silence > QUIET:
            bias = max(bias, 0.0) + 3.0 * (state.silence - QUIET)
        return density, bias

    def _error(self, state: State, density: float) -> float:
        """Log ratio of the density that the control means to the one that was written."""
        span = np.linspace(0, 1, len(self.quantiles))
        target = float(np.interp(density, span, self.quantiles))
        return float(np.log((target + 0.7) / (state.busy + 0.7)))

    def measured(self, state: State, row: Row, tick: Tick, controls: Controls) -> State:
        """The state after a written row: its density, the control's integral, and the silence."""
        fade = float(np.exp(-tick.length / MEMORY))
        busy = state.busy if state.ticks else float(self.quantiles[len(self.quantiles) // 2])
        busy = busy * fade + (1 - fade) * float(onsets(row[:WIDTH])) / tick.length
        push = state.push * float(np.exp(-tick.length / 20.0))
        if controls.density is not None:
            error = self._error(state, controls.density)
            push = float(np.clip(push + 0.35 * tick.length * error, -2.0, 2.0))
        parts = sum(int(on) << i for i, on in enumerate(sounding(row[None, :WIDTH])[0].tolist()))
        silence = 0.0 if parts & audible(controls.mute) else state.silence + tick.length
        return state.with_(busy=busy, push=push, silence=silence)
