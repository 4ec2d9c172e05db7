"""Training of the beat network (models.music.tracking.beat_network) on composed songs. Offline.

    python -m models.training.beats --songs 240 --export resources/weights/ears.safetensors

Each example is a song's mix, some of its stems, or tapped beats, changed so that it sounds like
another recording: another tempo, equalisation, level, room and noise. All of that is done to the
compressed mel spectrum, from which the rises are made again. Writes the network beside whatever the
weights file holds. Takes about 3 s a song and 1.5 s a step. Afterwards:
python -m models.storage.weights.

The shipped network is the mean of two: one of 700 steps on songs alone, and the same after 95 more
with tapped beats among them (Wortsman et al., "Model soups", 2022).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
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
from models.music.score import SAMPLE_RATE
from models.music.tracking.beat_network import DELAY, INPUTS, OUTPUTS, RISE_SCALE
from models.music.tracking.front_end import (
    BANDS,
    DECADES,
    HOP_SECONDS,
    Line,
    analyse,
    initial_front_end,
    mono,
)
from models.music.tracking.rhythm import FRAME

SECONDS: Final = 30.0
FIRST_SEED: Final = 310_100_000
TAPPED: Final = 96
LENGTH: Final = 750  # frames of 20 ms of an example
BATCH: Final = 64
UNITS: Final = 48
UNKNOWN: Final = 50  # first frames of an example, of which nothing is asked
RATE: Final = 3e-3


@dataclass(frozen=True, eq=False)
class BeatSong:
    """A song: (frames, BANDS) mel spectra of its mix, pitched parts, melody and drums at 100 Hz;
    seconds of its beats, and which of them begin a bar.
    """

    mels: tuple[Line, ...]
    beats: NDArray[np.float64]
    downbeats: NDArray[np.bool_]


class BeatNet(nn.Module):
    """The network as it is trained; `named_weights` gives it as it is shipped."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(INPUTS, INPUTS)
        self.first = nn.GRU(INPUTS, UNITS, batch_first=True)
        self.second = nn.GRU(UNITS, UNITS, batch_first=True)
        self.leave = nn.Linear(UNITS, OUTPUTS)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (n, frames, OUTPUTS) of inputs (n, frames, INPUTS)."""
        hidden = self.first(torch.relu(self.enter(inputs)))[0]
        fits: Tensor = self.leave(self.second(hidden)[0])
        return fits


def named_weights(net: nn.Module, prefix: str) -> dict[str, Line]:
    """Weights of a network by their names in the weights file, those of recurrent layers too."""
    names = {
        "weight_ih_l0": "input_weight",
        "weight_hh_l0": "state_weight",
        "bias_ih_l0": "input_bias",
        "bias_hh_l0": "state_bias",
    }
    found = {}
    for name, value in net.state_dict().items():
        layer, _, part = name.partition(".")
        found[f"{prefix}.{layer}.{names.get(part, part)}"] = value.detach().numpy().copy()
    return found


def mel_of(sound: Line) -> Line:
    """(frames, BANDS) mel spectrum of a sound at 100 Hz."""
    frames = analyse(initial_front_end(), mono(sound))[1]
    return np.array([frame.mel for frame in frames], np.float32)


def composed(seed: int) -> BeatSong:
    """A song of the corpus."""
    rng = np.random.default_rng([seed, 7])
    song = drop_parts(fit_range(compose(seed, seconds=SECONDS, split="train")), rng, SECONDS)
    rendered = render(song, rng, SECONDS, "train")
    stems = rendered.stems
    sounds = (rendered.mix, stems["bass"] + stems["other"], stems["other"], stems["drums"])
    steps = np.arange(0, song.steps, song.steps_per_beat)
    return BeatSong(
        tuple(mel_of(sound) for sound in sounds),
        song.seconds_at(steps),
        steps % song.steps_per_bar == 0,
    )


def tapped(seed: int) -> BeatSong:
    """Beats that are tapped, clapped or struck, some with off-beats, with a drifting tempo."""
    rng = np.random.default_rng(4000 + seed)
    sound = np.zeros(round(SECONDS * SAMPLE_RATE), np.float32)
    time, bpm, drift = rng.uniform(0, 1), rng.uniform(60, 190), rng.normal(0, 0.0015)
    metre, off = int(rng.choice([1, 1, 3, 4, 4])), rng.random() < 0.4
    beats: list[float] = []
    while time < SECONDS:
        strong = 1.0 if len(beats) % metre == 0 else 0.6
        beats.append(time)
        _strike(sound, time, strong, seed % 3, rng)
        if off and rng.random() < 0.8:
            _strike(sound, time + 30 / bpm, 0.35, seed % 3, rng)
        time, bpm = time + 60 / bpm, bpm * (1 + drift)
    sound *= 10 ** rng.uniform(-2, 0)
    sound += (rng.normal(0, 1, len(sound)) * 10 ** rng.uniform(-5, -3)).astype(np.float32)
    numbers = np.arange(len(beats))
    return BeatSong(
        (mel_of(sound),) * 4, np.array(beats), numbers % (4 if metre == 1 else metre) == 0
    )


def _strike(sound: Line, time: float, level: float, kind: int, rng: np.random.Generator) -> None:
    """Add a hit of noise, of a tone, or of both."""
    start = int(max(0.0, (time + rng.normal(0, 0.005)) * SAMPLE_RATE))
    size = min(len(sound) - start, int(rng.uniform(0.02, 0.2) * SAMPLE_RATE))
    if size <= 0 or rng.random() < 0.04:
        return
    fade = np.exp(-np.arange(size) / (size / 5)) * rng.uniform(0.5, 1) * level
    tone = np.sin(2 * np.pi * rng.uniform(60, 3000) * np.arange(size) / SAMPLE_RATE)
    noise = rng.normal(0, 1, size)
    sound[start : start + size] += fade * (noise, tone, noise * tone)[kind]


def added(one: Line, other: Line) -> Line:
    """Compressed spectrum of two sounds together."""
    scale = DECADES * np.log(10)
    return np.asarray(np.logaddexp(scale * (one - 1), scale * (other - 1)) / scale + 1, np.float32)


def rises(mel: Line) -> Line:
    """The rises of (frames, BANDS), as the front end has them."""
    wide = mel.copy()
    wide[:, 1:] = np.maximum(wide[:, 1:], mel[:, :-1])
    wide[:, :-1] = np.maximum(wide[:, :-1], mel[:, 1:])
    found = np.zeros_like(mel)
    found[2:] = np.maximum(mel[2:] - wide[:-2], 0)
    return found


def augmented(mel: Line, rng: np.random.Generator) -> tuple[Line, float]:
    """A spectrum at another tempo and level, equalised, in a room, in noise; the tempo's factor."""
    factor = 1.0 if rng.random() < 0.25 else float(np.exp(rng.uniform(-0.25, 0.25)))
    place = np.arange(int(len(mel) / factor)) * factor
    index = np.minimum(place.astype(int), len(mel) - 2)
    share = (place - index)[:, None].astype(np.float32)
    line = mel[index] * (1 - share) + mel[index + 1] * share
    bands = np.arange(BANDS)
    curve = np.interp(bands, np.linspace(0, BANDS - 1, 5), rng.normal(0, 0.08, 5))
    line = (line + curve + rng.uniform(-0.1, 0.05)).astype(np.float32)
    if rng.random() < 0.5:  # a room: what sounded falls slowly
        fall, wet = HOP_SECONDS / rng.uniform(0.15, 1.2), rng.uniform(0.03, 0.3)
        tail = line - np.float32(wet)
        for frame in range(1, len(tail)):
            np.maximum(tail[frame], tail[frame - 1] - fall, out=tail[frame])
        line = added(line, tail)
    if rng.random() < 0.5:
        colour = np.interp(bands, np.linspace(0, BANDS - 1, 4), rng.normal(0, 0.1, 4))
        noise = rng.uniform(-0.1, 0.55) + colour + rng.normal(0, 0.04, line.shape)
        line = added(line, noise.astype(np.float32))
    return np.clip(line, 0, 1.2).astype(np.float32), factor


