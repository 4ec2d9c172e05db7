"""Data set of the corpus on disk: writing with several processes, and reading.

A data set is a folder of clips of 30 s (750 frames of 40 ms; frame 0 begins at sample 0):

* ``NNNNNN.npy``   int16 (1440000, 2), 48 kHz stereo, full scale 32767; can be memory-mapped.
* ``NNNNNN.npz``   compressed labels:
    - ``events``      dtype score.EVENT (on, off in seconds; part; pitch; velocity), sorted by onset
    - ``instruments`` int16 (4,) index into score.INSTRUMENTS for bass, chords, lead, extra
    - ``kit``         int16, index into score.KITS
    - ``chroma``      uint8 (750, 12), 1 for the pitch classes of the chord
    - ``chord``       int16 (750,) chord symbol of models.music.score, -1 none
    - ``beat``        float16 (750, 4) sine and cosine of the phase of the beat and of the bar
    - ``section``     int16 (750,) index of the section of the form
    - ``brightness``  float32 (750,) log2(spectral centroid / 1 kHz) of the mix, smoothed over 2 s,
                      nan in silence
    - ``bpm``, ``swing`` float32; ``tonic`` int16; ``seed`` int64
    - ``json``        text: terms [[term, weight], ...], captions [...], mode, section_names,
                      production, split

`Clip.load` reads one. Note rolls and density (onsets a second, Hann window of 4 s, an onset within
30 ms of another counts as one) are made from `events` on load, so labels take about 20 kB.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.corpus.sound.measure import brightness, onset_density
from models.corpus.sound.render import drop_parts, fit_range, render
from models.errors import SegueError
from models.music.score import (
    EVENT,
    FRAME_SECONDS,
    INSTRUMENTS,
    KITS,
    NOTE_NAMES,
    PITCHED,
    FrameScore,
    rasterize,
)
from models.music.song import Song
from models.storage.json_types import JsonObject

CLIP_SECONDS: Final = 30.0
CLIP_FRAMES: Final = round(CLIP_SECONDS / FRAME_SECONDS)
EVAL_SEEDS: Final = 1 << 40
"""Seeds from here on are the evaluation split's; training never sees them."""

Labels: TypeAlias = Mapping[str, NDArray[np.generic] | np.generic]
"""Arrays and numbers of a clip's `.npz`, by name."""


