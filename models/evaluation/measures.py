"""The measurements of the issue's table, one function each. Offline.

Every function takes an open engine and returns a dict of figures and cases that can be written as
JSON. Seeds are over 900 000, which the corpus never uses; prompts are the 120 terms.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from scipy.stats import mannwhitneyu

from models.engine.interface import Controls, Engine
from models.evaluation import ears
from models.music.score import NOTE_NAMES, SAMPLE_RATE, parse_key
from models.storage.json_types import JsonObject

SEED: Final = 900_000

RHYTHMIC: Final = (
    ("Techno", 130), ("Minimal Techno", 124), ("Trance", 138), ("Progressive House", 126),
    ("Drum & Bass", 172), ("Breakbeat", 132), ("Disco Funk", 116), ("Synthpop", 118),
    ("Hard Rock", 120), ("Pop Punk", 165), ("Lo-Fi Hip Hop", 84), ("West Coast Hip Hop", 94),
    ("Ska", 140), ("Surf Rock", 150), ("Country", 112), ("Blues Rock", 104),
    ("Moombahton", 108), ("Bossa Nova", 128), ("Afrobeat", 112), ("Latin Jazz", 120),
    ("Marching Band", 116), ("Funk Drums", 106), ("TR-909 Drum Machine", 128), ("LinnDrum", 114),
    ("Chiptune", 140), ("Electro Swing", 126), ("Garage Rock", 144), ("K-Pop", 122),
    ("Heavy Metal", 136), ("Industrial Rock", 110), ("Indie Pop", 118), ("Post-Punk", 146),
    ("Jamaican Dub", 76), ("Dubstep", 140), ("Funk Metal", 108), ("Glitch Hop", 100),
    ("Contemporary R&B", 90), ("Indie Electronic", 120), ("Classic Rock", 116), ("Techno", 140),
)  # fmt: skip
"""Forty cases: a prompt with drums, and a tempo within its idiom."""

TONAL: Final = (
    "Piano Ballad", "Indie Pop", "Baroque", "Synthpop", "Country", "Orchestral Score",
    "Warm Acoustic Guitar", "Trance", "Chamber Music", "Irish Folk", "Accordion", "Hard Rock",
    "Dreamy", "American Folk", "Harp", "Post Rock", "Smooth Pianos", "Cello", "Ukulele",
    "Classic Rock",
)  # fmt: skip


def play(engine: Engine, controls: Controls, seconds: float, seed: int) -> np.ndarray:
    """Audio (n, 2) of a fresh stream under steady controls."""
    stream = engine.start(seed)
    blocks = int(np.ceil(seconds / engine.info.block_seconds))
    return np.concatenate([stream.render(controls) for _ in range(blocks)])


def speed(engine: Engine, seconds: float = 60.0) -> JsonObject:
    """Real-time factor of the whole chain and the blocks' times."""
    stream = engine.start(SEED)
    controls = Controls(style=engine.embed_text("Synthpop"))
    block = engine.info.block_seconds
    times = []
    for _ in range(int(seconds / block)):
        begin = time.perf_counter()
        stream.render(controls)
        times.append(time.perf_counter() - begin)
    steady = np.array(times[5:])
    return {
        "real_time_factor": block / float(steady.mean()),
        "p99_share_of_block": float(np.percentile(steady, 99)) / block,
        "p50_share_of_block": float(np.percentile(steady, 50)) / block,
    }


def tempo(engine: Engine, seconds: float = 24.0) -> JsonObject:
    """The asked tempo by an independent beat tracker, forty rhythmic cases."""
    cases = []
    for index, (prompt, bpm) in enumerate(RHYTHMIC):
        controls = Controls(style=engine.embed_text(prompt), bpm=float(bpm))
        audio = play(engine, controls, seconds, SEED + index)
        heard = ears.tempo(audio[2 * SAMPLE_RATE :])
        verdict = ears.tempo_verdict(bpm, heard)
        cases.append({"prompt": prompt, "asked": bpm, "heard": heard, "verdict": verdict})
    count = {v: sum(c["verdict"] == v for c in cases) for v in ("right", "double", "half", "wrong")}
    return {"right": count["right"] / len(cases), "counts": count, "cases": cases}


def key(engine: Engine, seconds: float = 24.0) -> JsonObject:
    """The asked key by an independent key finder, forty cases, MIREX weighting."""
    rng = np.random.default_rng(SEED)
    cases = []
    for index in range(40):
        prompt = TONAL[index % len(TONAL)]
        asked = f"{NOTE_NAMES[rng.integers(12)]} {('major', 'minor')[index % 2]}"
        controls = Controls(style=engine.embed_text(prompt), key=asked)
        audio = play(engine, controls, seconds, SEED + 100 + index)
        heard = ears.key(audio[2 * SAMPLE_RATE :])
        score = ears.key_score(parse_key(asked), heard)
        name = f"{NOTE_NAMES[heard[0]]} {heard[1]}"
        cases.append({"prompt": prompt, "asked": asked, "heard": name, "score": score})
    return {"mirex": float(np.mean([c["score"] for c in cases])), "cases": cases}


