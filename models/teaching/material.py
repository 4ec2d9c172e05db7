"""Material of a lesson: the player's audio files, found, read, checked and cut.

What is silent is left out, what is clipped is said and used, what is too short is said and left
out. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.audio_file import read_audio
from models.engine.prompts import AUDIO_SUFFIXES
from models.errors import SegueError
from models.music.score import SAMPLE_RATE

Audio = NDArray[np.float32]

SHORTEST: Final = 4.0
"""Seconds of sound that a piece must have to be learned from."""
LEAST: Final = 20.0
"""Seconds of sound that all files must have together."""
LONGEST: Final = 600.0
"""Seconds that are taken of one file."""
MOST: Final = 3600.0
"""Seconds that are taken of all files together."""
LEVEL_DB: Final = -17.0
"""Mean square, re full scale, to which each file is set: that of the music the network knows."""
SILENT_DB: Final = -50.0
"""Level of half a second, under the file's own, that counts as silence."""
PAUSE: Final = 1.0
"""Seconds of silence at which a file is cut."""
CLIPPED: Final = 1e-3
"""Share of samples in runs at the file's peak from which it is called clipped."""
_WINDOW: Final = SAMPLE_RATE // 2


@dataclass(frozen=True, eq=False)
class Passage:
    """A stretch of a file without long silence: float32 (n, 2) at 48 kHz, at LEVEL_DB."""

    file: str
    audio: Audio

    @property
    def seconds(self) -> float:
        return len(self.audio) / SAMPLE_RATE


@dataclass(frozen=True)
class Finding:
    """What is to be said about a file; used: whether it is learned from all the same."""

    file: str
    sentence: str
    used: bool = False


def audio_files(places: Iterable[Path]) -> list[Path]:
    """The audio files among paths and, with their sub-folders, in folders; sorted, each once.

    Raises:
        SegueError: a path that does not exist, or no audio file at all.

    """
    found: dict[Path, None] = {}
    for place in places:
        if not place.exists():
            raise SegueError(f"there is no {place}: give audio files, or a folder of them.")
        inside = sorted(place.rglob("*")) if place.is_dir() else [place]
        for path in inside:
            hidden = path.name.startswith(".")
            if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file() and not hidden:
                found.setdefault(path.resolve())
    if not found:
        raise SegueError(
            f"no audio file was found: give files or a folder of {', '.join(AUDIO_SUFFIXES)}."
        )
    return list(found)


def read_pieces(path: Path, seconds: float = LONGEST) -> tuple[list[Passage], list[Finding]]:
    """The pieces of a file, and what is to be said about it.

    Args:
        path: Of an audio file.
        seconds: How much of it is taken at most.

    """
    try:
        samples, rate = read_audio(path, seconds)
        audio = _stereo(samples, rate)
    except SegueError as error:
        return [], [Finding(path.name, str(error))]
    if len(audio) < SHORTEST * SAMPLE_RATE:
        length = len(audio) / SAMPLE_RATE
        return [], [Finding(path.name, f"lasts {length:.1f} s, {SHORTEST:g} s are the least")]
    if not np.isfinite(audio).all():
        return [], [Finding(path.name, "holds samples that are not numbers: export it again")]
    findings = []
    if clipped_share(audio) > CLIPPED:
        findings.append(Finding(path.name, "is clipped: its distortion is learned too", True))
    kept = [cut for cut in sounding(audio) if cut.stop - cut.start >= SHORTEST * SAMPLE_RATE]
    total = sum(cut.stop - cut.start for cut in kept)
    if not total:
        return [], [Finding(path.name, "is silent, or sounds only for moments")]
    missing = (len(audio) - total) / SAMPLE_RATE
    if missing > 2.0:
        sentence = f"is silent for {missing:.0f} s, which are left out"
        findings.append(Finding(path.name, sentence, True))
    power = np.mean([np.square(audio[cut], dtype=np.float64).mean() for cut in kept])
    gain = np.float32(10 ** (LEVEL_DB / 20) / np.sqrt(power))
    return [Passage(path.name, audio[cut] * gain) for cut in kept], findings


def read_material(files: Iterable[Path]) -> Iterator[tuple[Path, list[Passage], list[Finding]]]:
    """File by file its pieces and findings, until MOST seconds are together."""
    left = MOST
    for path in files:
        if left < SHORTEST:
            yield path, [], [Finding(path.name, f"is left out: {MOST / 60:.0f} minutes are enough")]
            continue
        pieces, findings = read_pieces(path, min(LONGEST, left))
        left -= sum(piece.seconds for piece in pieces)
        yield path, pieces, findings


def _stereo(samples: NDArray[np.floating], rate: int) -> Audio:
    """Samples (n, channels) as (n, 2) at 48 kHz."""
    audio = samples[:, :2] if samples.shape[1] > 1 else np.repeat(samples, 2, axis=1)
    if rate != SAMPLE_RATE and len(audio):
        import soxr

        audio = soxr.resample(audio, rate, SAMPLE_RATE)
    return np.ascontiguousarray(audio, np.float32)


def clipped_share(audio: Audio) -> float:
    """Share of the samples that stand in runs of three or more at the file's peak."""
    peak = float(np.abs(audio).max())
    if peak < 0.1:
        return 0.0
    at_peak = np.abs(audio) >= 0.999 * peak
    runs = at_peak[2:] & at_peak[1:-1] & at_peak[:-2]
    return float(runs.mean())


def sounding(audio: Audio) -> list[slice]:
    """Stretches of audio (n, 2) between silences of PAUSE seconds or more."""
    count = -(-len(audio) // _WINDOW)
    padded = np.zeros((count * _WINDOW, 2), np.float32)
    padded[: len(audio)] = audio
    power = np.square(padded, dtype=np.float64).reshape(count, -1).mean(axis=1)
    loud = 10 * np.log10(power + 1e-15)
    # Under the loud half of the file, and under what any file must have.
    limit = max(float(np.percentile(loud, 75)) + SILENT_DB, -80.0)
    sounds = loud > limit
    gap = round(PAUSE * SAMPLE_RATE / _WINDOW)
    stretches: list[slice] = []
    for index in np.flatnonzero(sounds):
        start, stop = int(index) * _WINDOW, min(len(audio), (int(index) + 1) * _WINDOW)
        if stretches and start - stretches[-1].stop < gap * _WINDOW:
            stretches[-1] = slice(stretches[-1].start, stop)
        else:
            stretches.append(slice(start, stop))
    return stretches
