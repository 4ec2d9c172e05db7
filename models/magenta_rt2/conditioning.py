"""Controls as conditioning tokens of the depthformer; numpy only.

Values and offsets as the reference's `jax/system.py` (`_build_conditioning`, `discretize_cfg`) and
`config.py` (magenta-rt 2.0.3, Apache-2.0). A channel left to the model holds the mask.

| control | tokens |
|---|---|
| style | its 12 MusicCoCa tokens, of which the 6 coarsest are used, as in the reference's app |
| notes | keys held sound, as onset or sustain at the model's choice; other pitches are masked |
| drums | False: none, True: drums, None: masked |
| guidance, guidance_notes | -1 to 7 in steps of 0.2; None: 3 and 1, the reference's defaults |
| guidance_drums | -1 to 7 in steps of 1; None: 1, the reference's default |
| chaos | temperature and top-k, see `sampling_params`; None: 1.3 and 40, the reference's defaults |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.controls import Controls
from models.magenta_rt2.depthformer.config import (
    CODEBOOK_SIZE,
    CONDITION_CHANNELS,
    CONDITION_OFFSET,
    DRUMS_OFF,
    DRUMS_ON,
    MASKED,
    NOTE_ON,
    NUM_PITCHES,
    STYLE_TOKENS,
)
from models.magenta_rt2.depthformer.sampling import DEFAULT_TEMPERATURE, DEFAULT_TOP_K

CONTROLS: Final = frozenset(
    {"style", "notes", "drums", "guidance", "guidance_notes", "guidance_drums", "chaos"}
)
STYLE_TOKENS_USED: Final = 6
MIN_GUIDANCE: Final = -1.0
MAX_GUIDANCE: Final = 7.0
GUIDANCE_STEP: Final = 0.2
GUIDANCE_DRUMS_STEP: Final = 1.0
DEFAULT_GUIDANCE: Final = 3.0
DEFAULT_GUIDANCE_NOTES: Final = 1.0
DEFAULT_GUIDANCE_DRUMS: Final = 1.0
DEFAULTS: Final = {
    "guidance": DEFAULT_GUIDANCE,
    "guidance_notes": DEFAULT_GUIDANCE_NOTES,
    "guidance_drums": DEFAULT_GUIDANCE_DRUMS,
    "chaos": 0.5,
}
"""Values of controls left at auto."""


def guidance_token(value: float, step: float) -> int:
    """Index of a guidance value's step, counted from -1; values outside the range are clipped."""
    return round((min(max(value, MIN_GUIDANCE), MAX_GUIDANCE) - MIN_GUIDANCE) / step)


def condition_tokens(
    style_tokens: Sequence[int] | NDArray[np.integer] | None, controls: Controls, guidance: float
) -> NDArray[np.int64]:
    """Conditioning tokens of a frame, int64 (144,), offset as the encoder expects them.

    style_tokens: 12 codes from 0 to 1023, or None for a style that the model chooses. guidance:
    of the style, already resolved (see `silence_watch.py`).
    """
    style = np.full(STYLE_TOKENS, MASKED, np.int64)
    if style_tokens is not None:
        codes = np.asarray(style_tokens, np.int64)
        if codes.shape != (STYLE_TOKENS,) or codes.min() < 0 or codes.max() >= CODEBOOK_SIZE:
            raise ValueError(
                f"style tokens {codes}: give {STYLE_TOKENS} from 0 to {CODEBOOK_SIZE - 1}"
            )
        style[:STYLE_TOKENS_USED] = codes[:STYLE_TOKENS_USED]
    notes = np.full(NUM_PITCHES, MASKED, np.int64)
    if controls.notes:
        notes[list(controls.notes)] = NOTE_ON
    drums = MASKED if controls.drums is None else DRUMS_ON if controls.drums else DRUMS_OFF
    of_notes = (
        DEFAULT_GUIDANCE_NOTES if controls.guidance_notes is None else controls.guidance_notes
    )
    of_drums = (
        DEFAULT_GUIDANCE_DRUMS if controls.guidance_drums is None else controls.guidance_drums
    )
    rest = (
        drums,
        guidance_token(guidance, GUIDANCE_STEP),
        guidance_token(of_notes, GUIDANCE_STEP),
        guidance_token(of_drums, GUIDANCE_DRUMS_STEP),
    )
    tokens = np.concatenate([style, notes, np.asarray(rest, np.int64)]) + CONDITION_OFFSET
    assert tokens.shape == (CONDITION_CHANNELS,)
    return tokens


def sampling_params(chaos: float | None) -> tuple[float, int]:
    """Sampling temperature and top-k of a chaos from 0 to 1.

    Temperature is linear from 0.6 to 2.0, top-k exponential from 8 to 200; 0.5 gives the
    reference's 1.3 and 40. At 0 the music repeats itself, at 1 it falls apart.
    """
    if chaos is None:
        return DEFAULT_TEMPERATURE, DEFAULT_TOP_K
    return 0.6 + 1.4 * chaos, round(8.0 * 25.0**chaos)
