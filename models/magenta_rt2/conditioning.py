"""What the performer asks for, as conditioning tokens. Inference lane; numpy only.

Numbers and offsets as the reference's `jax/system.py` (`_build_conditioning`, `discretize_cfg`) and
`config.py` (magenta-rt 2.0.3, Apache-2.0). A channel left to the model holds the mask.

How Segue's controls act:

| control | tokens |
|---|---|
| style | its 12 MusicCoCa tokens, of which, as the reference's app does, the 6 coarsest are kept |
| notes | keys held sound, onset or sustain as the model likes; other pitches are left to it |
| drums | False: none, True: drums, None: the model's choice |
| guidance, guidance_notes | -1 to 7 in steps of 0.2; None: 3 and 1, the reference's own |
| guidance_drums | -1 to 7 in steps of 1; None: 1, the reference's own |
| chaos | temperature and top-k together, see `looseness`; None: 1.3 and 40, the reference's own |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.controls import Controls
from models.magenta_rt2.depthformer.config import (
    CODES,
    CONDITION_CHANNELS,
    CONDITION_OFFSET,
    DRUMS_OFF,
    DRUMS_ON,
    MASKED,
    NOTE_ON,
    NOTES,
    STYLE_TOKENS,
)
from models.magenta_rt2.depthformer.sampling import DEFAULT_TEMPERATURE, DEFAULT_TOP_K

CONTROLS: Final = frozenset(
    {"style", "notes", "drums", "guidance", "guidance_notes", "guidance_drums", "chaos"}
)
STYLE_KEPT: Final = 6
LOWEST: Final = -1.0
HIGHEST: Final = 7.0
GUIDANCE_STEP: Final = 0.2
DRUMS_STEP: Final = 1.0
GUIDANCE: Final = 3.0
GUIDANCE_NOTES: Final = 1.0
GUIDANCE_DRUMS: Final = 1.0
DEFAULTS: Final = {
    "guidance": GUIDANCE,
    "guidance_notes": GUIDANCE_NOTES,
    "guidance_drums": GUIDANCE_DRUMS,
    "chaos": 0.5,
}
"""What auto is."""


def guidance_token(value: float, step: float) -> int:
    """The number of a guidance value's step, from 0 at -1; what is outside is held at the edge."""
    return round((min(max(value, LOWEST), HIGHEST) - LOWEST) / step)


def condition_tokens(
    style_tokens: Sequence[int] | NDArray[np.integer] | None, controls: Controls, guidance: float
) -> NDArray[np.int64]:
    """int64 (144,), offset, as the model's encoder takes them.

    style_tokens: 12 codes from 0 to 1023, or None for a style that the model chooses.
    guidance: how closely the style is followed, already resolved (see `watch.py`).
    """
    style = np.full(STYLE_TOKENS, MASKED, np.int64)
    if style_tokens is not None:
        codes = np.asarray(style_tokens, np.int64)
        if codes.shape != (STYLE_TOKENS,) or codes.min() < 0 or codes.max() >= CODES:
            raise ValueError(f"style tokens {codes}: give {STYLE_TOKENS} from 0 to {CODES - 1}")
        style[:STYLE_KEPT] = codes[:STYLE_KEPT]
    notes = np.full(NOTES, MASKED, np.int64)
    if controls.notes:
        notes[list(controls.notes)] = NOTE_ON
    drums = MASKED if controls.drums is None else DRUMS_ON if controls.drums else DRUMS_OFF
    of_notes = GUIDANCE_NOTES if controls.guidance_notes is None else controls.guidance_notes
    of_drums = GUIDANCE_DRUMS if controls.guidance_drums is None else controls.guidance_drums
    rest = (
        drums,
        guidance_token(guidance, GUIDANCE_STEP),
        guidance_token(of_notes, GUIDANCE_STEP),
        guidance_token(of_drums, DRUMS_STEP),
    )
    tokens = np.concatenate([style, notes, np.asarray(rest, np.int64)]) + CONDITION_OFFSET
    assert tokens.shape == (CONDITION_CHANNELS,)
    return tokens


def looseness(chaos: float | None) -> tuple[float, int]:
    """Temperature and top-k of a chaos from 0 to 1.

    0.5 is the reference's 1.3 and 40. Temperature goes straight from 0.6 to 2.0, top-k from 8 to
    200 by equal ratios: at 0 the music repeats itself, at 1 it comes apart.
    """
    if chaos is None:
        return DEFAULT_TEMPERATURE, DEFAULT_TOP_K
    return 0.6 + 1.4 * chaos, round(8.0 * 25.0**chaos)
