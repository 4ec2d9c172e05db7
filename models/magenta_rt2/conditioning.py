"""Controls as conditioning tokens of the depthformer; numpy only.

Values and offsets as the reference's `jax/system.py` (`_build_conditioning`, `discretize_cfg`) and
`config.py`, states of keys as its runtime's `core/src/mlx_engine.cpp` (`calculate_token`,
`populate_condition_tokens`; magenta-rt 2.0.3, Apache-2.0). A channel left to the model holds the
mask.

| control | tokens |
|---|---|
| style | its 12 MusicCoCa tokens, of which the 6 coarsest are used, as in the reference's app |
| notes | keys held sound, as onset or sustain at the model's choice; other pitches are masked |
| note_width | pitches within so many semitones of a held key are off instead; 127: all of them |
| note_onsets | "strike": a key is an onset in the frame in which it is struck, then sustained |
| strikes | keys that sound in the block's first frame though they may be released already |
| next_beat | keys held are an onset in the frame whose sound begins nearest to it |
| drums | False: none, True: drums, None: masked |
| guidance, guidance_notes | -1 to 7 in steps of 0.2; None: 3 and 1, the reference's defaults; of
  notes with a strength from -1, as if there were none, to 1 |
| guidance_drums | -1 to 7 in steps of 1; None: 1, the reference's default |
| temperature, top_k | as they are; None: by chaos |
| chaos | temperature and top-k, see `sampling_params`; None: 1.3 and 40, the reference's defaults |
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.controls import Controls
from models.magenta_rt2.depthformer.config import (
    CODEBOOK_SIZE,
    CONDITION_CHANNELS,
    CONDITION_OFFSET,
    DECODER_DELAY,
    DRUMS_OFF,
    DRUMS_ON,
    FRAME_SECONDS,
    MASKED,
    NOTE_OFF,
    NOTE_ON,
    NOTE_ONSET,
    NOTE_SUSTAIN,
    NUM_PITCHES,
    STYLE_TOKENS,
)
from models.magenta_rt2.depthformer.sampling import DEFAULT_TEMPERATURE, DEFAULT_TOP_K

CONTROLS: Final = frozenset(
    {
        "style",
        "notes",
        "note_width",
        "note_onsets",
        "strikes",
        "next_beat",
        "drums",
        "guidance",
        "guidance_notes",
        "guidance_drums",
        "chaos",
        "temperature",
        "top_k",
        "memory",
    }
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
    "temperature": DEFAULT_TEMPERATURE,
    "top_k": float(DEFAULT_TOP_K),
}
"""Values of controls left at auto."""


def guidance_token(value: float, step: float) -> int:
    """Index of a guidance value's step, counted from -1; values outside the range are clipped."""
    return round((min(max(value, MIN_GUIDANCE), MAX_GUIDANCE) - MIN_GUIDANCE) / step)


def note_states(
    controls: Controls, sounding: Collection[int] = (), first: bool = True, beat: bool = False
) -> NDArray[np.int64]:
    """State of each pitch in a frame, int64 (128,): MASKED, or of NOTE_OFF to NOTE_ON.

    sounding: keys that were held in the frame before. first: whether the frame is the one in which
    `strikes` are struck. beat: whether it is the one of `next_beat`.
    """
    struck = set(controls.strikes) if first else set()
    active = sorted({*controls.notes, *struck})
    width = round(controls.note_width or 0.0)
    states = np.full(NUM_PITCHES, NOTE_OFF if width >= NUM_PITCHES - 1 else MASKED, np.int64)
    if width:
        for pitch in active:
            states[max(0, pitch - width) : pitch + width + 1] = NOTE_OFF
    for pitch in active:
        if beat:
            states[pitch] = NOTE_ONSET
        elif controls.note_onsets != "strike":
            states[pitch] = NOTE_ON
        else:
            fresh = pitch in struck or pitch not in sounding
            states[pitch] = NOTE_ONSET if fresh else NOTE_SUSTAIN
    return states


def beat_frame(next_beat: float | None) -> int | None:
    """Frame of the block, from 0 on, whose sound begins nearest to a beat, so many seconds after
    the block's start; None for no beat. Before 0 it is a frame of the block before.
    """
    if next_beat is None:
        return None
    return math.floor(next_beat / FRAME_SECONDS + 0.5) - DECODER_DELAY


def condition_rows(
    style_tokens: Sequence[int] | NDArray[np.integer] | None,
    controls: Controls,
    guidance: float,
    sounding: Collection[int] = (),
    frames: int = 1,
) -> NDArray[np.int64]:
    """Conditioning tokens of a block's frames, int64 (frames, 144), offset as the encoder wants.

    style_tokens: 12 codes from 0 to 1023, or None for a style that the model chooses. guidance:
    of the style, already resolved (see `silence_watch.py`). sounding: keys held before the block.
    """
    style = np.full(STYLE_TOKENS, MASKED, np.int64)
    if style_tokens is not None:
        codes = np.asarray(style_tokens, np.int64)
        if codes.shape != (STYLE_TOKENS,) or codes.min() < 0 or codes.max() >= CODEBOOK_SIZE:
            raise ValueError(
                f"style tokens {codes}: give {STYLE_TOKENS} from 0 to {CODEBOOK_SIZE - 1}"
            )
        style[:STYLE_TOKENS_USED] = codes[:STYLE_TOKENS_USED]
    drums = MASKED if controls.drums is None else DRUMS_ON if controls.drums else DRUMS_OFF
    of_notes = controls.guidance_notes
    if of_notes is None:
        strength = controls.strength.get("notes", 1.0)
        of_notes = MIN_GUIDANCE + strength * (DEFAULT_GUIDANCE_NOTES - MIN_GUIDANCE)
    of_drums = (
        DEFAULT_GUIDANCE_DRUMS if controls.guidance_drums is None else controls.guidance_drums
    )
    rest = (
        drums,
        guidance_token(guidance, GUIDANCE_STEP),
        guidance_token(of_notes, GUIDANCE_STEP),
        guidance_token(of_drums, GUIDANCE_DRUMS_STEP),
    )
    rows, struck = [], beat_frame(controls.next_beat)
    for number in range(frames):
        held = controls.notes if number else sounding
        notes = note_states(controls, held, first=number == 0, beat=number == struck)
        rows.append(np.concatenate([style, notes, np.asarray(rest, np.int64)]) + CONDITION_OFFSET)
    tokens = np.stack(rows)
    assert tokens.shape == (frames, CONDITION_CHANNELS)
    return tokens


def condition_tokens(
    style_tokens: Sequence[int] | NDArray[np.integer] | None, controls: Controls, guidance: float
) -> NDArray[np.int64]:
    """Conditioning tokens of a single frame, int64 (144,); see `condition_rows`."""
    row: NDArray[np.int64] = condition_rows(style_tokens, controls, guidance)[0]
    return row


def sampling_params(controls: Controls) -> tuple[float, int]:
    """Sampling temperature and top-k: each its own control's, or else by chaos.

    By a chaos from 0 to 1 temperature is linear from 0.6 to 2.0, top-k exponential from 8 to 200;
    0.5 gives the reference's 1.3 and 40. At 0 the music repeats itself, at 1 it falls apart.
    """
    temperature, top_k = DEFAULT_TEMPERATURE, DEFAULT_TOP_K
    if controls.chaos is not None:
        temperature = 0.6 + 1.4 * controls.chaos
        top_k = round(8.0 * 25.0**controls.chaos)
    if controls.temperature is not None:
        temperature = controls.temperature
    return temperature, top_k if controls.top_k is None else round(controls.top_k)
