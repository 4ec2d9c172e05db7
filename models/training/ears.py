"""Training of the trackers (models.music.tracking) on songs that are composed for it. Offline.

    python -m models.training.ears --songs 240 --export resources/weights/ears.safetensors

Rhythm patterns: spectral flux of each song's mix and stems, and of tapped beats, is quantised; they
are grouped by the likelihood of their codes at the places of the bar (k-means first, then hard
expectation-maximisation), and each group is a pattern. The chord network learns root and quality
of the chord that sounds from the chromas of whole songs by cross-entropy, with random equalisation
of its input. Takes about 3 s a song, and a quarter of a second a step for the network. Afterwards:
python -m models.storage.weights.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from models.corpus.composer.composer import compose
from models.corpus.sound.render import drop_parts, fit_range, render
from models.music.score import QUALITY_NAMES, SAMPLE_RATE
from models.music.song import Song
from models.music.tracking.chroma import RISES, find_chroma, initial_chroma
from models.music.tracking.front_end import Line, analyse, initial_front_end, mono
from models.music.tracking.harmony import CHORD_QUALITIES, INPUTS, turn
from models.music.tracking.rhythm import (
    FRAME,
    LATENESS,
    METRES,
    PLACES,
    FluxState,
    flux_features,
    place_codes,
)
from models.training.beats import named_weights

SECONDS: Final = 30.0
FIRST_SEED: Final = 310_100_000
PATTERNS: Final = {4: 12, 3: 4}
CODES: Final = 128
TAPPED: Final = 40
UNKNOWN: Final = -1
"""Label where no chord is composed."""
SETTLE: Final = 8
"""First chromas of a stretch, of which nothing is asked."""
STRETCH: Final = 240
BATCH: Final = 12
QUALITY_OF: Final = {
    "maj": "maj", "7": "maj", "maj7": "maj", "9": "maj", "maj9": "maj", "6": "maj",
    "min": "min", "min7": "min", "min9": "min", "dim": "dim", "half_dim": "dim",
    "sus": "sus", "5": "5", "aug": "aug",
}  # fmt: skip
"""What the trackers call a quality of the score."""
UNITS: Final = 48
FAVOUR: Final = (0.0, 0.0, -1.0, -0.5, -1.0, -1.0)
"""Added to the logarithms of CHORD_QUALITIES: in doubt a chord is a major or minor triad."""
STEPS: Final = 900

Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RhythmExample:
    """Flux features (n, FEATURES) and their places in the bar (n,), of a metre, with a weight."""

    features: Line
    places: Codes
    metre: int
    weight: float


@dataclass(frozen=True, eq=False)
class ChordSong:
    """Inputs (n, 12, INPUTS) of a song and labels (n,): root times the qualities, plus the quality;
    UNKNOWN where there is none.
    """

    inputs: Line
    labels: Codes


def rhythm_example(
    sound: Line, beats: NDArray[np.float64], downbeat: int, metre: int, weight: float
) -> RhythmExample:
    """Features of a sound whose beats are known; `downbeat` is the index of one of them."""
    _, frames = analyse(initial_front_end(), mono(sound))
    state, rows = FluxState(), []
    for first, second in zip(frames[::2], frames[1::2], strict=False):
        state, row = flux_features(state, np.maximum(first.rise, second.rise))
        rows.append(row)
    times = (np.arange(len(rows)) + 1) * FRAME - LATENESS
    position = np.interp(times, beats, np.arange(len(beats)) - downbeat, np.nan, np.nan)
    known = ~np.isnan(position) & (times > 1.0)
    places = np.floor(position[known] * PLACES + 0.5).astype(np.int64) % (metre * PLACES)
    return RhythmExample(np.array(rows)[known], places, metre, weight)


def chord_song(sound: Line, song: Song) -> ChordSong:
    """Chromas of a song's sound, with the chord that is composed at the end of each."""
    _, frames = analyse(initial_front_end(), mono(sound))
    edges = song.seconds_at(np.arange(song.steps))
    state, inputs, labels = initial_chroma(), [], []
    for frame in frames:
        state, chroma = find_chroma(state, frame)
        if chroma is None:
            continue
        step = int(np.searchsorted(edges, frame.time, side="right")) - 1
        symbol = int(song.chords[min(max(step, 0), song.steps - 1)])
        inputs.append(turn(chroma))
        labels.append(UNKNOWN)
        if symbol >= 0 and chroma.loud:
            root, quality = divmod(symbol, len(QUALITY_NAMES))
            name = CHORD_QUALITIES.index(QUALITY_OF[QUALITY_NAMES[quality]])
            labels[-1] = (root + song.tonic) % 12 * len(CHORD_QUALITIES) + name
    return ChordSong(
        np.array(inputs, np.float32).reshape(-1, 12, INPUTS), np.array(labels, np.int64)
    )


