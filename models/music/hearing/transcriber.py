"""Transcriber: writes down what is played in, as it comes in.

It follows the ears (`models.music.tracking`) with a delay of a tenth of a second, which tells a
note from a hit. A note of one voice begins where the pitch has stayed for 50 ms, and ends where it
is left by more than half a semitone or falls silent; a repeated note begins at its onset. State is
immutable, and however the input is split into blocks, the transcript is the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.hearing.transcript import HeardChroma, HeardHit, HeardNote, Transcript
from models.music.score import SAMPLE_RATE
from models.music.tracking.chroma import STEP_SECONDS, pitch_classes, semitones, unit
from models.music.tracking.front_end import HOP, HOP_SECONDS, mono
from models.music.tracking.harmony import LATENESS as CHROMA_LATENESS
from models.music.tracking.tracker import EarState, Heard, initial_ears, listen
from models.music.tracking.weights import EarWeights

CHUNK: Final = round(STEP_SECONDS * SAMPLE_RATE)
PITCH_LATENESS: Final = 0.02
STEADY: Final = 5  # frames of one pitch that make a note
APART: Final = 0.6  # semitones from the note's pitch that are another note
SILENT: Final = 6  # frames without a pitch that end a note
LOOK: Final = 9  # frames after an onset that tell what it is
VOICED_SHARE: Final = 5  # of them at one pitch: a note
LOW: Final = 0.3  # log2 of the centroid over 1 kHz: a kick is under it
HIGH: Final = 2.75  # a hat is over it
SLIP: Final = 0.08  # seconds of a note that is none where another follows at once without an onset
BLEND: Final = 0.2  # the same of one that is octaves from either, or that both are partials of
OCTAVES: Final = (2, 4, 8)
PARTIALS: Final = (2, 3, 4, 5, 6, 7, 8)
TOUCHING: Final = 0.03  # seconds between them
STILL: Final = 0.35  # semitones from a note's pitch at which a voice has not left it
REST_DB: Final = 15.0  # by which it falls in a rest between two notes
CLEAR: Final = 0.12  # strength of an onset that begins a repeated note
NEAR: Final = 0.07  # seconds within which an onset is the note's own
ATTACK: Final = 0.15  # seconds in which a note may swell
FADED_DB: Final = 7.0  # by which a note falls before one that swells is another
SWELL_DB: Final = 6.0
QUIET_DB: Final = -60.0


@dataclass(frozen=True)
class TranscriberState:
    """State after some input.

    Attributes:
        ears: of the trackers.
        pending: samples (n,) that do not fill a frame of 10 ms yet.
        frames: the last frames heard.
        waiting: onsets whose kind is not known yet.
        run: pitches of the note that may begin, or goes on.
        began: seconds at which the run began.
        silent: frames without a pitch since the run's last.
        top: level of the note in dB, and `dip`, the lowest since then.
        transcript: what is known.

    """

    ears: EarState
    pending: NDArray[np.float32]
    frames: tuple[Heard, ...] = ()
    waiting: tuple[tuple[float, float], ...] = ()
    run: tuple[float, ...] = ()
    began: float = 0.0
    silent: int = 0
    top: float = -120.0
    dip: float = -120.0
    transcript: Transcript = field(default_factory=Transcript)


def initial_transcriber(weights: EarWeights) -> TranscriberState:
    """The state before any sound."""
    return TranscriberState(initial_ears(weights), np.zeros(0, np.float32))


def transcribe(
    weights: EarWeights, state: TranscriberState, samples: NDArray[np.floating]
) -> TranscriberState:
    """Take samples in.

    Args:
        weights: of the ears.
        state: after the samples before.
        samples: (n,) or (n, channels) at 48 kHz, full scale at +-1.

    Returns:
        The state after them; its transcript holds all that is known, the last note as far as it has
        sounded.

    """
    pending = np.concatenate([state.pending, mono(samples)])
    start, whole = 0, len(pending) // HOP * HOP
    while start < whole:
        # A note or hit is known with its frame; chroma is written down a chunk at a time.
        chunk = CHUNK - state.ears.front_end.frames * HOP % CHUNK
        stop = min(whole, start + chunk)
        ears, heard = listen(weights, state.ears, pending[start:stop], pulse=False)
        state = replace(state, ears=ears)
        for frame in heard:
            state = _take(state, frame)
        if stop - start == chunk:
            state = _with_chroma(state, heard[-1])
        start = stop
    return replace(state, pending=pending[whole:])


def transcript_of(weights: EarWeights, samples: NDArray[np.floating]) -> Transcript:
    """Transcript of a whole sound, (n,) or (n, channels) at 48 kHz."""
    sound = mono(np.asarray(samples, np.float32))
    silence = np.zeros(CHUNK + LOOK * CHUNK // 5, np.float32)
    return transcribe(
        weights, initial_transcriber(weights), np.concatenate([sound, silence])
    ).transcript


def _with_chroma(state: TranscriberState, last: Heard) -> TranscriberState:
    tail = state.ears.chroma.tail
    classes = np.zeros(12, np.float32)
    if last.level_db > QUIET_DB:
        classes = unit(pitch_classes(semitones(tail)))
    row = HeardChroma(last.time - CHROMA_LATENESS, tuple(float(value) for value in classes))
    known = state.transcript
    transcript = replace(
        known, until=last.time - LOOK * HOP_SECONDS, chroma=(*known.chroma, row)
    ).recent()
    return replace(state, transcript=transcript)


def _take(state: TranscriberState, frame: Heard) -> TranscriberState:
    """Take 10 ms in."""
    state = replace(state, frames=(*state.frames, frame)[-2 * LOOK :])
    if frame.onset is not None:
        waiting = (*state.waiting, (frame.onset.time, frame.onset.strength))
        state = replace(state, waiting=waiting)
    state = _follow_pitch(state, frame)
    return _judge_onsets(state, frame)


def _follow_pitch(state: TranscriberState, frame: Heard) -> TranscriberState:
    pitch = frame.pitch.midi if frame.pitch.voiced else math.nan
    time = frame.time - PITCH_LATENESS
    if math.isnan(pitch):
        silent = state.silent + 1
        if silent >= SILENT and state.run:
            return replace(state, run=(), silent=silent)
        return replace(state, silent=silent)
    run = state.run
    middle = float(np.median(run[-25:])) if run else pitch
    if not run or (len(run) < STEADY and abs(pitch - middle) > APART):
        return replace(state, run=(pitch,), began=time - HOP_SECONDS / 2, silent=0)
    if abs(pitch - middle) > APART:
        # Another note, once it has stayed; a frame or two may be a slip of the ear.
        away = [p for p in _last_pitches(state) if abs(p - pitch) <= APART]
        if len(away) < STEADY - 1:
            return replace(state, silent=0)
        began = time - (STEADY - 1) * HOP_SECONDS - HOP_SECONDS / 2
        state = replace(state, run=(pitch,) * STEADY, began=began, silent=0)
        return _noted(state, frame, fresh=True)
    state = replace(state, run=(*run, pitch)[-200:], silent=0)
    if len(state.run) < STEADY:
        return state
    if len(state.run) == STEADY:
        return _noted(state, frame, fresh=True)
    return _struck_again(_noted(state, frame, fresh=False), frame)


def _struck_again(state: TranscriberState, frame: Heard) -> TranscriberState:
    """Begin the note anew where it has faded and swells again."""
    # Of three frames: one is shorter than a period of the lowest notes.
    level = max(heard.level_db for heard in state.frames[-3:])
    dip = min(state.dip, level)
    if frame.time - state.transcript.notes[-1].start < ATTACK:
        return replace(state, top=level, dip=level)
    if state.top - dip > FADED_DB and level - dip > SWELL_DB:
        known = state.transcript
        last, time = known.notes[-1], frame.time - 3 * HOP_SECONDS
        if last.start + NEAR < time:
            pair = (replace(last, stop=time), HeardNote(time, frame.time, last.pitch, level))
            transcript = replace(known, notes=(*known.notes[:-1], *pair))
            state = replace(state, transcript=transcript)
        return replace(state, top=level, dip=level)
    if level >= state.top:
        return replace(state, top=level, dip=level)
    return replace(state, dip=dip)


def _last_pitches(state: TranscriberState) -> list[float]:
    """Pitches of the frames before the newest, as many as make a note but one."""
    frames = state.frames[-STEADY:-1]
    return [frame.pitch.midi for frame in frames if frame.pitch.voiced]


def _noted(state: TranscriberState, frame: Heard, fresh: bool) -> TranscriberState:
    """The note of the present run, begun or drawn out."""
    known = state.transcript
    notes, pitch = known.notes, float(np.median(state.run[-60:]))
    stop = frame.time
    if fresh or not notes:
        start = state.began
        onsets = [time for time, _ in state.waiting] + [hit.time for hit in known.hits[-4:]]
        near = [time for time in onsets if abs(time - start) < NEAR]
        if near:
            start = min(near, key=lambda time: abs(time - start))
        elif notes:
            if _is_slip(notes, start, pitch):
                start, notes = notes[-1].start, notes[:-1]
            start = min(start, _left(state, notes[-1], start)) if notes else start
        if notes:
            if start <= notes[-1].start:  # a slip at the beginning of a note that is one
                notes = notes[:-1]
            else:
                notes = (*notes[:-1], replace(notes[-1], stop=min(notes[-1].stop, start)))
        notes = (*notes, HeardNote(start, stop, pitch, frame.level_db))
        state = replace(state, top=frame.level_db, dip=frame.level_db)
    else:
        last = notes[-1]
        level = max(last.level, frame.level_db) if stop - last.start < 0.3 else last.level
        notes = (*notes[:-1], HeardNote(last.start, stop, pitch, level))
    return replace(state, transcript=replace(known, notes=notes))


def _is_slip(notes: Sequence[HeardNote], start: float, pitch: float) -> bool:
    """Whether the last note is none, but the way into the one that begins now without an onset.

    An attack has its octave, and where one note fades under the next, both seem to be partials of
    one that lies far below.
    """
    last = notes[-1]
    length, others = last.stop - last.start, [pitch, *(note.pitch for note in notes[-2:-1])]
    if start - last.stop >= TOUCHING or length >= BLEND:
        return False
    octave = any(_is_partial(abs(last.pitch - other), OCTAVES) for other in others)
    below = all(_is_partial(other - last.pitch, PARTIALS) for other in others)
    return length < SLIP or octave or below


def _is_partial(interval: float, numbers: Sequence[int]) -> bool:
    """Whether an interval in semitones is that from a tone to one of its partials."""
    return any(abs(interval - 12 * math.log2(n)) <= APART for n in numbers)


def _left(state: TranscriberState, note: HeardNote, began: float) -> float:
    """Seconds at which a voice left a note on its way to the one that began; that, where it rested.

    A voice that slides, or swells into a note while the last one fades, is late at its pitch.
    """
    for heard in reversed(state.frames):
        time = heard.time - PITCH_LATENESS + HOP_SECONDS / 2
        if heard.level_db < state.frames[-1].level_db - REST_DB:
            return began
        if time < began and heard.pitch.voiced and abs(heard.pitch.midi - note.pitch) <= STILL:
            return time
    return began


def _judge_onsets(state: TranscriberState, frame: Heard) -> TranscriberState:
    """Say of what kind an onset is, once what follows it has been heard."""
    if not state.waiting or frame.time < state.waiting[0][0] + LOOK * HOP_SECONDS:
        return state
    (time, strength), *rest = state.waiting
    after = [heard for heard in state.frames if heard.time > time]
    pitches = [heard.pitch.midi for heard in after if heard.pitch.voiced]
    # The pitch of a kick glides; that of a note stays.
    middle = float(np.median(pitches)) if pitches else 0.0
    voiced = sum(abs(pitch - middle) < APART for pitch in pitches)
    tones = [heard.brightness for heard in after[:4] if not math.isnan(heard.brightness)]
    bright = float(np.mean(tones)) if tones else 0.0
    if voiced >= VOICED_SHARE:
        kind = "pitched"
    else:
        kind = "low" if bright < LOW else "high" if bright > HIGH else "mid"
    known = state.transcript
    state = replace(
        state,
        waiting=tuple(rest),
        transcript=replace(known, hits=(*known.hits, HeardHit(time, strength, kind))),
    )
    return _repeated(state, time, strength) if kind == "pitched" else state


def _repeated(state: TranscriberState, time: float, strength: float) -> TranscriberState:
    """Begin the note anew where an onset lies in its middle."""
    known = state.transcript
    last = known.notes[-1] if known.notes else None
    if last is None or strength < CLEAR or not last.start + NEAR < time < last.stop - 0.03:
        return state
    pair = (replace(last, stop=time), replace(last, start=time))
    return replace(state, transcript=replace(known, notes=(*known.notes[:-1], *pair)))
