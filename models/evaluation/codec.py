"""Measure the codec on held-out sound against the untrained and earlier versions. Offline.

    python -m models.evaluation.codec --data CORPUS --weights FILE [--weights OLDER ...] --out DIR

Writes DIR/codec.json, DIR/codec.md (the model card's section) and a picture of spectrogram pairs
for each of the first clips. The first
weights are the ones that are judged; every other file is for comparison. "bands" is the vocoder on
the true bands: the best that any network of this codec can do.

Figures, each a mean over the clips, of the mean of left and right unless said otherwise:

* ``mel_db``: mean difference of 80 log mel bands (window 2048, hop 480, floor -80 dB), in dB.
* ``si_sdr_db``: scale-invariant signal-to-distortion ratio (Le Roux et al. 2019). Phases are
  rebuilt, not sent, so that it is low by construction.
* ``convergence``: spectral convergence of the magnitudes.
* ``highs_db``: energy above 8 kHz, got minus true; 0 is right, below 0 is lost.
* ``buzz``: the 100 Hz line (the rate of the frames) in the spectrum of the wave's envelope, over
  that of the original; 1 is right.
* ``ripple_db``: standard deviation over time of the log magnitude between 5 and 15 kHz, got minus
  true: below 0 sounds metallic.
* ``width_db``: energy of the side signal, got minus true.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import SegueError
from models.segue.codec import Codec
from models.segue.codec import bands as B
from models.training.sets.patches import find_audio, is_held_out

Array = NDArray[np.float32]
Rebuild = Callable[[Array], Array]


def mel_filters(count: int = 80, low: float = 30.0, high: float = 20_000.0) -> Array:
    """Triangular mel filters over the FFT bins, float32 (80, 1025), each summing to 1."""
    first, last = (2595 * float(np.log10(1 + hertz / 700)) for hertz in (low, high))
    edges = 700 * (10 ** (np.linspace(first, last, count + 2) / 2595) - 1)
    hertz = np.arange(B.BINS) * B.SAMPLE_RATE / B.WINDOW
    rise = (hertz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - hertz) / (edges[2:] - edges[1:-1])[:, None]
    filters = np.maximum(0, np.minimum(rise, fall))
    for row, centre in zip(filters, edges[1:-1], strict=True):
        if row.sum() == 0:  # narrower than a bin
            row[round(centre * B.WINDOW / B.SAMPLE_RATE)] = 1.0
    weights: NDArray[np.float32] = (filters / filters.sum(1, keepdims=True)).astype(np.float32)
    return weights


_MEL = mel_filters()


def _magnitudes(audio: Array) -> Array:
    """Magnitudes of mid-placed windows, (2, T, 1025)."""
    frames = (len(audio) - B.WINDOW) // B.HOP + 1
    return np.abs(B.spectra(audio, frames)).transpose(1, 0, 2)


def _ratio_db(got: float, true: float) -> float:
    return float(10 * np.log10((got + 1e-9) / (true + 1e-9)))


def _frame_line(audio: Array) -> float:
    """Height of the 100 Hz line in the spectrum of the wave's envelope, over its surroundings."""
    envelope = np.sqrt((audio.mean(1)[: len(audio) // 48 * 48] ** 2).reshape(-1, 48).mean(1))
    lines = np.abs(np.fft.rfft((envelope - envelope.mean()) * np.hanning(len(envelope))))
    rate = np.fft.rfftfreq(len(envelope), 0.001)
    near = lines[(rate > 80) & (rate < 120)]
    return float(lines[(rate > 99.5) & (rate < 100.5)].max() / (np.median(near) + 1e-9))


def si_sdr(true: Array, got: Array) -> float:
    """Scale-invariant signal-to-distortion ratio in dB of (n,) signals."""
    scale = float(true @ got) / float(true @ true + 1e-12)
    target = scale * true
    rest = got - target
    return float(10 * np.log10((target @ target + 1e-12) / (rest @ rest + 1e-12)))


def compare(true: Array, got: Array) -> dict[str, float]:
    """All figures for one clip, (n, 2) each."""
    x, y = _magnitudes(true), _magnitudes(got)
    mel_x, mel_y = (20 * np.log10(m @ _MEL.T + 1e-4) for m in (x, y))
    high = slice(int(8000 * B.WINDOW / B.SAMPLE_RATE), None)
    airy = slice(213, 640)
    ripple = [float((20 * np.log10(m[..., airy] + 1e-5)).std(1).mean()) for m in (x, y)]
    side = [float(((a[:, 0] - a[:, 1]) ** 2).mean()) for a in (true, got)]
    return {
        "mel_db": float(np.abs(mel_x - mel_y).mean()),
        "si_sdr_db": float(np.mean([si_sdr(true[:, c], got[:, c]) for c in (0, 1)])),
        "convergence": float(np.linalg.norm(x - y) / (np.linalg.norm(x) + 1e-9)),
        "highs_db": _ratio_db(float((y[..., high] ** 2).sum()), float((x[..., high] ** 2).sum())),
        "buzz": _frame_line(got) / _frame_line(true),
        "ripple_db": ripple[1] - ripple[0],
        "width_db": _ratio_db(side[1], side[0]),
    }


def true_bands(codec: Codec) -> Rebuild:
    """The vocoder on the sound's own bands."""

    def rebuild(audio: Array) -> Array:
        bands, stereo = B.analyse(audio)
        quiet = np.full((B.PATCH * 2, B.BANDS), B.SILENCE, np.float32)
        heard, _ = codec.vocoder.step(
            np.concatenate([bands, quiet]),
            np.concatenate([stereo, np.repeat(stereo[-1:], 2, 0)]),
            codec.vocoder.start(),
        )
        return heard[codec.delay : codec.delay + len(audio)]

    return rebuild


def disturbed(codec: Codec, sigma: float) -> Rebuild:
    """The codec with Gaussian noise on its latents, as an imperfect generator would leave it."""

    def rebuild(audio: Array) -> Array:
        latents = codec.encode(audio)
        noise = np.random.default_rng(0).normal(0, sigma, latents.shape)
        return codec.decode(latents + noise.astype(np.float32))[: len(audio)]

    return rebuild


def whole(codec: Codec) -> Rebuild:
    """Audio to latents to audio."""
    return lambda audio: codec.decode(codec.encode(audio))[: len(audio)]


def read_clips(data: Path, most: int, seconds: float, everything: bool) -> dict[str, Array]:
    """The first ``seconds`` of held-out clips (of all clips if ``everything``)."""
    found: dict[str, Array] = {}
    for name, read in find_audio(data):
        if len(found) >= most:
            break
        if everything or is_held_out(name):
            clip = np.asarray(read()[: int(seconds * B.SAMPLE_RATE)], np.float32)
            if np.abs(clip).max(initial=0) > 1e-3:
                found[name] = clip
    if not found:
        raise SegueError(f"There are no held-out clips in {data}; write a corpus first.")
    return found


def draw(true: Array, got: Array, name: str, path: Path) -> None:
    """True and rebuilt spectrogram side by side: up to 4 kHz, and up to 24 kHz."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(15, 10))
    for column, (audio, label) in enumerate([(true, "original"), (got, "decoded")]):
        picture = 20 * np.log10(_magnitudes(audio)[:, :400].mean(0).T + 1e-5)
        for row, top in enumerate((171, B.BINS)):
            axes[row, column].imshow(
                picture[:top],
                origin="lower",
                aspect="auto",
                vmin=-95,
                vmax=-15,
                cmap="magma",
                extent=(0, picture.shape[1] / 100, 0, top * B.SAMPLE_RATE / B.WINDOW / 1000),
            )
            axes[row, column].set(xlabel="s", ylabel="kHz", title=f"{name}: {label}")
    figure.tight_layout()
    figure.savefig(path, dpi=70)
    plt.close(figure)


def measure(
    clips: dict[str, Array], weights: list[Path], out: Path, pictures: int
) -> dict[str, dict[str, float]]:
    """Figures by version, and pictures of the first version."""
    codecs = [Codec.load(path) for path in weights]
    versions: dict[str, Rebuild] = {"bands": true_bands(codecs[0])}
    for path, codec in zip(weights, codecs, strict=True):
        versions[path.stem if path.stem not in versions else str(path)] = whole(codec)
    versions[f"{weights[0].stem}, latents disturbed by 0.2"] = disturbed(codecs[0], 0.2)
    results: dict[str, dict[str, float]] = {}
    for label, rebuild in versions.items():
        rows, spent = [], 0.0
        for number, (name, clip) in enumerate(clips.items()):
            begin = time.perf_counter()
            got = rebuild(clip)
            spent += time.perf_counter() - begin
            rows.append(compare(clip, got))
            if label == weights[0].stem and number < pictures:
                draw(clip, got, name, out / f"codec_{number}.png")
        results[label] = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
        seconds = sum(map(len, clips.values())) / B.SAMPLE_RATE
        results[label]["times_real_time"] = seconds / spent
    return results


UNITS = {
    "mel_db": "mel distance, dB",
    "si_sdr_db": "SI-SDR, dB",
    "convergence": "spectral convergence",
    "highs_db": "energy above 8 kHz, dB",
    "buzz": "100 Hz line",
    "ripple_db": "ripple, dB",
    "width_db": "width, dB",
    "times_real_time": "times real time, one thread",
}


def as_markdown(results: dict[str, dict[str, float]], clips: int) -> str:
    """The figures as the model card shows them: a row for each version."""
    lines = [
        f"Means over {clips} held-out clips; `models/evaluation/codec.py` explains the figures.",
        "",
        "| version | " + " | ".join(UNITS.values()) + " |",
        "|---" * (len(UNITS) + 1) + "|",
    ]
    for label, figures in results.items():
        cells = (f"{figures[key]:.2f}" for key in UNITS)
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measure the codec on held-out sound.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True, action="append")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--pictures", type=int, default=4)
    parser.add_argument("--all", action="store_true", help="the whole folder was held out")
    options = parser.parse_args(arguments)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        clips = read_clips(options.data, options.clips, options.seconds, options.all)
        results = measure(clips, options.weights, options.out, options.pictures)
    except SegueError as error:
        print(error, file=sys.stderr)
        return 2
    text = json.dumps({"clips": len(clips), "versions": results}, indent=1)
    (options.out / "codec.json").write_text(text + "\n")
    (options.out / "codec.md").write_text(as_markdown(results, len(clips)))
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