def example(songs: Sequence[BeatSong], rng: np.random.Generator) -> tuple[Line, Line]:
    """Inputs (LENGTH, INPUTS), and (LENGTH, OUTPUTS + 1): chances, and whether they are known."""
    song = songs[int(rng.integers(len(songs)))]
    mix, pitched, melody, drums = song.mels
    kind = int(rng.choice(5, p=[0.5, 0.12, 0.1, 0.1, 0.18]))
    if kind == 4:
        other = drums + np.float32(rng.uniform(-0.35, 0))
        chosen = added(pitched + np.float32(rng.uniform(-0.2, 0)), other)
    else:
        chosen = (mix, pitched, melody, drums)[kind]
    line, factor = augmented(chosen, rng)
    risen, size = rises(line), len(line) // 2
    heard = np.concatenate(
        [
            line[1 : 2 * size : 2],
            np.float32(RISE_SCALE) * np.maximum(risen[: 2 * size : 2], risen[1 : 2 * size : 2]),
        ],
        axis=1,
    )
    start = 0 if rng.random() < 0.5 else int(rng.integers(0, max(1, size - LENGTH)))
    heard = heard[start : start + LENGTH]
    inputs = np.zeros((LENGTH, INPUTS), np.float32)
    inputs[: len(heard)] = heard
    wanted = np.zeros((LENGTH, OUTPUTS + 1), np.float32)
    times = (np.arange(len(heard)) + start + 1) * FRAME - DELAY
    beats = song.beats / factor
    near = np.abs(times[:, None] - beats[None, :]).argmin(axis=1)
    away = np.abs(beats[near] - times)
    chance = np.where(away <= 0.0101, 1.0, np.where(away <= 0.0301, 0.5, 0.0))
    wanted[: len(heard), 0] = chance
    wanted[: len(heard), 1] = chance * song.downbeats[near]
    wanted[: len(heard), 2] = (times >= beats[0]) & (times <= beats[-1])
    wanted[:UNKNOWN, 2] = 0.0
    return inputs, wanted


