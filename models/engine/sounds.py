"""Learned sounds in prompts and controls: how they are named, and how far each one acts. Pure.

A learned sound is a text prompt like others, `sound:NAME`. Its style is embedded as any prompt's
is; what was learned of the network's weights acts by the prompt's share in the mix, times its
amount.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Final, Protocol

from models.engine.frozen_map import FrozenMap
from models.errors import SegueError

PREFIX: Final = "sound:"
"""How the text of a prompt begins that is a learned sound."""
MAX_AMOUNT: Final = 1.5
MAX_NAME: Final = 40
MAX_PIECES: Final = 8
"""Pieces that a learned sound keeps apart."""
STEP: Final = 1 / 64
"""Amounts are rounded to it, so that a knob that turns does not ask for ever other weights."""
_NAME: Final = re.compile(r"[^\W_](?:[ -]*[^\W_])*")


class WeightedPrompt(Protocol):
    """A prompt in a mix: its text, its weight, and how much of a learned sound acts."""

    @property
    def text(self) -> str | None: ...
    @property
    def weight(self) -> float: ...
    @property
    def amount(self) -> float: ...


def check_name(name: str) -> str:
    """The name of a learned sound as it is compared: lower case, single spaces.

    Raises:
        SegueError: empty, too long, or with other characters than letters, digits, spaces and
            hyphens.

    """
    key = " ".join(name.split()).casefold()
    if not _NAME.fullmatch(key) or len(key) > MAX_NAME:
        raise SegueError(
            f"'{name}' is no name for a sound: use up to {MAX_NAME} letters, digits, spaces "
            "and hyphens, beginning and ending with a letter or digit."
        )
    return key


def sound_name(text: str | None) -> str | None:
    """Name of the learned sound that a prompt's text means; None for any other text.

    Raises:
        SegueError: the text means a sound, but by no valid name.

    """
    words = "" if text is None else text.strip()
    if not words.casefold().startswith(PREFIX):
        return None
    return check_name(words[len(PREFIX) :])


def is_sound(text: str | None) -> bool:
    """Whether a prompt's text means a learned sound, by a valid name or not."""
    return text is not None and text.strip().casefold().startswith(PREFIX)


def refuse_sound(text: str, engine: str) -> None:
    """Raise SegueError where a text means a learned sound, for an engine that takes none."""
    if is_sound(text):
        raise SegueError(
            f"{engine} cannot play a learned sound: choose segue or segue-diffusion for '{text}'."
        )


def sound_scales(prompts: Iterable[WeightedPrompt]) -> FrozenMap[float]:
    """How far each learned sound of a mix acts on the weights.

    Args:
        prompts: of the mix; those of weight 0 do not count.

    Returns:
        By name: the prompts' share of all weights times their amount, in steps of STEP. Sounds that
        do not act are left out.

    """
    chosen = [prompt for prompt in prompts if prompt.weight > 0.0]
    most = max((prompt.weight for prompt in chosen), default=1.0)
    total = sum(prompt.weight / most for prompt in chosen)
    scales: dict[str, float] = {}
    for prompt in chosen:
        if is_sound(prompt.text):
            name = sound_name(prompt.text) or ""
            share = prompt.weight / most / total
            scales[name] = scales.get(name, 0.0) + share * prompt.amount
    rounded = {name: round(scale / STEP) * STEP for name, scale in scales.items()}
    return FrozenMap(sorted((name, scale) for name, scale in rounded.items() if scale > 0.0))


def check_amount(value: object, of: str) -> float:
    """An amount, 0 to MAX_AMOUNT. SegueError for anything else; `of` names whose it is."""
    real = isinstance(value, Real) and not isinstance(value, bool)
    number = float(value) if real else math.nan  # type: ignore[arg-type]
    if not 0.0 <= number <= MAX_AMOUNT:
        raise SegueError(f"the amount of {of} is {value!r}: give a number from 0 to {MAX_AMOUNT}.")
    return number


def check_sounds(value: object) -> FrozenMap[float]:
    """Scales of learned sounds by name; empty for None. SegueError for anything else."""
    if value is None:
        return FrozenMap()
    if not isinstance(value, Mapping):
        raise SegueError(f"sounds is {value!r}: give the amount of each learned sound by name.")
    pairs = sorted((check_name(str(name)), amount) for name, amount in value.items())
    return FrozenMap((name, check_amount(amount, f"'{name}'")) for name, amount in pairs)