def _sweep(
    engine: Engine,
    name: str,
    prompts: Sequence[str],
    hear: Callable[[np.ndarray], float],
    seconds: float,
) -> JsonObject:
    values = np.linspace(0.05, 0.95, 7)
    rows = []
    for index, prompt in enumerate(prompts):
        style = engine.embed_text(prompt)
        heard = []
        for value in values:
            controls = Controls(style=style).with_(**{name: float(value)})
            audio = play(engine, controls, seconds, SEED + 200 + index)
            heard.append(hear(audio[2 * SAMPLE_RATE :]))
        correlation = ears.rank_correlation(values, np.array(heard))
        rows.append({"prompt": prompt, "heard": heard, "rank_correlation": correlation})
    mean = float(np.mean([row["rank_correlation"] for row in rows]))
    return {"rank_correlation": mean, "asked": values.tolist(), "sweeps": rows}


SWEPT: Final = ("Techno", "Indie Pop", "Piano Ballad", "Latin Jazz", "Baroque", "Synthpop")


def density(engine: Engine, seconds: float = 16.0) -> JsonObject:
    """Asked density against onsets per second."""
    return _sweep(engine, "density", SWEPT, ears.onset_rate, seconds)


def brightness(engine: Engine, seconds: float = 14.0) -> JsonObject:
    """Asked brightness against the spectral centroid."""
    return _sweep(engine, "brightness", SWEPT, ears.centroid, seconds)


def stems(engine: Engine, seconds: float = 16.0) -> JsonObject:
    """Percussive power left when the drums are muted, against the same seed unmuted."""
    cases = []
    for index, (prompt, bpm) in enumerate(RHYTHMIC[::4]):
        controls = Controls(style=engine.embed_text(prompt), bpm=float(bpm))
        whole = play(engine, controls, seconds, SEED + 300 + index)
        muted = play(engine, controls.with_(mute=frozenset({"drums"})), seconds, SEED + 300 + index)
        left = ears.percussive_power(muted) / ears.percussive_power(whole)
        cases.append({"prompt": prompt, "left": left})
    return {"left": float(np.median([c["left"] for c in cases])), "cases": cases}


def endurance(
    engine: Engine, minutes: float = 10.0, prompt: str = "Indie Electronic"
) -> JsonObject:
    """Ten minutes from one prompt: level, silence, full scale, drift of brightness."""
    audio = play(engine, Controls(style=engine.embed_text(prompt)), minutes * 60, SEED + 400)
    levels = ears.level_db(audio[20 * SAMPLE_RATE :], 10.0)
    quiet = ears.level_db(audio, 0.1) < -60.0
    longest = run = 0
    for silent in quiet:
        run = run + 1 if silent else 0
        longest = max(longest, run)
    third = len(audio) // 3
    early, late = ears.centroid(audio[:third]), ears.centroid(audio[-third:])
    return {
        "prompt": prompt,
        "level_range_db": float(levels.max() - levels.min()),
        "longest_silence_seconds": longest * 0.1,
        "peak": float(np.abs(audio).max()),
        "finite": bool(np.isfinite(audio).all()),
        "brightness_drift": abs(late / early - 1.0),
        "levels_db": levels.tolist(),
    }


def seams(engine: Engine, seconds: float = 60.0) -> JsonObject:
    """Jump and spectral flux at block edges against elsewhere: Mann-Whitney rank tests."""
    controls = Controls(style=engine.embed_text("Orchestral Score"))
    audio = play(engine, controls, seconds, SEED + 500)
    size = engine.info.block_frames
    line = ears.mono(audio)
    jump = np.abs(np.diff(line))
    edges = np.arange(size, len(line) - size, size)
    rng = np.random.default_rng(SEED)
    elsewhere = rng.integers(size, len(line) - size, 4000)
    elsewhere = elsewhere[np.abs((elsewhere + size // 2) % size - size // 2) > 600]
    hop, window = 256, 512
    spectra = np.stack(
        [
            np.abs(np.fft.rfft(line[p - window : p] * np.hanning(window)))
            - np.abs(np.fft.rfft(line[p : p + window] * np.hanning(window)))
            for p in np.concatenate([edges, elsewhere])
        ]
    )
    flux = np.maximum(-spectra, 0).sum(axis=1)
    jumps = mannwhitneyu(jump[edges - 1], jump[elsewhere - 1]).pvalue
    fluxes = mannwhitneyu(flux[: len(edges)], flux[len(edges) :]).pvalue
    return {"jump_p": float(jumps), "flux_p": float(fluxes), "edges": len(edges), "hop": hop}


def transitions_scores(similarities: np.ndarray) -> JsonObject:
    """(pairs, steps, 2) similarity to first and last prompt -> means and rank trends."""
    steps = np.arange(similarities.shape[1], dtype=np.float64)
    falls = [ears.rank_correlation(steps, row[:, 0]) for row in similarities]
    rises = [ears.rank_correlation(steps, row[:, 1]) for row in similarities]
    return {
        "to_first": similarities[:, :, 0].mean(axis=0).tolist(),
        "to_last": similarities[:, :, 1].mean(axis=0).tolist(),
        "falls": float(np.mean(np.array(falls) < 0)),
        "rises": float(np.mean(np.array(rises) > 0)),
    }