def fit(songs: Sequence[BeatSong], steps: int, batch: int = BATCH, seed: int = 5) -> BeatNet:
    """The network, trained by cross-entropy."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = BeatNet()
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(steps):
        pairs = [example(songs, rng) for _ in range(batch)]
        inputs, wanted = (torch.from_numpy(np.stack(part)) for part in zip(*pairs, strict=True))
        known = wanted[..., OUTPUTS]
        losses = F.binary_cross_entropy_with_logits(
            net(inputs), wanted[..., :OUTPUTS], reduction="none"
        )
        loss = (losses.sum(dim=2) * known).sum() / known.sum()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 20 == 0:
            print(f"step {step}/{steps}: {float(loss.detach()):.4f}", flush=True)
    return net


def main() -> int:
    """Compose, fit, export."""
    from safetensors.numpy import load_file, save_file

    parser = argparse.ArgumentParser(description="Train the beat network of the input's trackers.")
    parser.add_argument("--songs", type=int, default=240)
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--export", type=Path, required=True, help="the weights file")
    asked = parser.parse_args()
    songs = [composed(FIRST_SEED + number) for number in range(asked.songs)]
    songs += [tapped(seed) for seed in range(TAPPED)]
    table = load_file(asked.export) if asked.export.exists() else {}
    table |= named_weights(fit(songs, asked.steps), "beat")
    save_file({name: np.ascontiguousarray(value) for name, value in table.items()}, asked.export)
    return 0


if __name__ == "__main__":
    sys.exit(main())
