"""Memory send: does what comes after take up what was played in, and is the input never in it?

Case by case a performer plays a bar over and over, in another key and rhythm each time, in time
with the stream, and stops; chroma and rhythm of what the engine plays from the third turn on are
compared with those of every performer. What belongs together must be more alike than what was
shuffled (a permutation test). Chroma and onsets are measured by transforms of this module, not by
the ears that the engine listens with. Offline.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models import open_engine
from models.corpus.sound.presets import SOUNDS
from models.corpus.sound.voices import fold_octaves, play_part
from models.engine.hearing import PlayedSound
from models.engine.interface import Controls, Engine
from models.music.score import EVENT, MODES, SAMPLE_RATE
from models.storage.json_types import JsonObject

Audio = NDArray[np.float32]
BPM: Final = 112.0
BAR: Final = 240.0 / BPM
PLAYED: Final = (2, 10)  # bars in which the performer plays
MEASURED: Final = (4, 12)  # bars of the output that are compared
VOICES: Final = ("flute", "violin", "trumpet", "clarinet", "nylon_guitar", "piano")
PROMPTS: Final = ("deep house", "jazz trio", "ambient pads", "funk", "folk", "synthwave")
STEPS: Final = 16
SIZE: Final = 8192
SHUFFLES: Final = 5000
LAGS: Final = 2.0  # seconds by which the input may be late in the output
MARK: Final = 0.1  # level of the noise by which the input is found again


def performer(number: int) -> tuple[Audio, JsonObject]:
    """A bar of a melody in a key and rhythm of its own, again and again, (n, 2)."""
    rng = np.random.default_rng([number, 0x3E3])
    tonic, mode = int(rng.integers(12)), ("major", "minor")[int(rng.integers(2))]
    voice = VOICES[number % len(VOICES)]
    scale = [60 + tonic % 12 - (12 if tonic > 6 else 0) + step for step in MODES[mode]]
    on = np.sort(rng.choice(STEPS, int(rng.integers(5, 10)), replace=False))
    degree, notes = int(rng.integers(len(scale))), []
    for index, step in enumerate(on):
        degree = int(np.clip(degree + rng.integers(-2, 3), 0, len(scale) - 1))
        after = on[index + 1] if index + 1 < len(on) else STEPS
        notes.append((int(step), int(min(after - step, 6)), scale[degree]))
    events = []
    for turn in range(*PLAYED):
        for step, length, pitch in notes:
            start = (turn + step / STEPS) * BAR
            events.append((start, start + length * BAR / STEPS - 0.02, 3, pitch, 96))
    table = np.array(events, EVENT)
    table["pitch"] = fold_octaves(table["pitch"], SOUNDS[voice].low, SOUNDS[voice].high)
    seconds = MEASURED[1] * BAR + 1.0
    sound = play_part(voice, table, seconds, rng, BPM, "eval")
    sound = 0.2 * sound / max(float(np.sqrt(np.mean(sound[sound != 0] ** 2))), 1e-6)
    return np.clip(sound, -1, 1).astype(np.float32), {"voice": voice, "tonic": tonic, "mode": mode}


def accompanied(
    engine: Engine, sound: Audio | None, controls: Controls, seed: int, seconds: float
) -> Audio:
    """What the engine plays while the performer plays, (n, 2)."""
    stream, played = engine.start(seed), None if sound is None else PlayedSound(sound)
    blocks, position = [], 0
    while position < seconds * SAMPLE_RATE:
        stream.hear(None if played is None else played.at(position))
        blocks.append(stream.render(controls))
        position += len(blocks[-1])
    return np.concatenate(blocks)


def chroma(sound: Audio) -> NDArray[np.float64]:
    """(12,) energy of the pitch classes from 110 Hz to 2 kHz, centred, of length 1."""
    line = sound.mean(axis=1).astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(line, SIZE)[:: SIZE // 4]
    power = np.abs(np.fft.rfft(frames * np.hanning(SIZE))).mean(axis=0)
    hertz = np.fft.rfftfreq(SIZE, 1 / SAMPLE_RATE)
    used = (hertz > 110) & (hertz < 2000)
    classes = np.round(69 + 12 * np.log2(hertz[used] / 440)).astype(int) % 12
    total = np.bincount(classes, power[used], 12) / np.bincount(classes, minlength=12)
    return _unit(total)


def rhythm(sound: Audio) -> NDArray[np.float64]:
    """(16,) mean rise of the spectrum in each sixteenth of a bar, centred, of length 1."""
    line = sound.mean(axis=1).astype(np.float64)
    hop = 480
    frames = np.lib.stride_tricks.sliding_window_view(line, 1024)[::hop]
    level = np.log1p(100 * np.abs(np.fft.rfft(frames * np.hanning(1024))))
    flux = np.maximum(np.diff(level, axis=0), 0).mean(axis=1)
    at = (np.arange(1, len(frames)) * hop + 512) / SAMPLE_RATE
    step = np.floor(at / (BAR / STEPS) + 0.5).astype(int) % STEPS
    return _unit(np.bincount(step, flux, STEPS) / np.bincount(step, minlength=STEPS))


def _unit(row: NDArray[np.float64]) -> NDArray[np.float64]:
    row = row - row.mean()
    return np.asarray(row / max(float(np.linalg.norm(row)), 1e-9))


def shuffled_test(heard: NDArray[np.float64], given: NDArray[np.float64]) -> JsonObject:
    """Likeness of rows that belong together against shuffled ones, and its p (one-sided)."""
    likeness = heard @ given.T
    count = len(likeness)
    own = float(np.diag(likeness).mean())
    rng = np.random.default_rng(1)
    drawn = [likeness[np.arange(count), rng.permutation(count)].mean() for _ in range(SHUFFLES)]
    beaten = int(np.sum(np.array(drawn) >= own))
    return {
        "together": own,
        "shuffled": float(np.mean(drawn)),
        "p": (beaten + 1) / (SHUFFLES + 1),
    }


def leak_db(sound: Audio, output: Audio) -> float:
    """Share of the output's power that is the input at any single delay up to LAGS, in dB.

    The input is told by noise that is mixed into it, for two tunes in one key are alike anyhow.
    """
    x, y = (line.mean(axis=1).astype(np.float64) for line in (sound, output))
    size = 1 << int(np.ceil(np.log2(len(x) + len(y))))
    cross = np.fft.irfft(np.conj(np.fft.rfft(x, size)) * np.fft.rfft(y, size), size)
    most = float(np.max(cross[: round(LAGS * SAMPLE_RATE)] ** 2))
    return 10 * float(np.log10(most / (np.sum(x * x) * np.sum(y * y)) + 1e-12))


def marked(sound: Audio, seed: int = 9) -> tuple[Audio, Audio]:
    """The sound with noise mixed into it while it plays, and the noise alone, each (n, 2)."""
    noise = MARK * np.random.default_rng(seed).standard_normal(len(sound)).astype(np.float32)
    noise *= (np.convolve(np.abs(sound).max(axis=1), np.ones(4800), "same") > 0.5).astype(
        np.float32
    )
    pair = np.repeat(noise[:, None], 2, axis=1)
    return sound + pair, pair


def measure(engine: Engine, mode: str, cases: int, amount: float) -> JsonObject:
    """Likeness in chroma and rhythm, with the send open and closed, and the leak."""
    first, last = (round(bar * BAR * SAMPLE_RATE) for bar in MEASURED)
    lines: dict[str, list[NDArray[np.float64]]] = {
        name: [] for name in ("given", "open", "closed", "given_r", "open_r", "closed_r")
    }
    leaks = []
    for number in range(cases):
        sound, _ = performer(number)
        style = engine.embed_text(PROMPTS[number % len(PROMPTS)])
        closed = Controls(style=style, bpm=BPM)
        opened = closed.with_(memory=amount, memory_mode=mode, loop_bars=2)
        seconds = MEASURED[1] * BAR
        there, noise = marked(sound)
        outputs = {
            "open": accompanied(engine, sound, opened, number, seconds),
            "closed": accompanied(engine, None, closed, number, seconds),
        }
        if number < 4:
            leaks.append(leak_db(noise, accompanied(engine, there, opened, number, seconds)))
        part = sound[first : round(PLAYED[1] * BAR * SAMPLE_RATE)]
        lines["given"].append(chroma(part))
        lines["given_r"].append(rhythm(part))
        for name, output in outputs.items():
            lines[name].append(chroma(output[first:last]))
            lines[name + "_r"].append(rhythm(output[first:last]))
    table = {name: np.array(rows) for name, rows in lines.items()}
    return {
        "chroma": shuffled_test(table["open"], table["given"]),
        "chroma_closed": shuffled_test(table["closed"], table["given"]),
        "rhythm": shuffled_test(table["open_r"], table["given_r"]),
        "rhythm_closed": shuffled_test(table["closed_r"], table["given_r"]),
        "leak_db": max(leaks),
    }


def main(arguments: Sequence[str]) -> int:
    """Run the measurement."""
    parser = argparse.ArgumentParser(
        prog="python -m models.evaluation memory", description="Measure the memory send."
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--engine", default="segue")
    parser.add_argument("--cases", type=int, default=24)
    parser.add_argument("--amount", type=float, default=1.0)
    asked = parser.parse_args(arguments)
    asked.out.mkdir(parents=True, exist_ok=True)
    engine = open_engine(asked.engine)
    figures: dict[str, object] = {"engine": asked.engine, "cases": asked.cases}
    for mode in ("free", "looper"):
        figures[mode] = measure(engine, mode, asked.cases, asked.amount)
        print(mode, json.dumps(figures[mode]), flush=True)
        (asked.out / "memory.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 0
