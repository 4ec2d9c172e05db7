"""What a prompt's words and sound must be."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.engine.interface import Audio, Samples
from models.errors import SegueError

MAX_PROMPT_CHARACTERS: Final = 1000
MIN_PROMPT_SECONDS: Final = 0.5


def check_prompt_text(text: str) -> str:
    """A text prompt with its white space normalised.

    Raises:
        SegueError: empty, or longer than MAX_PROMPT_CHARACTERS.

    """
    stripped = " ".join(text.split())
    if not stripped:
        raise SegueError("the prompt is empty: write what the music should be, or remove it.")
    if len(stripped) > MAX_PROMPT_CHARACTERS:
        raise SegueError(
            f"the prompt has {len(stripped)} characters: {MAX_PROMPT_CHARACTERS} are the most."
        )
    return stripped


def check_prompt_audio(samples: Samples, sample_rate: int) -> Audio:
    """An audio prompt as float32 (n, channels).

    Args:
        samples: (n,) or (n, channels), full scale at +-1.
        sample_rate: Hz.

    Raises:
        SegueError: shorter than MIN_PROMPT_SECONDS, not finite, or silent.

    """
    if sample_rate <= 0:
        raise SegueError(f"the audio prompt's sample rate is {sample_rate}: it must be above 0.")
    audio = np.asarray(samples, dtype=np.float32)
    if audio.ndim == 1:
        audio = audio[:, None]
    if audio.ndim != 2 or audio.shape[1] == 0:
        raise SegueError("the audio prompt must be samples, or samples by channels.")
    seconds = len(audio) / sample_rate
    if seconds < MIN_PROMPT_SECONDS:
        raise SegueError(
            f"the audio prompt lasts {seconds:.2g} s: give at least {MIN_PROMPT_SECONDS:g} s."
        )
    if not np.isfinite(audio).all():
        raise SegueError("the audio prompt holds samples that are not finite: export it again.")
    # -80 dB of full scale, without a constant offset, which is heard as nothing.
    if np.ptp(audio.astype(np.float64), axis=0).max() / 2 < 1e-4:
        raise SegueError("the audio prompt is silent: give an audible one.")
    return audio