@dataclass(frozen=True)
class Clip:
    """Clip of the data set. `audio` int16 (n, 2) memory-mapped; divide by 32767 for float."""

    path: Path
    audio: NDArray[np.int16]
    events: NDArray[np.void]
    labels: dict[str, NDArray[np.generic]]
    meta: JsonObject

    @classmethod
    def load(cls, path: str | Path) -> Clip:
        """Read a clip by the path of its `.npy` or `.npz` file, or without suffix.

        Raises:
            SegueError: the files are missing or damaged.

        """
        path = Path(path).with_suffix("")
        sound, label = path.with_suffix(".npy"), path.with_suffix(".npz")
        try:
            audio = np.load(sound, mmap_mode="r")
            with np.load(label) as archive:
                labels = {name: archive[name] for name in archive.files}
        except (OSError, ValueError) as error:
            raise SegueError(
                f"The clip {path} cannot be read ({error}); delete it and run "
                "'python -m models.corpus' again."
            ) from error
        return cls.of(path, audio, labels)

    @classmethod
    def of(cls, path: Path, audio: NDArray[np.int16], labels: Labels) -> Clip:
        """Clip of audio and the arrays of its `.npz`."""
        left: dict[str, NDArray[np.generic]] = {k: np.asarray(v) for k, v in labels.items()}
        meta = json.loads(str(left.pop("json")))
        events = np.asarray(left.pop("events"), EVENT)
        frames = len(left["brightness"])
        left["density"] = onset_density(events["on"], 0.0, frames, frames * FRAME_SECONDS)
        return cls(path, audio, events, left, meta)

    @property
    def bpm(self) -> float:
        """Tempo in beats per minute."""
        return float(self.labels["bpm"])

    @property
    def tonic(self) -> int:
        """Pitch class of the tonic, 0..11."""
        return int(self.labels["tonic"])

    @property
    def mode(self) -> str:
        """Mode, a name in `score.MODES`."""
        return str(self.meta["mode"])

    @property
    def key(self) -> str:
        """Key, such as 'A minor', for `score.parse_key`."""
        return f"{NOTE_NAMES[self.tonic]} {self.mode.replace('_', ' ')}"

    @property
    def terms(self) -> list[tuple[str, float]]:
        """Prompt terms with weights that sum to 1."""
        return [(str(term), float(weight)) for term, weight in self.meta["terms"]]

    @property
    def captions(self) -> list[str]:
        """Captions, from single words to sentences."""
        return [str(text) for text in self.meta["captions"]]

    @cached_property
    def score(self) -> FrameScore:
        """Score of the whole clip, with measured density and brightness."""
        frames = len(self.labels["density"])
        score = rasterize(self.events, 0.0, frames)
        return score.with_(
            instruments=np.tile(self.labels["instruments"], (frames, 1)),
            kit=np.full(frames, self.labels["kit"], np.int16),
            chroma=self.labels["chroma"].astype(np.float32),
            beat=self.labels["beat"].astype(np.float32),
            tempo=np.full(frames, self.bpm, np.float32),
            density=self.labels["density"],
            brightness=self.labels["brightness"],
        )

    def float_audio(self, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Samples `start` to `stop` as float32 (n, 2) in -1..1."""
        return np.asarray(self.audio[start:stop], np.float32) / np.float32(32767)


def clips(folder: str | Path) -> list[Path]:
    """Paths (without suffix) of all complete clips of a data set, sorted."""
    return sorted(p.with_suffix("") for p in Path(folder).glob("[0-9]*.npz"))


def song_of_clip(seed: int, split: str = "train") -> tuple[Song, np.random.Generator]:
    """Song of clip `seed`, and the random numbers that `render` goes on with."""
    from models.corpus.composer.composer import compose

    rng = np.random.default_rng([seed, 0xC11B])
    song: Song = compose(seed, seconds=CLIP_SECONDS, split=split)
    return drop_parts(fit_range(song), rng, CLIP_SECONDS), rng


def make_clip(seed: int, split: str = "train") -> tuple[NDArray[np.int16], Labels]:
    """Compose, render and label clip `seed` -> int16 audio (n, 2), and the arrays of its `.npz`."""
    song, rng = song_of_clip(seed, split)
    return clip_of(song, rng, split)


def clip_of(
    song: Song, rng: np.random.Generator, split: str = "train"
) -> tuple[NDArray[np.int16], Labels]:
    """Render and label a song of `song_of_clip`, as `make_clip` does."""
    mix = render(song, rng, CLIP_SECONDS, split).mix
    return np.round(mix * 32767).astype(np.int16), label(song, mix)


def label(song: Song, mix: NDArray[np.float32]) -> Labels:
    """Arrays of a clip's `.npz`."""
    score = song.frame_labels(0.0, CLIP_FRAMES)
    events = song.events()
    events = events[events["on"] < CLIP_SECONDS]
    times = (np.arange(CLIP_FRAMES) + 0.5) * FRAME_SECONDS
    step = np.clip(song.steps_at(times).astype(np.int64), 0, song.steps - 1)
    row = [INSTRUMENTS.index(song.instruments.get(part, "none")) for part in PITCHED]
    meta = {
        "terms": [[term, float(weight)] for term, weight in song.terms],
        "captions": list(song.captions),
        "mode": song.mode,
        "section_names": list(song.section_names),
        "production": {k: v for k, v in asdict(song.production).items() if k != "levels_db"},
    }
    return {
        "events": events,
        "instruments": np.array(row, np.int16),
        "kit": np.int16(KITS.index(song.kit)),
        "chroma": score.chroma.astype(np.uint8),
        "chord": song.chords[step].astype(np.int16),
        "beat": score.beat.astype(np.float16),
        "section": song.sections[step].astype(np.int16),
        "brightness": brightness(mix),
        "bpm": np.float32(song.bpm),
        "swing": np.float32(song.swing),
        "tonic": np.int16(song.tonic),
        "seed": np.int64(song.seed),
        "json": np.array(json.dumps(meta, default=float)),
    }


def _write(job: tuple[int, int, str, str]) -> tuple[int, str]:
    """Make one clip in a worker process; returns its number, and an error text or ''."""
    number, seed, folder, split = job
    path = Path(folder) / f"{number:06d}"
    try:
        audio, labels = make_clip(seed, split)
    except Exception as error:  # reported; one failure must not end the run
        return number, f"{type(error).__name__}: {error}"
    with path.with_suffix(".npy.part").open("wb") as out:
        np.save(out, audio)
    with path.with_suffix(".npz.part").open("wb") as out:
        np.savez_compressed(out, **labels)  # type: ignore[arg-type]
    path.with_suffix(".npy.part").replace(path.with_suffix(".npy"))
    path.with_suffix(".npz.part").replace(path.with_suffix(".npz"))  # last: marks it finished
    return number, ""


def write(
    folder: str | Path,
    hours: float,
    jobs: int = 2,
    seed: int = 0,
    split: str = "train",
    progress: Callable[[int, str], None] | None = None,
) -> int:
    """Write the missing clips of a data set.

    Args:
        folder: of the clips; created.
        hours: of music in all.
        jobs: worker processes.
        seed: of the music.
        split: 'train' or 'eval'.
        progress: called after each clip with its number and an error text or ''.

    Returns:
        The number of failed clips.

    Raises:
        SegueError: an unknown split, or no hours.

    """
    if split not in ("train", "eval"):
        raise SegueError(f"The split is '{split}'; it must be 'train' or 'eval'.")
    if not hours > 0:
        raise SegueError("The number of hours must be above zero.")
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    total = max(1, round(hours * 3600 / CLIP_SECONDS))
    done = {p.name for p in clips(root)}
    base = seed * 10_000_000 + (EVAL_SEEDS if split == "eval" else 0)
    todo = [
        (number, base + number, str(root), split)
        for number in range(total)
        if f"{number:06d}" not in done
    ]
    failures = 0
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # inherited by the worker processes
    context = multiprocessing.get_context("spawn")
    with context.Pool(max(1, jobs)) as pool:
        for number, problem in pool.imap_unordered(_write, todo):
            failures += bool(problem)
            if progress is not None:
                progress(number, problem)
    return failures
