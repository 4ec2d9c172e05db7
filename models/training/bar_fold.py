"""Training of the fold network (models.music.tracking.bar_fold) on composed songs. Offline.

    python -m models.training.bar_fold --songs 44 --export resources/weights/ears.safetensors

Needs the beat networks, whose words it hears. Each example is a moment of a song: the last ten
seconds folded at every tempo, and the tempo and place that are true; what is learned is to tell
them from all others, by cross-entropy of a softmax over all (a listwise loss; Cao et al., "Learning
to rank", ICML 2007). Some songs are heard without drums, and of some the networks say nothing.
Writes the network beside whatever the weights file holds. Takes about 3 s a song and half a minute.
Afterwards: python -m models.storage.weights.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.corpus.composer.composer import compose
from models.corpus.sound.render import drop_parts, fit_range, render
from models.music.tracking.bar_fold import (
    BAR,
    BAR_PLACES,
    CHANNELS,
    TEMPO,
    WORDS,
    FoldNetwork,
    folded,
    tempo_inputs,
)
from models.music.tracking.beat_network import BeatNetwork
from models.music.tracking.beat_states import INTERVALS
from models.music.tracking.beatnet import STRIDE, BeatNetCrnn, hear_beats, initial_beatnet
from models.music.tracking.beats import DELAY
from models.music.tracking.front_end import Line, analyse, initial_front_end, mono
from models.music.tracking.periodicity import SPAN, interval_scores
from models.music.tracking.rhythm import FRAME, PLACES, FluxState, flux_features

SECONDS: Final = 30.0
FIRST_SEED: Final = 310_105_000
"""Of songs that neither beat network has learned."""
UNDRUMMED: Final = 0.2  # share of songs that are heard without drums
MOMENTS: Final = tuple(np.arange(2.6, SECONDS - 0.4, 0.85).tolist())
UNITS: Final = 16
RATE: Final = 4e-3
DECAY: Final = 1.0
"""Weight decay of the bars: they have many weights for few songs."""
BATCH: Final = 48
EPOCHS: Final = 8
MUTED: Final = (0.5, 0.5, 0.2, 0.2)
"""Chance that a word is left out of an example: of recordings the networks know less than of
composed songs, the first one least of all."""
TEMPO_NOISE: Final = 0.3  # of the tempo's logarithm over SPREAD: songs are played at other tempi
NEAR: Final = 0.012  # of the logarithm of the interval that is true: standard deviation
WIDTH: Final = 0.8  # places
LOCAL: Final = 3.0  # seconds to either side in which beats tell the tempo


@dataclass(frozen=True, eq=False)
class HeardSong:
    """What the networks say, (frames, WORDS) as square roots, and the flux (frames, FEATURES), of
    frames of 20 ms; seconds of beats, and of those that begin a bar.
    """

    words: Line
    flux: Line
    beats: NDArray[np.float64]
    bars: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Moments:
    """Folded bars (n, intervals, BAR_PLACES, CHANNELS), tempo inputs (n, intervals, TEMPO), and how
    true each tempo and place is, (n, intervals, BAR_PLACES), with a sum of 1.
    """

    bars: Line
    tempo: Line
    truth: Line


@dataclass(frozen=True, eq=False)
class Networks:
    """The network of composed songs, and that of recordings."""

    composed: BeatNetwork
    recorded: BeatNetCrnn


def heard_song(
    networks: Networks, sound: Line, beats: NDArray[np.float64], bars: NDArray[np.float64]
) -> HeardSong:
    """What is heard of a sound (n, channels) whose beats are known."""
    _, frames = analyse(initial_front_end(), mono(sound))
    hidden, beatnet, state = networks.composed.initial(), initial_beatnet(), FluxState()
    words, flux = [], []
    for first, second in zip(frames[::2], frames[1::2], strict=False):
        rise = np.maximum(first.rise, second.rise)
        hidden, *composed = networks.composed.step(hidden, second.mel, rise)
        beatnet, *recorded = hear_beats(networks.recorded, beatnet, second.samples[-STRIDE:])
        state, row = flux_features(state, rise)
        words.append(np.sqrt([*composed, *recorded]))
        flux.append(row)
    return HeardSong(
        np.array(words, np.float32),
        np.array(flux, np.float32),
        beats,
        bars,
    )


def composed_song(networks: Networks, seed: int) -> HeardSong:
    """A song of the corpus."""
    rng = np.random.default_rng([seed, 7])
    song = drop_parts(fit_range(compose(seed, seconds=SECONDS, split="train")), rng, SECONDS)
    rendered = render(song, rng, SECONDS, "train")
    sound = rendered.mix
    if rng.random() < UNDRUMMED:
        sound = rendered.stems["bass"] + rendered.stems["other"]
    steps = np.arange(0, song.steps, song.steps_per_beat)
    bars = steps[steps % song.steps_per_bar == 0]
    return heard_song(networks, sound, song.seconds_at(steps), song.seconds_at(bars))


def _last(rows: Line, end: int) -> Line:
    """(SPAN, columns) the rows before `end`, with zeros before the first."""
    found = np.zeros((SPAN, rows.shape[1]), np.float32)
    part = rows[max(0, end - SPAN) : end]
    found[SPAN - len(part) :] = part
    return found


def truth_of(song: HeardSong, time: float, nearest: Line) -> Line | None:
    """How true each interval and place is at a time, (intervals, BAR_PLACES); None where the song
    has no beat there, or none of these tempi.
    """
    near = np.abs(song.beats - time) < LOCAL
    if near.sum() < 3 or not song.beats[0] <= time <= song.beats[-1] or len(song.bars) < 2:
        return None
    interval = float(np.polyfit(np.arange(near.sum()), song.beats[near], 1)[0]) / FRAME
    tempo = np.exp(-0.5 * (np.log(nearest / interval) / NEAR) ** 2)
    first, second = (int(np.abs(song.beats - bar).argmin()) for bar in song.bars[:2])
    around = BAR_PLACES if second - first == BAR else PLACES  # of another metre: any beat
    at = (float(np.interp(time, song.beats, np.arange(len(song.beats)))) - first) * PLACES
    away = (np.arange(BAR_PLACES) - at + around / 2) % around - around / 2
    truth = tempo[:, None] * np.exp(-0.5 * (away / WIDTH) ** 2)[None, :]
    total = float(truth.sum())
    return None if total < 1e-3 else (truth / total).astype(np.float32)


def moments_of(song: HeardSong, times: Sequence[float] = MOMENTS) -> Iterator[tuple[Line, ...]]:
    """(bars, tempo inputs, truth) at each of these times."""
    for time in times:
        end = round(time / FRAME)
        filled = min(end, SPAN)
        words, flux = _last(song.words, end), _last(song.flux, end)
        scores, nearest = interval_scores(flux, filled, INTERVALS)
        truth = truth_of(song, end * FRAME - DELAY, nearest)
        if truth is not None and end <= len(song.words):
            yield folded(words, flux, filled, nearest), tempo_inputs(nearest, scores), truth


def moments(songs: Sequence[HeardSong]) -> Moments:
    """All moments of songs."""
    found = [moment for song in songs for moment in moments_of(song)]
    bars, tempo, truth = (np.stack(part) for part in zip(*found, strict=True))
    return Moments(bars, tempo, truth)


class BarNet(nn.Module):
    """The network as it is trained, on bars of mean 0 and variance 1."""

    def __init__(self, units: int = UNITS) -> None:
        super().__init__()
        scale = 0.1 / math.sqrt(CHANNELS)
        self.bar = nn.Parameter(torch.randn(units, CHANNELS, BAR_PLACES) * scale)
        self.bias = nn.Parameter(torch.zeros(units))
        self.tempo = nn.Parameter(0.1 * torch.randn(units, TEMPO))
        self.leave = nn.Parameter(0.3 * torch.randn(units))
        self.leave_tempo = nn.Parameter(torch.zeros(TEMPO))
        self.drop = nn.Dropout(0.15)

    def forward(self, turning: Tensor, tempo: Tensor) -> Tensor:
        """Scores (n, intervals, BAR_PLACES) of conjugate spectra (n, intervals, frequencies,
        CHANNELS) of bars.
        """
        product = torch.einsum("nikc,uck->niuk", turning, torch.fft.rfft(self.bar, dim=2))
        units = torch.fft.irfft(product, n=BAR_PLACES, dim=3)
        units = torch.relu(units + self.bias[:, None] + (tempo @ self.tempo.T)[..., None])
        fits = torch.einsum("niup,u->nip", self.drop(units), self.leave)
        return fits + (tempo @ self.leave_tempo)[..., None]


def fit(given: Moments, epochs: int = EPOCHS, seed: int = 5) -> FoldNetwork:
    """The network, trained."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    mean, spread = given.bars.mean(axis=(0, 1, 2)), given.bars.std(axis=(0, 1, 2))
    turning = torch.fft.rfft(torch.from_numpy((given.bars - mean) / spread), dim=2).conj()
    tempo, truth = torch.from_numpy(given.tempo), torch.from_numpy(given.truth)
    net = BarNet()
    others = [part for name, part in net.named_parameters() if name != "bar"]
    groups = [
        {"params": [net.bar], "weight_decay": DECAY},
        {"params": others, "weight_decay": 1e-3},
    ]
    optimiser = torch.optim.AdamW(groups, RATE)
    batch = min(BATCH, len(truth))
    steps = epochs * (len(truth) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps + 1)
    for epoch in range(epochs):
        order = torch.from_numpy(rng.permutation(len(truth)))
        losses = []
        for rows in order[: len(order) // batch * batch].split(batch):
            heard = turning[rows].resolve_conj()
            heard[..., :WORDS] *= torch.rand(len(rows), 1, 1, WORDS) > torch.tensor(MUTED)
            fits = net(heard, _retuned(tempo[rows])).flatten(1)
            loss = -(truth[rows].flatten(1) * torch.log_softmax(fits, 1)).sum(1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        print(f"epoch {epoch + 1}/{epochs}: {np.mean(losses):.3f}", flush=True)
    return shipped(net, mean, spread)


def _retuned(tempo: Tensor) -> Tensor:
    """Tempo inputs (n, intervals, TEMPO) as if each example were played faster or slower."""
    moved = tempo.clone()
    moved[..., 0] += TEMPO_NOISE * torch.randn(len(tempo), 1)
    moved[..., 1] = moved[..., 0].square()
    return moved


def shipped(net: BarNet, mean: Line, spread: Line) -> FoldNetwork:
    """The network on bars as they are."""
    bar, bias, tempo, leave, leave_tempo = (
        part.detach().numpy() for part in (net.bar, net.bias, net.tempo, net.leave, net.leave_tempo)
    )
    weight = bar / spread[None, :, None]
    bias = bias - (weight * mean[None, :, None]).sum(axis=(1, 2))
    parts = (weight, bias, tempo, leave, leave_tempo)
    return FoldNetwork(*(np.ascontiguousarray(part, np.float32) for part in parts))


def _kept(networks: Networks, seed: int, folder: Path | None) -> HeardSong:
    """A song, from a folder where it was kept there."""
    path = None if folder is None else folder / f"{seed}.npz"
    names = [part.name for part in fields(HeardSong)]
    if path is not None and path.exists():
        with np.load(path) as table:
            return HeardSong(*(table[name] for name in names))
    song = composed_song(networks, seed)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{name: getattr(song, name) for name in names})
    return song


def main() -> int:
    """Compose, listen, fit, export."""
    from safetensors.numpy import load_file, save_file

    from models.music.tracking.weights import BEATNET, read_beat_network, read_beatnet

    parser = argparse.ArgumentParser(description="Train the fold network of the input's trackers.")
    parser.add_argument("--songs", type=int, default=44)
    parser.add_argument("--keep", type=Path, help="folder for what was heard of the songs")
    parser.add_argument("--export", type=Path, required=True, help="the weights file")
    asked = parser.parse_args()
    networks = Networks(
        read_beat_network(asked.export), read_beatnet(asked.export.with_name(BEATNET))
    )
    songs = [_kept(networks, FIRST_SEED + number, asked.keep) for number in range(asked.songs)]
    network = fit(moments(songs))
    table = load_file(asked.export)
    table |= {f"fold.{part.name}": getattr(network, part.name) for part in fields(FoldNetwork)}
    save_file({name: np.ascontiguousarray(value) for name, value in table.items()}, asked.export)
    return 0


if __name__ == "__main__":
    sys.exit(main())