def song_examples(seed: int) -> tuple[list[RhythmExample], list[ChordSong]]:
    """Examples of one song: its mix, and its stems as a player alone would sound."""
    rng = np.random.default_rng([seed, 7])
    song = drop_parts(fit_range(compose(seed, seconds=SECONDS, split="train")), rng, SECONDS)
    rendered = render(song, rng, SECONDS, "train")
    stems = rendered.stems
    sounds = (
        (rendered.mix, 2.0),
        (stems["bass"] + stems["other"], 1.0),
        (stems["other"], 1.0),
        (stems["drums"], 1.0),
    )
    metre = song.steps_per_bar // song.steps_per_beat
    rhythms = []
    if metre in METRES:
        beats = song.seconds_at(np.arange(0, song.steps, song.steps_per_beat))
        rhythms = [
            rhythm_example(sound, beats, 0, metre, weight)
            for sound, weight in sounds
            if np.abs(sound).max() > 1e-3
        ]
    return rhythms, [chord_song(line, song) for line in (rendered.mix, stems["other"])]


def tapped_example(seed: int) -> RhythmExample:
    """Tapped or clapped beats with small deviations and a drifting tempo."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(round(SECONDS * SAMPLE_RATE), np.float32)
    time, bpm, drift = rng.uniform(0, 1), rng.uniform(60, 190), rng.normal(0, 0.0015)
    beats = []
    while time < SECONDS:
        beats.append(time)
        start = int(max(0, (time + rng.normal(0, 0.006)) * SAMPLE_RATE))
        size = min(len(sound) - start, int(rng.uniform(0.02, 0.2) * SAMPLE_RATE))
        if size > 0 and rng.random() > 0.04:
            fade = np.exp(-np.arange(size) / (size / 5)) * rng.uniform(0.3, 1)
            carrier = np.sin(2 * np.pi * rng.uniform(60, 3000) * np.arange(size) / SAMPLE_RATE)
            noise = rng.normal(0, 1, size)
            sound[start : start + size] += fade * (noise, carrier, noise * carrier)[seed % 3]
        time, bpm = time + 60 / bpm, bpm * (1 + drift)
    sound *= 10 ** rng.uniform(-2, 0)
    sound += (rng.normal(0, 1, len(sound)) * 10 ** rng.uniform(-5, -3)).astype(np.float32)
    return rhythm_example(sound, np.array(beats), int(rng.integers(4)), 4, 1.0)


def fit_patterns(examples: Sequence[RhythmExample]) -> dict[str, Line]:
    """Codebook and patterns, by their names in the weights file."""
    from scipy.cluster.vq import kmeans2

    rng = np.random.default_rng(0)
    features = np.concatenate([example.features for example in examples])
    loud = features.sum(axis=1) + 0.1  # silence is most frequent and says least
    chosen = rng.choice(len(features), min(40_000, len(features)), p=loud / loud.sum())
    codebook = kmeans2(features[chosen], CODES, minit="++", seed=1, iter=25)[0].astype(np.float32)
    table = {"rhythm.codebook": codebook}
    for metre, name in zip(METRES, ("four", "three"), strict=True):
        own = [example for example in examples if example.metre == metre]
        size = metre * PLACES
        counts = np.array([_counts(codebook, example, size) for example in own])
        profiles = np.array([_profile(example, size) for example in own])
        patterns = min(PATTERNS[metre], len(own))
        group = kmeans2(profiles, patterns, minit="++", seed=2)[1]
        table[f"rhythm.{name}"] = _maximise(counts, group, patterns)
    return table


def _counts(codebook: Line, example: RhythmExample, size: int) -> NDArray[np.float64]:
    away = ((example.features[:, None] - codebook[None]) ** 2).sum(axis=2)
    return example.weight * place_codes(away.argmin(axis=1), example.places, size, len(codebook))


def _profile(example: RhythmExample, size: int) -> NDArray[np.float64]:
    sums, count = np.zeros((size, example.features.shape[1])), np.zeros(size)
    np.add.at(sums, example.places, example.features)
    np.add.at(count, example.places, 1)
    return (sums / np.maximum(count, 1)[:, None]).ravel()


def _maximise(counts: NDArray[np.float64], group: Codes, patterns: int) -> Line:
    """Patterns (patterns, places, codes) of examples whose first grouping is given."""
    base = counts.sum(axis=(0, 1)) / counts.sum()
    for _ in range(12):
        tables = []
        for pattern in range(patterns):
            own = counts[group == pattern]
            total = (own if len(own) else counts).sum(axis=0)
            # Smoothed over neighbouring places, and towards what is usual anywhere.
            wide = total + 0.25 * (np.roll(total, 1, axis=0) + np.roll(total, -1, axis=0))
            wide += (3.0 + 0.15 * wide.sum(axis=1, keepdims=True)) * base
            tables.append(wide / wide.sum(axis=1, keepdims=True))
        table = np.array(tables)
        better = np.einsum("nps,kps->nk", counts, np.log(table)).argmax(axis=1)
        if (better == group).all():
            break
        group = better
    return table.astype(np.float32)


class ChordNet(nn.Module):
    """The chord network, shared by the twelve roots, as it is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(INPUTS, UNITS)
        self.memory = nn.GRU(UNITS, UNITS, batch_first=True)
        self.leave = nn.Linear(UNITS, len(CHORD_QUALITIES))

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (n, frames, 12 * qualities) of inputs (n, frames, 12, INPUTS)."""
        count, frames = inputs.shape[:2]
        entered = torch.relu(self.enter(inputs)).transpose(1, 2).reshape(count * 12, frames, -1)
        fits: Tensor = self.leave(self.memory(entered)[0])
        return fits.reshape(count, 12, frames, -1).transpose(1, 2).reshape(count, frames, -1)


def equalised(given: Tensor) -> Tensor:
    """Inputs (n, frames, 12, INPUTS) with other weights of each tone, noise, and tones left out."""
    count = len(given)
    tones = INPUTS - RISES
    gain = torch.exp(0.3 * torch.randn(count, 1, 1, INPUTS))
    gain[..., tones:] = torch.exp(0.2 * torch.randn(count, 1, 1, 1))
    changed = given * gain
    changed[..., :tones] += 0.03 * torch.randn(changed[..., :tones].shape)
    return changed * (torch.rand(count, 1, 1, INPUTS) > 0.03)


def fit_chords(songs: Sequence[ChordSong], steps: int = STEPS) -> dict[str, Line]:
    """Weights of the chord network, by their names in the weights file."""
    torch.manual_seed(0)
    length = min(STRETCH, *(len(song.labels) for song in songs))
    net = ChordNet()
    optimiser = torch.optim.AdamW(net.parameters(), 4e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 8e-3, total_steps=steps, pct_start=0.1
    )
    for _ in range(steps):
        inputs, labels = [], []
        for number in torch.randint(0, len(songs), (BATCH,)).tolist():
            song = songs[number]
            start = int(torch.randint(0, len(song.labels) - length + 1, (1,)))
            inputs.append(torch.from_numpy(song.inputs[start : start + length]))
            labels.append(torch.from_numpy(song.labels[start : start + length]))
        wanted = torch.stack(labels)
        wanted[:, : min(SETTLE, length // 2)] = UNKNOWN
        fits = net(equalised(torch.stack(inputs)))
        loss = F.cross_entropy(
            fits.flatten(0, 1), wanted.flatten(), ignore_index=UNKNOWN, label_smoothing=0.03
        )
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    table = named_weights(net, "chord")
    table["chord.leave.bias"] += np.array(FAVOUR, np.float32)
    return table


def examples_of(songs: int) -> Iterator[tuple[list[RhythmExample], list[ChordSong]]]:
    """Examples of so many songs, one after another."""
    for number in range(songs):
        yield song_examples(FIRST_SEED + number)
        print(f"song {number + 1}/{songs}", flush=True)


def main() -> int:
    """Compose, fit, export."""
    from safetensors.numpy import save_file

    parser = argparse.ArgumentParser(description="Train the trackers of the input.")
    parser.add_argument("--songs", type=int, default=240)
    parser.add_argument("--export", type=Path, required=True, help="the weights file")
    asked = parser.parse_args()
    rhythms: list[RhythmExample] = []
    chords: list[ChordSong] = []
    for rhythm, chord in examples_of(asked.songs):
        rhythms += rhythm
        chords += chord
    rhythms += [tapped_example(seed) for seed in range(TAPPED)]
    table = fit_patterns(rhythms) | fit_chords(chords)
    save_file({name: np.ascontiguousarray(value) for name, value in table.items()}, asked.export)
    return 0


if __name__ == "__main__":
    sys.exit(main())
