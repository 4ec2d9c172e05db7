"""How near a renderer stays to its guide, and how far it gets to the corpus' sound. Offline.

    python -m models.evaluation.guides --data GUIDED-EVAL --sigma .3 1 --guide GUIDE

GUIDE is a file such as `resources/weights/guide.safetensors`, what was learned beyond the weights.
Without it the renderer follows a guide that it has not been trained to follow (sigma from 1 on, see
`models.segue.renderer.inference`).

For each sigma, over the clips of `models.training.guided_latents --split eval`: agreement of the
chroma with the guide's (mean cosine of the frames that sound), F1 of the onsets within 50 ms, and
the error of the latents against the corpus' own as a share of the guide's error.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE
from models.segue.codec import Codec
from models.segue.renderer.guide_weights import with_guide
from models.segue.renderer.inference import Guide, KeyValueCache, RendererInference
from models.segue.renderer.loading import load_inference, load_renderer, load_sampler
from models.segue.renderer.network import FRAMES_PER_BLOCK, TOKENS_PER_BLOCK
from models.storage.weights import WEIGHTS
from models.training.latents import PreparedClips

Audio = NDArray[np.float32]
WINDOW: Final = 8192
HOP: Final = 960  # 20 ms
TOLERANCE: Final = 0.05
LOW, HIGH = 110.0, 3520.0


def chroma(audio: Audio) -> NDArray[np.float64]:
    """(frames, 12) energy by pitch class, each frame of length 1; zeros where it is silent."""
    mono = audio.mean(axis=1)
    frames = np.lib.stride_tricks.sliding_window_view(mono, WINDOW)[:: 2 * HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), axis=1)) ** 2
    hertz = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE)
    band = (hertz >= LOW) & (hertz < HIGH)
    pitch = np.rint(69 + 12 * np.log2(hertz[band] / 440.0)).astype(int) % 12
    found = np.stack([np.sqrt(power[:, band][:, pitch == each].sum(1)) for each in range(12)], 1)
    length = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(np.where(length > 1e-3 * length.max(), found / (length + 1e-12), 0.0))


def chroma_agreement(one: Audio, other: Audio) -> float:
    """Mean cosine of the chroma of two sounds (n, 2) in the frames in which both sound."""
    a, b = chroma(one), chroma(other)
    both = (a.any(axis=1)) & (b.any(axis=1))
    return float((a * b).sum(axis=1)[both].mean()) if both.any() else float("nan")


def onsets(audio: Audio) -> NDArray[np.float64]:
    """Seconds of the onsets of a sound (n, 2): peaks of the spectral flux over its surroundings."""
    mono = audio.mean(axis=1)
    size = 2048
    hop = HOP // 2
    frames = np.lib.stride_tricks.sliding_window_view(mono, size)[::hop]
    logs = np.log1p(1000 * np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)))
    flux = np.maximum(np.diff(logs, axis=0), 0).mean(axis=1)
    reach = 5
    padded = np.pad(flux, reach, mode="edge")
    near = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    peak = (flux == near.max(axis=1)) & (flux > 1.5 * np.median(near, axis=1) + 0.02)
    return np.asarray((np.flatnonzero(peak) + 1) * hop / SAMPLE_RATE + size / 2 / SAMPLE_RATE)


def f1(found: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    """F1 of found times (seconds) against true ones, each matched once within TOLERANCE."""
    if not len(found) or not len(true):
        return float(len(found) == len(true))
    hits, at = 0, 0
    for time in found:
        while at < len(true) and true[at] < time - TOLERANCE:
            at += 1
        if at < len(true) and true[at] <= time + TOLERANCE:
            hits += 1
            at += 1
    return 2 * hits / (len(found) + len(true))


def render(
    player: RendererInference, clip: dict[str, NDArray[np.generic]], sigma: float, seed: int
) -> NDArray[np.float32]:
    """Latents (T, D) of a clip from its score, its style and its guide (none where sigma is
    infinite).
    """
    blocks = len(clip["latents"]) // FRAMES_PER_BLOCK
    batch = PreparedClips.stack([clip])
    tokens = torch.from_numpy(np.array(clip["guide"], np.float32))
    noise = torch.Generator().manual_seed(seed)
    cache, found = KeyValueCache(), []
    for block in range(blocks):
        span = slice(block * FRAMES_PER_BLOCK, (block + 1) * FRAMES_PER_BLOCK)
        guide = Guide(tokens[span].reshape(TOKENS_PER_BLOCK, -1), sigma)
        drawn = torch.randn(guide.latents.shape, generator=noise)
        given = guide if math.isfinite(sigma) else None
        new, cache = player.block(cache, batch.score[span], batch.style[0], drawn, guide=given)
        found.append(new)
    return np.asarray(torch.cat(found).numpy(), np.float32)


def measure(
    player: RendererInference, codec: Codec, data: PreparedClips, sigma: float
) -> dict[str, float]:
    """Figures of one sigma over all clips of a set."""
    rows = []
    for number, clip in enumerate(data.clips):
        made = render(player, clip, sigma, number)
        guide, true = (np.array(clip[n], np.float32)[: len(made)] for n in ("guide", "latents"))
        sound, told = codec.decode(made), codec.decode(guide)
        rows.append(
            {
                "chroma": chroma_agreement(sound, told),
                "onset_f1": f1(onsets(sound), onsets(told)),
                "error_of_guide_s": float(
                    np.square(made - true).mean() / np.square(guide - true).mean()
                ),
            }
        )
    return {name: float(np.nanmean([row[name] for row in rows])) for name in rows[0]}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=WEIGHTS / "renderer.safetensors")
    parser.add_argument("--guide", type=Path, default=None, help="of training.guided_student")
    parser.add_argument("--sigma", type=float, nargs="+", default=[1.0, 1.33, 2.0, 4.0, math.inf])
    parser.add_argument("--clips", type=int, default=12)
    options = parser.parse_args()
    if options.guide:
        base = load_renderer(options.weights)
        sampler = load_sampler(options.weights)
        player = RendererInference(with_guide(options.weights, base, options.guide), sampler)
    else:
        player = load_inference(options.weights)
    codec = Codec.load(WEIGHTS / "codec.safetensors")
    data = PreparedClips(options.data, options.clips)
    for sigma in options.sigma:
        print(json.dumps({"sigma": sigma} | measure(player, codec, data, sigma)), flush=True)


if __name__ == "__main__":
    main()
