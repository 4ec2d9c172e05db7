"""Command line of the trackers' measurement; see the package's docstring. Offline."""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.corpus.composer.composer import compose
from models.corpus.dataset import EVAL_SEEDS
from models.corpus.sound.presets import SOUNDS
from models.corpus.sound.render import fit_range, render
from models.corpus.sound.voices import fold_octaves, play_part
from models.evaluation import ears
from models.evaluation.ladder.clips import RealMusic
from models.evaluation.tracking.scores import (
    TOLERANCE,
    any_level,
    chord_scores,
    f_measure,
    foreseen_beats,
    local_bpm,
    pitch_score,
    played_chords,
    tempo_error,
    within,
)
from models.music.harmony import MINOR_LIKE
from models.music.score import EVENT, SAMPLE_RATE
from models.music.song import Song
from models.music.tracking.tracker import Heard, initial_ears, listen
from models.music.tracking.weights import load_ear_weights
from models.storage.json_types import JsonObject

Audio = NDArray[np.float32]
AHEAD: Final = 1.5
SETTLE: Final = 5.0
"""Seconds that the tracker has to find the beat."""
FIRST: Final = 700_000
"""First held-out seed; no other measurement uses those from here on."""
VOICES: Final = (
    "voice_oohs",
    "choir",
    "tin_whistle",
    "recorder",
    "flute",
    "violin",
    "trumpet",
    "clarinet",
)
HITS: Final = 0.05
AGREED: Final = 0.7
"""F1 between two offline trackers, above which an excerpt has a beat that can be told."""


def hear(audio: Audio) -> tuple[list[Heard], float]:
    """What is heard in audio (n, 2), block by block, and the share of a core that it took."""
    weights = load_ear_weights()
    state = initial_ears(weights)
    heard: list[Heard] = []
    begin = time.process_time()
    for start in range(0, len(audio), 1920):
        state, frames = listen(weights, state, audio[start : start + 1920])
        heard += frames
    return heard, (time.process_time() - begin) / (len(audio) / SAMPLE_RATE)


def offline_beats(audio: Audio) -> dict[str, list[float]]:
    """Beats in seconds by trackers that hear the whole recording."""
    import essentia.standard as essentia
    import librosa

    line = ears.mono(audio)
    _, beats = librosa.beat.beat_track(y=line, sr=SAMPLE_RATE, units="time")
    slower = essentia.Resample(inputSampleRate=SAMPLE_RATE, outputSampleRate=ears.ESSENTIA_RATE)(
        line
    )
    ticks = essentia.RhythmExtractor2013(method="multifeature")(slower)[1]
    return {"librosa": [float(t) for t in beats], "essentia": [float(t) for t in ticks]}


def held_out(number: int, seconds: float, cache: Path | None) -> tuple[Song, Audio]:
    """A held-out song and its sound (n, 2), which is kept in a folder where one is named."""
    seed = EVAL_SEEDS + FIRST + number
    song = fit_range(compose(seed, seconds=seconds, split="eval"))
    path = None if cache is None else cache / f"{seed}-{seconds:g}.npy"
    if path is not None and path.exists():
        return song, np.load(path)
    audio: Audio = render(song, np.random.default_rng([seed, 0xEA5]), seconds, "eval").mix
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, audio)
    return song, audio


def song_case(number: int, seconds: float, offline: bool, cache: Path | None) -> JsonObject:
    """All figures of one held-out song."""
    song, audio = held_out(number, seconds, cache)
    heard, load = hear(audio)
    end = seconds - 0.5
    steps = np.arange(0, song.steps, song.steps_per_beat)
    truth = within(song.seconds_at(steps), SETTLE, end)
    bars = within(song.seconds_at(steps[steps % song.steps_per_bar == 0]), SETTLE, end)
    beats, downbeats = foreseen_beats(heard, AHEAD)
    triads, roots = chord_scores([(f.time, f.harmony) for f in heard[::5]], song, 1.0, end)
    played, _ = chord_scores(played_chords(heard[::5]), song, 1.0, end)
    at = {moment: heard[int(moment / 0.01) - 1].pulse for moment in (5, 20) if moment < seconds}
    mode = "minor" if song.mode in MINOR_LIKE else "major"
    last = heard[-1].harmony
    found_key = (last.tonic, "minor" if last.minor else "major")
    case: dict[str, object] = {
        "number": number,
        "style": song.terms[0][0],
        "bpm": song.bpm,
        "drums": bool(song.drums.any()) and song.kit != "none",
        "heard_bpm": {str(moment): pulse.bpm for moment, pulse in at.items()},
        "beat_f1": f_measure(truth, within(beats, SETTLE, end), TOLERANCE),
        "beat_f1_any_level": any_level(truth, within(beats, SETTLE, end)),
        "downbeat_f1": f_measure(bars, within(downbeats, SETTLE, end), TOLERANCE),
        "tempo_error_5s": tempo_error(at[5], song.bpm, False),
        "tempo_error_5s_any_level": tempo_error(at[5], song.bpm, True),
        "tempo_error_20s": tempo_error(at[20], song.bpm, False),
        "tempo_error_20s_any_level": tempo_error(at[20], song.bpm, True),
        "chord_triads": triads,
        "chord_roots": roots,
        "chord_played": played,
        "key_mirex": ears.key_score((song.tonic, mode), found_key),
        "core_share": load,
    }
    if offline:
        for name, line in offline_beats(audio).items():
            found = within(line, SETTLE, end)
            case[f"offline_f1_{name}"] = f_measure(truth, found, TOLERANCE)
        case["offline_key_mirex"] = ears.key_score((song.tonic, mode), ears.key(audio))
    case["onset_f1"] = onset_score(song, heard, end)
    return case


