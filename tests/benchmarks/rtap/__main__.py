"""Benchmark of `main.py rtap`: Pd plays a file to it over loopback and records the answers.

python -m tests.benchmarks.rtap --minutes 5 --stem drums --out FOLDER

The context is held-out songs of the corpus, a minute each, without the stem that is asked for. The
record has what was played in on the left and the answer on the right, as Pd heard both. Prints
JSON: packets, latency, beat F1, and by how much the answer's onsets are late against the context's.
Beats of the answer alone are found by trackers that know nothing of it (librosa, and essentia where
it is installed), and compared with the song's own from SETTLE seconds into each song on;
`beat_f1_whole` counts all, and `_context` is what the same tracker finds in the context.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from app.control.rtap.messages import RATE, STEMS, WINDOW
from models.corpus.composer.composer import compose
from models.corpus.dataset import EVAL_SEEDS
from models.corpus.sound.render import fit_range, render
from models.evaluation.tracking.scores import TOLERANCE, f_measure
from models.music.score import SAMPLE_RATE
from models.music.song import Song
from tests.support import pd

ROOT: Final = Path(__file__).resolve().parents[3]
FIRST: Final = 900_000
"""First held-out seed; no other measurement uses those from here on."""
SETTLE: Final = 8.0
SONG: Final = 60.0
NEAR: Final = 0.1
"""Seconds within which onsets are compared."""
SPAN: Final = 6.0
HOP: Final = 128
Line = NDArray[np.float64]


def song_without(number: int, stem: str) -> tuple[Song, NDArray[np.float32]]:
    """A song, and its sound (n,) at 44.1 kHz without the stem."""
    seed = EVAL_SEEDS + FIRST + number
    song = fit_range(compose(seed, seconds=SONG, split="eval"))
    stems = render(song, np.random.default_rng([seed, 0xEA5]), SONG, "eval").stems
    left_out = stem if stem in ("drums", "bass") else "other"
    rest = [sound for name, sound in stems.items() if name != left_out] or list(stems.values())
    mono = np.sum(rest, axis=0).mean(axis=1)[: round(SONG * SAMPLE_RATE)]
    mono = np.pad(mono, (0, round(SONG * SAMPLE_RATE) - len(mono)))
    line = soxr.resample(mono, SAMPLE_RATE, RATE)
    return song, np.asarray(line * (0.5 / max(1e-6, float(np.abs(line).max()))), np.float32)


def run(
    context: Path, record: Path, batches: int, stem: str, look_ahead: int, ratio: float,
    more: list[str],
) -> tuple[str, str]:  # fmt: skip
    """What the server said at its end, and Pd's errors."""
    ports = [free_port(), free_port()]
    words = ["rtap", "--port", str(ports[0]), "--client-port", str(ports[1]), *more]
    with subprocess.Popen(
        [sys.executable, "main.py", *words], cwd=ROOT, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        if not server.stdout.readline():
            sys.exit(f"the server did not start: {server.communicate()[1]}")
        player = pd.play(
            context, record, batches, server=ports[0], client=ports[1],
            stem=STEMS.index(stem), look_ahead=look_ahead, ratio=ratio,
        )  # fmt: skip
        _, errors = player.communicate()
        server.send_signal(signal.SIGTERM)
        return server.communicate(timeout=60)[1], errors


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as each:
        each.bind(("127.0.0.1", 0))
        return int(each.getsockname()[1])


def beats_of(sound: NDArray[np.float32]) -> dict[str, Line]:
    """Beats in seconds by trackers that hear all of it."""
    import librosa

    _, beats = librosa.beat.beat_track(y=sound, sr=RATE, units="time")
    found = {"librosa": np.asarray(beats, np.float64)}
    try:
        import essentia.standard as essentia
    except ImportError:
        return found
    ticks = essentia.RhythmExtractor2013(method="multifeature")(sound)[1]
    return found | {"essentia": np.asarray(ticks, np.float64)}


def lags(context: NDArray[np.float32], answer: NDArray[np.float32]) -> Line:
    """Seconds by which the answer's onsets are late against the context's, by stretches of SPAN.

    The lag at which their onset strengths (spectral flux) are most alike, within NEAR.
    """
    import librosa

    context_flux, answer_flux = (
        librosa.onset.onset_strength(y=each, sr=RATE, hop_length=HOP, n_fft=1024)
        for each in (context, answer)
    )
    size, most = round(SPAN * RATE / HOP), round(NEAR * RATE / HOP)
    found = []
    for start in range(0, len(context_flux) - size + 1, size):
        one, other = (
            flux[start : start + size] - flux[start : start + size].mean()
            for flux in (context_flux, answer_flux)
        )
        if not one.any() or not other.any():
            continue
        alike = np.correlate(other, one, "same")[size // 2 - most : size // 2 + most + 1]
        found.append((int(alike.argmax()) - most) * HOP / RATE)
    return np.asarray(found, np.float64)


def figures(songs: list[Song], record: NDArray[np.float32]) -> dict[str, object]:
    """Scores of a record (n, 2) that begins with the first song."""
    rows: list[dict[str, object]] = []
    late: list[float] = []
    for number, song in enumerate(songs):
        low = round(number * SONG * RATE)
        context, part = np.ascontiguousarray(record[low : low + round(SONG * RATE)].T)
        length = len(part) / RATE
        truth = song.seconds_at(np.arange(0, song.steps, song.steps_per_beat))
        settled = round(SETTLE * RATE)
        found = lags(context[settled:], part[settled:])
        late += found.tolist()
        row: dict[str, object] = {
            "style": song.terms[0][0],
            "bpm": round(song.bpm, 1),
            "lag_ms": round(1000 * float(np.median(found)), 1) if len(found) else None,
        }
        tracked = beats_of(part)
        tracked |= {f"{name}_context": beats for name, beats in beats_of(context).items()}
        for name, beats in tracked.items():
            for label, start in (("", SETTLE), ("_whole", 0.0)):
                inside = [x[(x >= start) & (x < length - 0.5)] for x in (truth, beats)]
                score = f_measure(inside[0], inside[1], TOLERANCE)
                row[f"beat_f1{label}_{name}"] = round(score, 3)
        rows.append(row)
    names = [name for name in rows[0] if name.startswith("beat_f1")]
    means: dict[str, object] = {
        name: round(float(np.mean([float(str(row[name])) for row in rows])), 3) for name in names
    }
    gaps = np.abs(late)
    return {
        **means,
        "lag_ms": round(1000 * float(np.median(late)), 1) if late else None,
        "lag_distance_ms": round(1000 * float(np.median(gaps)), 1) if late else None,
        "lags_within_30_ms": round(float(np.mean(gaps < 0.03)), 3) if late else None,
        "songs": rows,
    }


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.rtap", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--stem", choices=STEMS, default="drums")
    parser.add_argument("--look-ahead", type=int, choices=(-1, 0, 1), default=1)
    parser.add_argument("--ratio", type=float, default=0.25)
    parser.add_argument("--first", type=int, default=0, help="number of the first song")
    parser.add_argument("--out", type=Path, help="a folder that keeps the record")
    asked, more = parser.parse_known_args()
    if pd.missing():
        sys.exit(pd.missing())
    count = max(1, round(asked.minutes * 60 / SONG))
    both = [song_without(asked.first + number, asked.stem) for number in range(count)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        context, record = folder / "context.wav", folder / "record.wav"
        soundfile.write(context, np.concatenate([line for _, line in both]), RATE)
        batches = int(asked.minutes * 60 * RATE / int(WINDOW * asked.ratio))
        said, errors = run(
            context.absolute(), record.absolute(), batches, asked.stem, asked.look_ahead,
            asked.ratio, more,
        )  # fmt: skip
        heard = soundfile.read(record, dtype="float32")[0]
    counts = {name: float(n) for n, name in re.findall(r"([\d.]+) ([a-z]+)", said)}
    print(json.dumps({"server": said.strip(), "lost": counts.get("lost"), "pd": errors.strip()}))
    print(json.dumps(figures([song for song, _ in both], heard), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
