"""Quiet of decoded bands: what lies near the silence that the decoder knows. Pure.

Bands end at a floor of -86 dB. A decoder errs there as elsewhere, but silence cannot be undershot:
its errors add a hiss of -110 to -95 dB where the sound rests, so that a stroke out of silence
begins less suddenly and rests are less deep. Bands are drawn to silence where they are within its
errors.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.segue.codec import bands as B

Array = NDArray[np.float32]

ERROR: Final = np.float32(0.2)
"""Height over silence, in band values, of which half is taken away: a magnitude of -92 dB."""


def quietened(bands: Array) -> Array:
    """Bands (T, 320) of the decoder with rests as quiet as they should be."""
    over = np.maximum(bands - B.SILENCE, np.float32(0.0))
    squares = over * over
    return np.asarray(B.SILENCE + over * (squares / (squares + ERROR**2)), np.float32)