def onset_score(song: Song, heard: Sequence[Heard], end: float) -> float:
    """F1 of onsets within 50 ms; notes within 40 ms of one another are one."""
    starts = np.sort(within(song.events()["on"], 0.2, end))
    merged = [float(t) for i, t in enumerate(starts) if i == 0 or t - starts[i - 1] > 0.04]
    found = [frame.onset.time for frame in heard if frame.onset is not None]
    return f_measure(merged, within(found, 0.2, end), HITS)


def voice_case(name: str, number: int, seconds: float) -> JsonObject:
    """Pitch of one voice alone: a melody with rests, legato and leaps."""
    rng = np.random.default_rng([FIRST, number])
    low = 72 if name == "tin_whistle" else 57
    notes = []
    at, pitch = 0.3, low + 7
    while at < seconds - 1.5:
        length = float(rng.choice([0.25, 0.35, 0.5, 0.9]))
        pitch = int(np.clip(pitch + rng.integers(-5, 6), low, low + 17))
        notes.append((at, at + length - 0.03, 3, pitch, int(rng.integers(60, 115))))
        at += length + float(rng.choice([0.0, 0.0, 0.2]))
    events = np.array(notes, EVENT)
    events["pitch"] = fold_octaves(events["pitch"], SOUNDS[name].low, SOUNDS[name].high)
    audio = play_part(name, events, seconds, rng, 100.0, "eval")
    heard, _ = hear(audio)
    frames, whole = pitch_score(heard, events)
    found = [frame.onset.time for frame in heard if frame.onset is not None]
    return {
        "voice": name,
        "frames": frames,
        "notes": whole,
        "onset_f1": f_measure(list(events["on"]), found, HITS),
    }


def real_case(music: RealMusic, number: int, seconds: float) -> JsonObject:
    """An excerpt of real music: beats foreseen against those of the offline trackers."""
    audio = music.excerpt(number, False)
    heard, _ = hear(audio)
    beats = within(foreseen_beats(heard, AHEAD)[0], SETTLE, seconds - 0.5)
    case: dict[str, object] = {
        "number": number,
        "bpm": heard[-1].pulse.bpm,
        "confidence": heard[-1].pulse.confidence,
    }
    offline = offline_beats(audio)
    for moment in (5, 20):
        bpm, pulse = local_bpm(offline["essentia"], moment), heard[int(moment / 0.01) - 1].pulse
        case[f"tempo_error_{moment}s"] = tempo_error(pulse, bpm, False)
        case[f"tempo_error_{moment}s_any_level"] = tempo_error(pulse, bpm, True)
    lines = {name: within(line, SETTLE, seconds - 0.5) for name, line in offline.items()}
    for name, line in lines.items():
        case[f"f1_{name}"] = f_measure(line, beats, TOLERANCE)
        case[f"f1_{name}_any_level"] = any_level(line, beats) if len(line) > 2 else math.nan
    case["offline_agree"] = f_measure(lines["essentia"], lines["librosa"], TOLERANCE)
    return case


def summary(cases: Sequence[JsonObject]) -> JsonObject:
    """Mean of every figure, and the shares that the bars ask for."""
    means: dict[str, object] = {}
    for name in cases[0] if cases else ():
        values = [case[name] for case in cases]
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            finite = [float(str(value)) for value in values if math.isfinite(float(str(value)))]
            means[name] = round(float(np.mean(finite)), 4) if finite else None
    for name, bar in (("tempo_error_5s", 0.02), ("tempo_error_20s", 0.005)):
        for kind in ("", "_any_level"):
            errors = [float(str(case[name + kind])) for case in cases if name + kind in case]
            errors = [error for error in errors if not math.isnan(error)]  # no tempo to compare
            if errors:
                means[f"within_{name}{kind}"] = float(np.mean(np.array(errors) <= bar))
    return means


def main(arguments: Sequence[str]) -> int:
    """Run the measurement."""
    parser = argparse.ArgumentParser(
        prog="python -m models.evaluation tracking",
        description="Measure the trackers of the input.",
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--songs", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=30.0, help="of a song, 25 or more")
    parser.add_argument("--cache", type=Path, help="a folder that keeps the songs' sound")
    parser.add_argument("--real", type=Path, help="a folder of real music")
    parser.add_argument("--no-offline", action="store_true", help="without librosa and essentia")
    asked = parser.parse_args(arguments)
    asked.out.mkdir(parents=True, exist_ok=True)
    figures: dict[str, object] = {}
    songs = range(asked.songs)
    offline = not asked.no_offline
    groups: dict[str, Iterator[JsonObject]] = {
        "songs": (song_case(number, asked.seconds, offline, asked.cache) for number in songs),
        "voices": (voice_case(name, number, 20.0) for number, name in enumerate(VOICES)),
    }
    if asked.real is not None:
        music = RealMusic(asked.real, asked.seconds)
        groups["real"] = (real_case(music, number, asked.seconds) for number in songs)
    for name, group in groups.items():
        cases = []
        for case in group:
            cases.append(case)
            print(name, json.dumps(case), flush=True)
        figures[name] = {"mean": summary(cases), "cases": cases}
        print(name, "mean", json.dumps(summary(cases)), flush=True)
        agreed = [case for case in cases if float(str(case.get("offline_agree", 0.0))) >= AGREED]
        if agreed:
            figures["agreed"] = {"mean": summary(agreed), "count": len(agreed)}
            print("agreed", len(agreed), json.dumps(summary(agreed)), flush=True)
        (asked.out / "tracking.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 0
