"""Beat network: how likely each frame of 20 ms has a beat, and a bar's first one, as it comes in.

Two layers of gated recurrent units (Cho et al., "Learning phrase representations using RNN
encoder-decoder", 2014) hear the mel spectrum and its rises, as in Heydari, Cwitkowitz and Duan,
"BeatNet" (ISMIR 2021). It answers DELAY seconds later than it hears, when the sound that follows a
beat has told more. Learned by `models.training.beats`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.music.tracking.front_end import BANDS, Line

DELAY: Final = 0.06
"""Seconds from a beat to the end of the frame in which the network says so."""
INPUTS: Final = 2 * BANDS
RISE_SCALE: Final = 8.0
OUTPUTS: Final = 2


@dataclass(frozen=True, eq=False)
class RecurrentLayer:
    """Gated recurrent units; rows of reset, update and new gates follow one another.

    input_weight: (3 * units, inputs). state_weight: (3 * units, units). Biases: (3 * units,).
    """

    input_weight: Line
    state_weight: Line
    input_bias: Line
    state_bias: Line

    @property
    def units(self) -> int:
        """Size of the state."""
        return int(self.state_weight.shape[1])

    def step(self, state: Line, given: Line) -> Line:
        """The state (..., units) after one more input (..., inputs)."""
        n = self.units
        fresh = given @ self.input_weight.T + self.input_bias
        kept = state @ self.state_weight.T + self.state_bias
        gates = 1 / (1 + np.exp(-(fresh[..., : 2 * n] + kept[..., : 2 * n])))
        new = np.tanh(fresh[..., 2 * n :] + gates[..., :n] * kept[..., 2 * n :])
        update = gates[..., n:]
        return np.asarray((1 - update) * new + update * state, np.float32)


@dataclass(frozen=True, eq=False)
class BeatNetwork:
    """Weights: an input layer, two recurrent ones, and an output layer."""

    enter_weight: Line
    enter_bias: Line
    first: RecurrentLayer
    second: RecurrentLayer
    leave_weight: Line
    leave_bias: Line

    def initial(self) -> Line:
        """State (2, units) before any sound."""
        return np.zeros((2, self.first.units), np.float32)

    def step(self, state: Line, mel: Line, rise: Line) -> tuple[Line, float, float]:
        """Take one frame in.

        Args:
            state: after the frames before.
            mel: (BANDS,) compressed magnitudes.
            rise: (BANDS,) how far each band rose.

        Returns:
            The state after it, and the chances of a beat and of a downbeat.

        """
        given = np.concatenate([mel, np.float32(RISE_SCALE) * rise])
        entered = np.maximum(self.enter_weight @ given + self.enter_bias, 0)
        first = self.first.step(state[0], entered)
        second = self.second.step(state[1], first)
        fits = self.leave_weight @ second + self.leave_bias
        beat, downbeat = 1 / (1 + np.exp(-fits))
        return np.stack([first, second]), float(beat), float(downbeat)
