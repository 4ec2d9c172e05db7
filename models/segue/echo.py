"""Echo send: a generative delay, after the artist's instrument of "Live Music Diffusion Models".

What comes in returns after a time, made anew by the renderer with the delayed input as its guide,
and what returned is delayed again with the feedback. The dreamer holds its sound back by some
blocks, so it is fed as far ahead; the delay is therefore never shorter than that and the time in
which the plan can still be rewritten. Without dream it is a plain delay, and the renderer sleeps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.controls import Controls
from models.engine.hearing import Hearing
from models.engine.loudness import soft_limit
from models.music.score import SAMPLE_RATE
from models.segue.arranger.state import State as ArrangerState
from models.segue.dream.balance import BalanceState, crossfade
from models.segue.dream.dreamer import Dreamer, DreamSound
from models.segue.dream.knob import dream_setting
from models.segue.studio.block import BLOCK

Audio = NDArray[np.float32]

AHEAD_BLOCKS: Final = 4
"""Blocks that the dreamer holds back at the most."""
SHORTEST_SECONDS: Final = 0.8
DEFAULT_BEATS: Final = 4.0
DEFAULT_DREAM: Final = 0.5
HOP: Final = 240
"""Frames (5 ms) of a point of the loudness course."""
MOST: Final = 4.0  # gain of the renderer's sound
FAINT: Final = 1e-4
LONGEST_BLOCKS: Final = round(17.0 * SAMPLE_RATE / BLOCK)
"""Blocks of returns that are kept: four bars of a slow tempo."""


@dataclass(frozen=True)
class EchoState:
    """State of the echo; immutable.

    Attributes:
        guides: delayed input of the blocks to come, oldest first, (BLOCK, 2) each.
        returns: what sounded of the echo, newest last, (BLOCK, 2) each.
        sound: of the dreamer; None while it sleeps.
        balance: of the crossfade between the delayed input and the renderer's.
        gain: of the renderer's sound at the end of the last block, see `shaped`.

    """

    guides: tuple[Audio, ...] = ()
    returns: tuple[Audio, ...] = ()
    sound: DreamSound | None = None
    balance: BalanceState = field(default_factory=BalanceState)
    gain: float = 0.0


def delay_frames(controls: Controls, bpm: float) -> int:
    """Frames after which the input returns, at a tempo."""
    beats = DEFAULT_BEATS if controls.echo_time is None else controls.echo_time
    return round(max(SHORTEST_SECONDS, beats * 60.0 / bpm) * SAMPLE_RATE)


def echo_block(
    state: EchoState | None,
    audio: Audio,
    hearing: Hearing | None,
    controls: Controls,
    arranger: ArrangerState,
    dreamer: Callable[[], Dreamer],
) -> tuple[Audio, EchoState | None]:
    """A block with the echo of what came in.

    Args:
        state: after the block before; None where there was no echo.
        audio: the stream's own sound, (BLOCK, 2).
        hearing: what has come in.
        controls: of the block.
        arranger: its tempo counts the time, its seed is the noise's.
        dreamer: gives the renderer when it is needed, loading it the first time.

    Returns:
        The block, and the state after it.

    """
    if not controls.echo or hearing is None:
        return audio, None
    state = state or EchoState()
    bpm = arranger.ticks[-1].bpm if arranger.ticks else 120.0
    delay, setting = delay_frames(controls, bpm), dream_setting(_dream(controls))
    if _dream(controls) <= 0.0:
        state = replace(state, sound=None)
    elif state.sound is None:
        asleep = dreamer().start(arranger.seed + 15_485_863)
        for guide in state.guides:
            asleep = dreamer().feed(
                asleep, guide, None, controls.style, setting.sigma, sounds=controls.sounds
            )
        state = replace(state, sound=asleep)
    while len(state.guides) <= AHEAD_BLOCKS:
        guide = _guide(state, hearing, len(state.guides) * BLOCK - delay, controls)
        sound = state.sound
        if sound is not None:
            sound = dreamer().feed(
                sound, guide, None, controls.style, setting.sigma, sounds=controls.sounds
            )
        state = replace(state, guides=(*state.guides, guide), sound=sound)
    dry, sound, balance, gain = state.guides[0], state.sound, state.balance, state.gain
    back = dry
    if sound is not None and len(sound.audio) >= BLOCK:
        wet, sound = dreamer().take(sound, BLOCK)
        wet, gain = shaped(dry, wet, min(1.0, 2.0 * (1.0 - _dream(controls))), gain)
        back, balance = crossfade(dry, wet, setting.angle, balance)
    state = EchoState(
        state.guides[1:], (*state.returns, back)[-LONGEST_BLOCKS:], sound, balance, gain
    )
    return soft_limit(audio + np.float32(controls.echo) * back), state


def shaped(dry: Audio, wet: Audio, share: float, gain: float) -> tuple[Audio, float]:
    """The renderer's sound with the loudness course of what was played.

    A renderer without a score fills the rests and blurs the beginnings; what comes back should
    come where the player put it.

    Args:
        dry: what was played, (BLOCK, 2).
        wet: the renderer's sound of the same time.
        share: 0 leaves it as it is, 1 gives it the course whole.
        gain: at the end of the block before.

    """
    first, made = (
        np.sqrt(np.square(x).mean(axis=1).reshape(-1, HOP).mean(axis=1)) for x in (dry, wet)
    )
    gains = np.minimum(MOST, (first + FAINT) / (made + FAINT)) ** share
    edges = np.concatenate([[gain], gains]).astype(np.float32)
    at = np.arange(BLOCK, dtype=np.float32) / HOP
    line = np.interp(at, np.arange(len(edges)), edges).astype(np.float32)
    return wet * line[:, None], float(edges[-1])


def _dream(controls: Controls) -> float:
    return DEFAULT_DREAM if controls.echo_dream is None else controls.echo_dream


def _guide(state: EchoState, hearing: Hearing, offset: int, controls: Controls) -> Audio:
    """Input and fed-back returns, (BLOCK, 2), from `offset` frames after the present block on."""
    start = hearing.position + offset
    guide = np.zeros((BLOCK, 2), np.float32)
    if start + BLOCK > 0:
        heard = hearing.sound(max(0, start), start + BLOCK)
        guide[BLOCK - len(heard) :] += heard
    feedback = controls.echo_feedback or 0.0
    if feedback > 0.0 and state.returns:
        # The newest return ends where the present block begins.
        count = min(len(state.returns), abs(offset) // BLOCK + 2)
        past = np.concatenate(state.returns[-count:])
        first = len(past) + offset
        part = past[max(0, first) : max(0, min(len(past), first + BLOCK))]
        at = max(0, -first)
        guide[at : at + len(part)] += np.float32(feedback) * part
    return guide
