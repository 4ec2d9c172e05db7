"""Loopback test: the round trip from output to input, measured by clicks that are found again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.audio import shared_memory as s
from app.audio.input.history import InputHistory
from app.audio.input.monitor import click
from models.errors import SegueError

CLICKS: Final = 5
WINDOW_SECONDS: Final = 0.4
"""A click is looked for this far around its expected place."""
SETTLE_SECONDS: Final = 2.0
"""Time that the clocks' filters get before the first click."""
CONTRAST: Final = 12.0
"""Ratio of the correlation's peak to its usual size above which it is a click."""
SPREAD_SECONDS: Final = 0.0005
"""Largest spread of the clicks' places that is a measurement."""
UNHEARD: Final = (
    "the click was not heard: connect the output to the input with a cable, or hold the microphone"
    " to the speaker, turn the gain up, and measure again."
)


@dataclass(frozen=True)
class RoundTrip:
    """Measured time from output to input. spread_ms: of the clicks that were found."""

    milliseconds: float
    spread_ms: float


def find_click(sound: NDArray[np.float32]) -> float | None:
    """Place of the click in sound (n,), in frames with a fraction; None where there is none.

    The correlation with the click; the fraction is that of a parabola through its peak.
    """
    shape = click()
    match = np.abs(np.correlate(sound.astype(np.float64), shape, "valid"))
    if not len(match) or match.max() <= 0.0:
        return None
    at = int(match.argmax())
    if match[at] < CONTRAST * max(float(np.median(match)), 1e-9):
        return None
    # The envelope of a 4.5 kHz burst: neighbouring lobes are 5 frames away, and lower.
    if not 0 < at < len(match) - 1:
        return float(at)
    left, peak, right = match[at - 1 : at + 2]
    return float(at + 0.5 * (left - right) / (left - 2 * peak + right))


def measure(
    words: NDArray[np.int64],
    floats: NDArray[np.float64],
    history: InputHistory,
    wait: Callable[[float], object] = time.sleep,
) -> RoundTrip:
    """Play clicks and find them again. Blocks for some seconds.

    Args:
        words: of the shared memory.
        floats: of the shared memory.
        history: the input.
        wait: sleeps for some seconds.

    Returns:
        The time from a frame's way into the output to its return at the input.

    Raises:
        SegueError: no input, or no click came back, or not at one and the same time.

    """
    if not words[s.INPUT_RUNNING]:
        raise SegueError("no input is open: choose one, apply, and measure again.")
    wait(SETTLE_SECONDS)
    found = []
    for _ in range(CLICKS):
        asked = int(words[s.CLICK]) + 1
        words[s.CLICK] = asked
        wait(0.25)
        if words[s.CLICK_DONE] != asked:
            raise SegueError("the output does not run: choose a device that plays.")
        at, reach = int(words[s.CLICK_AT]), round(WINDOW_SECONDS * s.SAMPLE_RATE)
        for _ in range(40):
            if history.end > at + reach:
                break
            wait(0.05)
        place = find_click(history.copy(at - reach, at + reach)[:, 0])
        if place is not None:
            found.append((place - reach) / s.SAMPLE_RATE + float(floats[s.INPUT_LATENCY]))
    if len(found) < 3:
        raise SegueError(UNHEARD)
    middle = float(np.median(found))
    spread = float(np.median(np.abs(np.array(found) - middle)))
    if spread > SPREAD_SECONDS:
        raise SegueError("the clicks came back at different times: pause the music, measure again.")
    return RoundTrip(max(0.0, 1e3 * middle), 1e3 * spread)
