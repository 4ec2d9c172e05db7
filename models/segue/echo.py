"""Echo send: a generative delay, after the artist's instrument of "Live Music Diffusion Models".

What comes in returns after a time, made anew by the renderer with the delayed input as its guide,
and what returned is delayed again with the feedback. The dreamer holds its sound back by some
blocks, so it is fed as far ahead; the delay is therefore never shorter than that and the time in
which the plan can still be rewritten. Without dream it is a plain delay, and the renderer sleeps.

While the music plays, the renderer works beside it (`echo_renderer`), as far ahead as the input is
known. A block takes what is there; where that is nothing it is a plain delay, and a new chain
begins some blocks later. How much a block took is part of its hearing, so that it is rendered again
the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
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
from models.segue.dream.dreamer import DreamSound
from models.segue.dream.knob import dream_setting
from models.segue.echo_renderer import EchoLink, EchoRenderer, Made, echo_link
from models.segue.studio.block import BLOCK

Audio = NDArray[np.float32]

AHEAD_BLOCKS: Final = 5
"""Blocks that the dreamer holds back at the most, and one, so that an end is known before it."""
FARTHEST_BLOCKS: Final = 20
"""Blocks that it may be fed ahead while the music plays."""
ASKED_BLOCKS: Final = 8
"""Blocks that are asked for at once: their renderer's blocks take about as long as they sound."""
START_BLOCKS: Final = 10
"""Blocks after which a new chain sounds while the music plays: time to make its beginning."""
NEAR_SECONDS: Final = 0.7
"""A block that begins so soon will hardly be planned again."""
SHORTEST_SECONDS: Final = 0.8
SHORTEST_BESIDE: Final = 1.2
"""Shortest delay of what is made anew while the music plays."""
STEADY_FRAMES: Final = round(0.015 * SAMPLE_RATE)
"""A tempo that is followed wavers: the delay stays where it would change by less."""
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
        guides: delayed input that the chain was fed, from the block to come on, (BLOCK, 2) each.
        made: what it made of that, from the block to come on, (BLOCK, 2) each.
        rest: what it made of a part of the next block, (n, 2).
        chain: its name; b"" where there is none.
        sound: the dreamer's state at its end.
        wait: blocks until it begins to sound.
        returns: what sounded of the echo, newest last, (BLOCK, 2) each.
        balance: of the crossfade between the delayed input and the renderer's.
        gain: of the renderer's sound at the end of the last block, see `shaped`.
        taken: blocks of input that the last block took in, as `Hearing.echoed`.
        delay: frames after which the input returns.

    """

    guides: tuple[Audio, ...] = ()
    made: tuple[Audio, ...] = ()
    rest: Audio = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    chain: bytes = b""
    sound: DreamSound | None = None
    wait: int = 0
    returns: tuple[Audio, ...] = ()
    balance: BalanceState = field(default_factory=BalanceState)
    gain: float = 0.0
    taken: int = 0
    delay: int = 0

    def unchained(self, wait: int = 0) -> EchoState:
        """The state without a chain; wait: blocks until another begins."""
        return EchoState(
            wait=wait, returns=self.returns, balance=self.balance, taken=self.taken,
            delay=self.delay,
        )  # fmt: skip

    def linked(self, link: EchoLink, given: Made) -> EchoState:
        """The state with one more link of the chain."""
        sound = np.concatenate([self.rest, given.sound])
        whole = len(sound) // BLOCK
        # Copies: snapshots share the blocks.
        blocks = [sound[n * BLOCK : (n + 1) * BLOCK].copy() for n in range(whole)]
        return replace(
            self,
            guides=(*self.guides, link.guide),
            made=(*self.made, *blocks),
            rest=sound[whole * BLOCK :].copy(),
            chain=link.name,
            sound=given.state,
        )


def delay_frames(controls: Controls, bpm: float, shortest: float = SHORTEST_SECONDS) -> int:
    """Frames after which the input returns, at a tempo; at least so many seconds."""
    beats = DEFAULT_BEATS if controls.echo_time is None else controls.echo_time
    return round(max(shortest, beats * 60.0 / bpm) * SAMPLE_RATE)


def echo_reach(state: EchoState, controls: Controls) -> int:
    """Frames as of `Hearing.reach`: what is made anew is begun some time before it sounds."""
    return state.delay - BLOCK * (1 + START_BLOCKS * (_dream(controls) > 0.0))


def echo_block(
    state: EchoState | None,
    audio: Audio,
    hearing: Hearing | None,
    controls: Controls,
    arranger: ArrangerState,
    renderer: EchoRenderer,
) -> tuple[Audio, EchoState | None]:
    """A block with the echo of what came in.

    Args:
        state: after the block before; None where there was no echo.
        audio: the stream's own sound, (BLOCK, 2).
        hearing: what has come in.
        controls: of the block.
        arranger: its tempo counts the time, its seed is the noise's.
        renderer: makes it anew.

    Returns:
        The block, and the state after it.

    """
    dreams, setting = _dream(controls) > 0.0, dream_setting(_dream(controls))
    if hearing is not None and hearing.live and not (controls.echo and dreams):
        renderer.dry = False
    if not controls.echo or hearing is None:
        return audio, None
    state = replace(state or EchoState(), taken=0)
    bpm = arranger.ticks[-1].bpm if arranger.ticks else 120.0
    beside = dreams and (hearing.live or hearing.echoed >= 0)
    delay = delay_frames(controls, bpm, SHORTEST_BESIDE if beside else SHORTEST_SECONDS)
    if abs(delay - state.delay) < STEADY_FRAMES:
        delay = state.delay
    state = replace(state, delay=delay)
    if not dreams:
        state = state.unchained()
    else:
        if beside and not state.guides and not state.wait:
            soon = hearing.position - hearing.known <= echo_reach(state, controls)
            if soon or _is_near(hearing):
                state = state.unchained(START_BLOCKS)
        if not beside or state.chain or state.wait:
            links = _Links(hearing, controls, setting.sigma, arranger.seed + 15_485_863, delay)
            state = _fed(state, links, beside, renderer)
    dry = (
        state.guides[0]
        if state.guides and not state.wait
        else _guide(state, hearing, -delay, controls)
    )
    back, wait, balance, gain = dry, state.wait, state.balance, state.gain
    if dreams and not wait and state.made:
        share = min(1.0, 2.0 * (1.0 - _dream(controls)))
        wet, gain = shaped(dry, state.made[0], share, gain)
        goes_on = len(state.made) > 1
        back, balance = crossfade(dry, wet, setting.angle if goes_on else 0.0, balance)
        state = replace(state, guides=state.guides[1:], made=state.made[1:])
        state = _went_on(state, hearing, renderer) if goes_on else _broken(state, hearing, renderer)
    elif dreams and not wait:
        state = _broken(state, hearing, renderer)
    elif wait == 1 and not state.guides:  # nothing came in time to begin with
        _tell_late(hearing, renderer)
    state = replace(
        state,
        wait=max(0, state.wait - 1),
        returns=(*state.returns, back)[-LONGEST_BLOCKS:],
        balance=balance,
        gain=gain,
    )
    return soft_limit(audio + np.float32(controls.echo) * back), state


def _broken(state: EchoState, hearing: Hearing, renderer: EchoRenderer) -> EchoState:
    """The state after a block for which nothing was there, or nothing is for the next."""
    if state.chain:
        _tell_late(hearing, renderer)
    return state.unchained()


def _went_on(state: EchoState, hearing: Hearing, renderer: EchoRenderer) -> EchoState:
    """The state after a block that was made anew, as the next one is."""
    if _heard_soon(hearing):
        renderer.dry = False
    return state


def _tell_late(hearing: Hearing, renderer: EchoRenderer) -> None:
    """Say that the echo is dry, where something is played in and heard back now."""
    if _heard_soon(hearing):
        renderer.late()


def _heard_soon(hearing: Hearing) -> bool:
    """Whether the block is of music that plays, and will hardly be planned again."""
    return hearing.live and _is_near(hearing)


def _is_near(hearing: Hearing) -> bool:
    return hearing.position - hearing.known < NEAR_SECONDS * SAMPLE_RATE


@dataclass(frozen=True)
class _Links:
    """What links of a chain are made of, in one block."""

    hearing: Hearing
    controls: Controls
    sigma: float
    seed: int
    delay: int

    def after(self, state: EchoState, farthest: int) -> Iterator[EchoLink]:
        """The links that can follow, as far as the input is known and `farthest` blocks ahead."""
        chain, hearing = state.chain, self.hearing
        for ahead in range(state.wait + len(state.guides), farthest):
            offset = ahead * BLOCK - self.delay
            if hearing.position + offset + BLOCK > hearing.known or offset + BLOCK > 0:
                return
            guide = _guide(state, hearing, offset, self.controls)
            link = echo_link(chain, guide, self.controls, self.sigma, self.seed)
            yield link
            chain = link.name


def _fed(state: EchoState, links: _Links, beside: bool, renderer: EchoRenderer) -> EchoState:
    """The state with the chain fed as far as it must be, or beside the music as far as it is."""
    hearing, begun = links.hearing, len(state.guides)
    farthest = state.wait + FARTHEST_BLOCKS if beside else 1 + AHEAD_BLOCKS
    coming = links.after(state, farthest)
    for link in coming:
        if hearing.echoed >= 0 and len(state.guides) - begun >= hearing.echoed:
            break
        made = renderer.made(link) if hearing.live else renderer.make(link, state.sound)
        if made is None:
            if hearing.spare:
                renderer.ask((link, *itertools.islice(coming, ASKED_BLOCKS)), state.sound)
            break
        state = state.linked(link, made)
    return replace(state, taken=len(state.guides) - begun)


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
