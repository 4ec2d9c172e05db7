"""Song: symbolic notes and drum hits on a grid of steps.

`Song.events` converts it to seconds, `models.corpus` renders it to audio, and `Song.frame_labels`
gives the renderer's conditioning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.music.score import (
    DRUMS,
    EVENT,
    FRAME_SECONDS,
    INSTRUMENTS,
    KITS,
    PARTS,
    PITCHED,
    FrameScore,
    beat_phase,
    chord_pitch_classes,
    rasterize,
)

NOTE: Final = np.dtype(
    [
        ("step", np.int32),  # grid step of the onset
        ("length", np.float32),  # steps
        ("pitch", np.int16),  # MIDI note
        ("velocity", np.int16),  # 1..127
    ]
)

REVERBS: Final = ("none", "room", "chamber", "hall", "cathedral", "plate", "spring", "gated")

STRUMMED: Final = frozenset(
    {
        "nylon_guitar", "flamenco_guitar", "steel_guitar", "warm_guitar", "slide_guitar",
        "jazz_guitar", "clean_guitar", "surf_guitar", "funk_guitar", "overdrive_guitar",
        "distortion_guitar", "fuzz_guitar", "ukulele", "cavaquinho", "charango", "balalaika",
        "bouzouki", "mandolin", "banjo", "lute", "harp", "lyre", "zither", "dulcimer", "koto",
        "pipa", "sitar", "sarod", "tanpura",
    }
)  # fmt: skip
"""Instruments whose chords are strummed."""

MACHINES: Final = frozenset({"tr808", "tr909", "linn", "electronic", "chip", "industrial", "trap"})
"""Drum machines: kits that play exactly on the grid."""


@dataclass(frozen=True)
class Production:
    """Effects and mix of a song; amounts are 0..1 unless stated otherwise."""

    reverb: str = "room"  # one of REVERBS
    reverb_amount: float = 0.2
    delay: float = 0.0
    delay_beats: float = 0.75
    delay_feedback: float = 0.35
    drive: float = 0.0  # saturation of the whole mix
    tape: float = 0.0  # wow, flutter, dull highs, hiss
    vinyl: float = 0.0  # crackle, rumble
    pump: float = 0.0  # side-chain compression of everything else by the kick
    width: float = 1.0  # stereo width, 0 mono, 1 natural, 1.5 very wide
    tilt_db: float = 0.0  # -6 dark .. +6 bright, about 1 kHz
    compress: float = 0.3
    bits: int = 0  # bit depth of a sampler, 0 = off
    rate_hz: int = 0  # sample rate of a sampler, 0 = off
    lowpass_hz: float = 0.0  # 0 = off
    chorus: float = 0.0
    phaser: float = 0.0
    levels_db: Mapping[str, float] = field(default_factory=dict)  # per part, relative

    def level(self, part: str) -> float:
        """Gain of a part in dB."""
        return float(self.levels_db.get(part, 0.0))


@dataclass(frozen=True)
class Song:
    """Song of `steps` grid steps. Arrays must not be written to."""

    seed: int
    terms: tuple[tuple[str, float], ...]  # prompt terms with weights that sum to 1
    captions: tuple[str, ...]
    bpm: float
    swing: float  # share of a pair of steps taken by the first, 0.5 straight .. 0.67
    steps_per_beat: int
    steps_per_bar: int
    tonic: int  # 0..11
    mode: str  # name in score.MODES
    kit: str  # name in score.KITS
    instruments: dict[str, str]  # pitched part -> name in score.INSTRUMENTS, 'none' if unused
    drums: NDArray[np.uint8]  # (steps, 16) velocity 0..127
    notes: dict[str, NDArray[np.void]]  # pitched part -> NOTE array, sorted by step, then pitch
    chords: NDArray[np.int16]  # (steps,) chord symbol relative to the tonic, -1 none
    sections: NDArray[np.int16]  # (steps,) section index; equal index = the same material again
    section_names: tuple[str, ...] = ()  # by section index: intro, a, b, build, drop, break...
    intensity: NDArray[np.float32] | None = None  # (steps,) density multiplier 0.3..1.8
    production: Production = field(default_factory=Production)
    looseness: float = 0.0  # standard deviation of the players' timing, seconds
    laid_back: float = 0.0  # how late snare and chords sit behind the beat, seconds

    @property
    def steps(self) -> int:
        """Length of the grid."""
        return len(self.drums)

    @property
    def step_seconds(self) -> float:
        """Mean length of a step in seconds."""
        return 60.0 / self.bpm / self.steps_per_beat

    @property
    def seconds(self) -> float:
        """Length of the song in seconds."""
        return self.steps * self.step_seconds

    def seconds_at(self, step: ArrayLike) -> NDArray[np.float64]:
        """Time of a (fractional) step in seconds, swing included."""
        position = np.asarray(step, np.float64)
        if self.steps_per_beat % 2 == 0 and self.swing != 0.5:
            pair = np.floor(position / 2) * 2
            within = position - pair
            first = 2 * self.swing
            warped = np.where(within < 1, within * first, first + (within - 1) * (2 - first))
            position = pair + warped
        return position * self.step_seconds

    def steps_at(self, seconds: ArrayLike) -> NDArray[np.float64]:
        """Inverse of `seconds_at`: the fractional step of a time."""
        position = np.asarray(seconds, np.float64) / self.step_seconds
        if self.steps_per_beat % 2 == 0 and self.swing != 0.5:
            pair = np.floor(position / 2) * 2
            within = position - pair
            first = 2 * self.swing
            warped = np.where(within < first, within / first, 1 + (within - first) / (2 - first))
            position = pair + warped
        return position

    def events(self, humanise: bool = True) -> NDArray[np.void]:
        """All hits and notes as an EVENT array, in seconds, sorted by onset; deterministic.

        `humanise` adds timing deviations (`looseness`, `laid_back`) and strumming.
        """
        rng = np.random.default_rng([self.seed & 0xFFFFFFFF, 0x5E67E])
        blocks = [self._drum_events(rng, humanise)]
        blocks += [self._note_events(rng, humanise, part) for part in PITCHED]
        events = np.concatenate(blocks)
        events["on"] = np.maximum(events["on"], 0.0)
        events["off"] = np.maximum(events["off"], events["on"] + 0.02)
        return events[np.argsort(events["on"], kind="stable")]

    def _drum_events(self, rng: np.random.Generator, humanise: bool) -> NDArray[np.void]:
        step, drum = np.nonzero(self.drums)
        events = np.zeros(len(step), EVENT)
        on = self.seconds_at(step)
        if humanise and self.kit not in MACHINES:
            on = on + rng.normal(0.0, 1.0, len(on)).clip(-2, 2) * self.looseness
        if humanise:
            late = np.isin(drum, [DRUMS.index("snare"), DRUMS.index("clap")])
            on = on + late * self.laid_back
        events["on"], events["off"] = on, on + 0.05
        events["pitch"], events["velocity"] = drum, self.drums[step, drum]
        return events

    def _note_events(self, rng: np.random.Generator, humanise: bool, part: str) -> NDArray[np.void]:
        notes = self.notes.get(part)
        if notes is None or not len(notes):
            return np.zeros(0, EVENT)
        events = np.zeros(len(notes), EVENT)
        on = self.seconds_at(notes["step"])
        off = self.seconds_at(notes["step"] + notes["length"])
        if humanise:
            # One deviation per step: the notes of a chord are played together.
            steps, strike = np.unique(notes["step"], return_inverse=True)
            shift = rng.normal(0.0, 1.0, len(steps)).clip(-2, 2) * self.looseness
            if part == "chords":
                shift = shift + self.laid_back
                if self.instruments.get(part) in STRUMMED:
                    on = on + self._strum(strike, steps)
            on = on + shift[strike]
        events["on"], events["off"] = on, np.maximum(off - 0.004, on + 0.02)
        events["part"] = PARTS.index(part)
        events["pitch"], events["velocity"] = notes["pitch"], notes["velocity"]
        return events

    def _strum(self, strike: NDArray[np.intp], steps: NDArray[np.int32]) -> NDArray[np.float64]:
        """Delay of each chord note in seconds: down strokes on the beat, up strokes off it."""
        first = np.searchsorted(strike, strike, side="left")
        size = np.searchsorted(strike, strike, side="right") - first
        rank = np.arange(len(strike)) - first
        up = (steps % 2 == 1)[strike] if self.steps_per_beat == 4 else (steps % 3 == 2)[strike]
        spread = min(0.011, 0.25 * self.step_seconds / 5)
        return np.where(up, size - 1 - rank, rank) * spread

    def density_at(self, times: NDArray[np.floating], window: float = 2.0) -> NDArray[np.float32]:
        """Onsets per second around each time, in a Hann window of +-`window` seconds.

        Onsets closer than 30 ms count as one.
        """
        on = self.events(humanise=False)["on"]
        on = np.unique(np.round(on / 0.03).astype(np.int64)) * 0.03
        gap = np.abs(times[:, None] - on[None, :]) / window
        weight = np.where(gap < 1, 0.5 + 0.5 * np.cos(np.pi * gap), 0.0)
        # Normalised by the part of the window within the song.
        grid = np.linspace(-1, 1, 41)[None, :]
        inside = (times[:, None] + grid * window >= 0) & (
            times[:, None] + grid * window < self.seconds
        )
        shape = 0.5 + 0.5 * np.cos(np.pi * grid)
        area = window * (inside * shape).sum(1) / shape.sum()
        return np.asarray(weight.sum(1) / np.maximum(area, 0.25 * window), np.float32)

    def frame_labels(self, start: float, frames: int, humanise: bool = True) -> FrameScore:
        """Score of `frames` latent frames from `start` seconds; brightness is nan."""
        score = rasterize(self.events(humanise), start, frames)
        times = start + (np.arange(frames) + 0.5) * FRAME_SECONDS
        position = self.steps_at(times)
        step = np.clip(position.astype(np.int64), 0, self.steps - 1)
        chroma = np.zeros((frames, 12), np.float32)
        for symbol in np.unique(self.chords[step]):
            classes = chord_pitch_classes(int(symbol), self.tonic)
            rows = self.chords[step] == symbol
            for pitch_class in classes:
                chroma[rows, pitch_class] = 1.0
        row = [INSTRUMENTS.index(self.instruments.get(part, "none")) for part in PITCHED]
        return score.with_(
            instruments=np.tile(np.array(row, np.int16), (frames, 1)),
            kit=np.full(frames, KITS.index(self.kit), np.int16),
            chroma=chroma,
            beat=beat_phase(position / self.steps_per_beat, position / self.steps_per_bar),
            tempo=np.full(frames, self.bpm, np.float32),
            density=self.density_at(times),
        )
