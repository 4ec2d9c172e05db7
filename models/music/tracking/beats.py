"""Beat, tempo and bar as the sound comes in, with the beats to come.

A bar pointer (Whiteley, Cemgil and Godsill, "Bayesian modelling of temporal structure in musical
audio", ISMIR 2006) in the efficient state space of Krebs, Böck and Widmer (ISMIR 2015): a place
within the beat, a beat within the bar of one of several rhythm patterns, and an interval from beat
to beat, which changes at beats only. It is filtered forward exactly, without looking back. What is
observed is both the networks' word on beats and the patterns' codes of flux, which say more of the
places in between; now and then the last seconds, laid over each other bar by bar, say which tempi
and places explain them as a whole (`bar_fold`). One network learned from composed songs, the other
from recordings; their word is the weighted mean of their log odds (a logarithmic opinion pool:
Genest and Zidek, "Combining probability distributions", 1986). Of two tempi that explain as much,
the one nearer to those that people tap is drawn to, a little with every frame (a log-normal weight
as in Ellis, "Beat tracking by dynamic programming", 2007).

What it says of phase and tempo is quantised by its frames of 20 ms: a regression of the phase over
time, with a memory of seconds, gives both more finely, and a second one with a short memory takes
over where the tempo changes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.tracking.bar_fold import (
    BAR,
    WORDS,
    FoldNetwork,
    folded,
    of_any_beat,
    tempo_inputs,
)
from models.music.tracking.beat_network import BeatNetwork
from models.music.tracking.beat_states import (
    BAR_PLACES,
    INTERVALS,
    StateSpace,
    prior,
    state_space,
    tapped,
)
from models.music.tracking.beatnet import (
    STRIDE,
    BeatNetCrnn,
    BeatNetState,
    hear_beats,
    initial_beatnet,
)
from models.music.tracking.front_end import Line, SoundFrame
from models.music.tracking.periodicity import SPAN, interval_scores
from models.music.tracking.phase_line import NO_LINE, PhaseLine
from models.music.tracking.pulse import Pulse
from models.music.tracking.rhythm import (
    FEATURES,
    FRAME,
    LATENESS,
    PLACES,
    FluxState,
    RhythmPatterns,
    flux_features,
)

LEAP: Final = 5e-5  # share that goes to any state: a wrong tempo is left some day
TEMPER: Final = 0.4  # of the observations' logarithms: neighbouring frames repeat each other
SHARPNESS: Final = 0.3  # the same of the networks' beats
BAR_SHARPNESS: Final = 0.3  # and of its downbeats
BEAT_SHARE: Final = 0.08  # chance of a beat in a frame of which nothing is known
SUREST: Final = 0.98  # chance of a downbeat on a beat, at most
RECORDED: Final = 0.4  # share of the network that learned from recordings
LEAST_CHANCE: Final = 1e-4  # of a beat, and of none, in either network's word
CODES_LATER: Final = 2  # frames by which the patterns hear sooner than the network
DELAY: Final = LATENESS + CODES_LATER * FRAME - 0.002
"""Seconds from a beat to the end of the frame in which both have heard it."""
TAPPED: Final = 0.015  # how much a frame is drawn to tempi near the usual one
MEMORY: Final = 12.0  # seconds of the regression
PLACE_MEMORY: Final = 8.0  # seconds in which the sounds around beats are averaged
HOLD: Final = 1.6  # so much likelier must another tempo be
ASTRAY: Final = 0.1  # beats between state space and regression that are too many
DRIFT: Final = 0.05  # difference of the tempo's logarithm that is too much
LEAST_RATIO: Final = 1e-3  # a regression may even go backwards where the place leaps
PATIENCE: Final = 0.6  # seconds of either until the regression begins anew
AROUND: Final = 0.14  # beats around a beat in which sounds belong to it
FEW: Final = 3.0  # flux that speaks for the patterns' place
NEAR: Final = 0.1  # intervals whose logarithms are nearer than this are one tempo
EVERY: Final = 10  # frames between two looks at what repeats
FOLD_EVERY: Final = 30  # and between two at the folded bar
FOLD_FROM: Final = 120  # frames that it takes at first
FOLDED: Final = 0.2  # how much the belief is drawn to what it says
REPEATS: Final = 0.2  # how much a frame is drawn to what repeats
GATE: Final = 2e-4  # -74 dB: quieter is silence
QUIET: Final = 2.0  # seconds of silence after which there is no beat


@dataclass(frozen=True, eq=False)
class BeatState:
    """State of the tracker.

    Attributes:
        belief: (states of a beat, rows), see `StateSpace`, and `total`, its sum.
        hidden: (2, units) of the network that learned from composed songs.
        beatnet: of the network that learned from recordings.
        history: (SPAN, FEATURES) flux of the last ten seconds.
        words: (SPAN, WORDS) square roots of what both networks said in them.
        weight: (intervals,) what repeats makes likelier.
        count: frames of 20 ms so far.
        rise: of the frame of 10 ms before, which waits for its other half.
        codes: of the last frames with their flux, the newest last.
        flux: mean of the flux.
        line: regression of the phase.
        best: index of the interval.
        phase: of the last frame in beats, counted on.
        astray: seconds that the regression has been off.
        offset: sums of flux times place, and of flux, around beats.
        silence: seconds of it.
        pulse: what is known now.

    """

    belief: Line
    hidden: Line
    beatnet: BeatNetState
    history: Line
    weight: Line
    count: int = 0
    rise: Line | None = None
    codes: tuple[tuple[int, float], ...] = ()
    flux: FluxState = field(default_factory=FluxState)
    total: float = 1.0
    line: PhaseLine = NO_LINE
    best: int = 0
    phase: float = 0.0
    astray: float = 0.0
    offset: tuple[float, float] = (0.0, 0.0)
    silence: float = 0.0
    pulse: Pulse = field(default_factory=Pulse)
    words: Line = field(default_factory=lambda: np.zeros((SPAN, WORDS), np.float32))


@dataclass(frozen=True, eq=False)
class BeatModel:
    """What was learned of beats: rhythm patterns, networks of composed songs and recordings, and
    what a bar of music looks like.
    """

    patterns: RhythmPatterns
    network: BeatNetwork
    beatnet: BeatNetCrnn
    fold: FoldNetwork


@lru_cache(maxsize=4)
def _leap(rows: tuple[tuple[int, int], ...]) -> Line:
    """(states, rows) what goes to any state."""
    return np.float32(LEAP) * prior(rows)


def initial_beats(model: BeatModel) -> BeatState:
    """The state before any sound."""
    return BeatState(
        prior(model.patterns.rows),
        model.network.initial(),
        initial_beatnet(),
        np.zeros((SPAN, FEATURES), np.float32),
        np.ones(len(INTERVALS), np.float32),
    )


def track_beats(model: BeatModel, state: BeatState, frame: SoundFrame) -> BeatState:
    """Take one frame of 10 ms in; every second one moves the beat.

    Args:
        model: what was learned.
        state: after the frames before.
        frame: the next.

    Returns:
        The state after it; its `pulse` is what is known now.

    """
    if state.rise is None:
        return replace(state, rise=frame.rise)
    silence = 0.0 if frame.level > GATE else state.silence + FRAME
    if silence >= QUIET:
        return replace(initial_beats(model), silence=silence, pulse=Pulse(time=frame.time))
    rise = np.maximum(state.rise, frame.rise)
    hidden, *composed = model.network.step(state.hidden, frame.mel, rise)
    beatnet, *recorded = hear_beats(model.beatnet, state.beatnet, frame.samples[-STRIDE:])
    beat, downbeat = (pooled(one, two) for one, two in zip(composed, recorded, strict=True))
    flux, features = flux_features(state.flux, rise)
    history = np.concatenate([state.history[1:], features[None]])
    said = np.sqrt(np.array([*composed, *recorded], np.float32))
    words = np.concatenate([state.words[1:], said[None]])
    patterns = model.patterns
    count, weight, pull = state.count + 1, state.weight, None
    if count % EVERY == 0:
        filled = min(count, SPAN)
        scores, nearest = interval_scores(history, filled, INTERVALS)
        weight = np.exp(np.float32(REPEATS) * scores + np.float32(TAPPED) * tapped())
        if count % FOLD_EVERY == 0 and count >= FOLD_FROM:
            bars = folded(words, history, filled, nearest)
            pull = drawn(patterns, model.fold.scores(bars, tempo_inputs(nearest, scores)))
    code = (patterns.code(features), float(features.sum()))
    codes = (*state.codes, code)[-CODES_LATER - 1 :]
    fits = observed(patterns, codes[0][0], beat, downbeat)
    belief = _forward(patterns, state.belief, state.total, fits, weight)
    if pull is not None:
        belief *= pull
    moved = replace(
        state,
        belief=belief,
        hidden=hidden,
        beatnet=beatnet,
        codes=codes,
        rise=None,
        flux=flux,
        silence=silence,
        history=history,
        words=words,
        count=count,
        weight=weight,
    )
    return _read(patterns, moved, frame.time, codes[0][1])


def pooled(composed: float, recorded: float) -> float:
    """The chance whose log odds are the weighted mean of those of both networks."""
    odds = 1.0
    for chance, share in ((composed, 1 - RECORDED), (recorded, RECORDED)):
        chance = min(1 - LEAST_CHANCE, max(LEAST_CHANCE, chance))
        odds *= (chance / (1 - chance)) ** share
    return odds / (1 + odds)


def observed(patterns: RhythmPatterns, code: int, beat: float, downbeat: float) -> Line:
    """How well a frame fits each place of each row, (PLACES + 1, rows).

    Args:
        patterns: rhythm patterns.
        code: of the frame.
        beat: chance of a beat in it, by the networks.
        downbeat: chance of a bar's first beat.

    """
    fits = np.asarray(patterns.chances[code] ** np.float32(TEMPER), np.float32)
    fits[1:-1] *= np.float32(((1 - beat) / (1 - BEAT_SHARE) + 1e-3) ** SHARPNESS)
    here = (max(beat, 0.01) / BEAT_SHARE) ** SHARPNESS
    first = min(SUREST, max(1 - SUREST, downbeat / max(beat, 1e-3)))
    metres, starts, ends = _bars(patterns.rows)
    on_bar, off_bar = first * metres, (1 - first) * metres / (metres - 1)
    for place, begins in ((0, starts), (-1, ends)):
        bar = np.where(begins, on_bar, off_bar) ** (BAR_SHARPNESS * beat)
        fits[place] *= (here * bar).astype(np.float32)
    return fits


@lru_cache(maxsize=4)
def _bars(rows: tuple[tuple[int, int], ...]) -> tuple[Line, NDArray[np.bool_], NDArray[np.bool_]]:
    """Metre of each row, whether a bar begins with it, and whether one begins after it."""
    metres = np.array([metre for metre, _ in rows], np.float32)
    beats = np.array([beat for _, beat in rows])
    return metres, beats == 0, (beats + 1) % metres == 0


def _forward(
    patterns: RhythmPatterns, belief: Line, total: float, fits: Line, weight: Line
) -> Line:
    """Belief after one frame, not scaled to a sum of 1; `total` is the sum of the one before."""
    space = state_space(patterns.rows)
    moved = np.empty_like(belief)
    share = np.float32((1 - LEAP) / total)
    np.multiply(belief[:-1], share, out=moved[1:])
    moved[space.first] = (space.move.T @ belief[space.last]) @ space.after * share
    moved += _leap(patterns.rows)
    moved *= fits[space.place]
    moved *= weight[space.interval][:, None]
    return moved


def drawn(patterns: RhythmPatterns, scores: Line) -> Line:
    """(states, rows) factors of the belief by what the folded bar says."""
    space, found = state_space(patterns.rows), []
    rivals = np.exp(np.float32(FOLDED) * scores)
    any_beat = np.exp(np.float32(FOLDED) * of_any_beat(scores))
    for metre, beat in patterns.rows:
        if metre == BAR:
            place = (beat * PLACES + space.place) % (BAR * PLACES)
            found.append(rivals[space.interval, place])
        else:
            found.append(any_beat[space.interval, space.place % PLACES])
    return np.stack(found, axis=1)


def _read(patterns: RhythmPatterns, state: BeatState, time: float, flux: float) -> BeatState:
    """The state with phase, tempo and bar from the belief."""
    space = state_space(patterns.rows)
    states = state.belief @ np.ones(state.belief.shape[1], np.float32)
    total = float(states.sum())
    states /= np.float32(total)
    chances = np.add.reduceat(states, space.first)
    wide = np.convolve(chances, np.ones(3), "same")
    best, line = int(wide.argmax()), state.line
    if wide[best] < HOLD * wide[state.best]:
        best = state.best
    if abs(math.log(space.lengths[best] / space.lengths[state.best])) > NEAR:
        line = NO_LINE
    near = np.abs(np.log(space.lengths / space.lengths[best])) < NEAR
    share = max(float(chances[near].sum()), 1e-12)
    length = float((chances * space.lengths)[near].sum()) / share * FRAME
    turn = complex((states * near[space.interval] * space.turn).sum())
    angle = math.atan2(turn.imag, turn.real) / (2 * math.pi)
    # Forward by a frame, give or take half a beat: a place that is corrected may also go back.
    forward = FRAME / length
    step = (angle - state.phase - forward + 0.5) % 1.0 - 0.5 + forward
    phase = state.phase + step
    played = time - DELAY
    sure = abs(turn)
    astray = state.astray
    if line.weight > 0:
        ratio = max(line.slope * length, LEAST_RATIO)
        off = abs(phase - line.at(played)) > ASTRAY or abs(math.log(ratio)) > DRIFT
        astray = astray + FRAME if off else max(0.0, astray - FRAME)
        if astray > PATIENCE:
            line, astray = NO_LINE, 0.0
    # The variance of a direction falls faster than its certainty grows.
    line = line.add(played, phase, sure * sure, MEMORY, 1 / length)
    offset = _offset(state.offset, phase, flux)
    metre, index, bar = _bar_of(state.belief, near / np.float32(total), space)
    pulse = Pulse(
        time=time,
        bpm=60 * line.slope,
        confidence=sure,
        beat=line.at(time) - offset[0] / (offset[1] + FEW),
        beats_per_bar=metre,
        downbeat=math.floor(phase + 0.5) - index,
        bar_confidence=bar,
    )
    return replace(
        state, total=total, line=line, best=best, phase=phase, astray=astray, offset=offset,
        pulse=pulse,
    )  # fmt: skip


def _offset(before: tuple[float, float], phase: float, flux: float) -> tuple[float, float]:
    """Where sounds begin around beats, in beats from where the patterns put the beat."""
    place = phase - round(phase)
    weight = flux if abs(place) < AROUND else 0.0
    keep = 1 - FRAME / PLACE_MEMORY
    return keep * before[0] + weight * place, keep * before[1] + weight


def _bar_of(belief: Line, weights: Line, space: StateSpace) -> tuple[int, int, float]:
    """Likeliest metre and beat in the bar, of the beat that is nearest, and its chance.

    Args:
        belief: (states, rows).
        weights: (intervals,) how much each counts.
        space: of the belief.

    """
    halves = space.halves * weights[space.interval][:, None]
    now, soon = (halves.T @ belief) @ space.places  # both (2 * BAR_PLACES,)
    chances = now[: len(BAR_PLACES)] + soon[len(BAR_PLACES) :]
    best = int(chances.argmax())
    return *BAR_PLACES[best], float(chances[best])
