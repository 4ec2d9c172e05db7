"""Corpus with guides for the renderer's training: composed, rendered and encoded in one go.

    OMP_NUM_THREADS=1 nice python -m models.training.guided_latents --hours 40 --jobs 2 --out FOLDER
    python -m models.training.guided_latents --hours 0.5 --split eval --out FOLDER-eval

Each clip of 30 s becomes FOLDER/NNNNNN.npz, as of `models.training.latents`, and beside its
`latents` has `guide`, float16 (T, D): those of the same score played by the live studio
(`models.training.guides`). No sound is kept, so an hour takes some 50 MB. Files that are there are
skipped, and a run may be ended at any instant.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.corpus.dataset import CLIP_SECONDS, EVAL_SEEDS, Clip, clip_of, song_of_clip
from models.segue.codec import Codec
from models.segue.studio.warmth import lean
from models.storage.weights import WEIGHTS
from models.training.guides import GuidePlayer
from models.training.latents import pack

FIRST_SEED: Final = 500_000_000
"""Seed of the first clip: the second edition has other songs than the first."""


@dataclass(frozen=True)
class Job:
    """Clip to be made."""

    number: int
    split: str
    folder: Path
    codec: Path

    @property
    def path(self) -> Path:
        """The clip's file."""
        return self.folder / f"{self.number:06d}.npz"

    @property
    def seed(self) -> int:
        """Seed of its song."""
        return FIRST_SEED + self.number + (EVAL_SEEDS if self.split == "eval" else 0)


@lru_cache(maxsize=1)
def _tools(codec: Path) -> tuple[Codec, GuidePlayer]:
    """Codec and studio of a process."""
    from models.runtime.threads import use_one_thread

    use_one_thread()
    return Codec.load(codec), GuidePlayer()


def make(job: Job) -> dict[str, NDArray[np.generic]]:
    """Arrays of a clip with its guide."""
    codec, player = _tools(job.codec)
    song, rng = song_of_clip(job.seed, job.split)
    audio, labels = clip_of(song, rng, job.split)
    clip = Clip.of(job.path, audio, labels)
    packed = pack(clip, codec.encode(clip.float_audio()))
    guide = player.play(song, CLIP_SECONDS, np.random.default_rng([job.seed, 0x9D1D]))
    frames = len(packed["latents"])
    # As the dreamer hears it.
    packed["guide"] = codec.encode(guide, lean)[:frames].astype(np.float16)
    return packed


def write(job: Job) -> str:
    """Make a clip's file, in a worker process where there are several; an error text, or ''."""
    try:
        packed = make(job)
    except Exception as error:  # told by the caller; one failure must not end the run
        return f"clip {job.number} was not made: {type(error).__name__}: {error}"
    partial = job.path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez_compressed(file, **packed)  # type: ignore[arg-type]
    partial.replace(job.path)
    return ""


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.guided_latents", description=__doc__
    )
    parser.add_argument("--hours", type=float, required=True, help="hours of music in all")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each")
    parser.add_argument("--split", choices=("train", "eval"), default="train")
    parser.add_argument("--codec", type=Path, default=WEIGHTS / "codec.safetensors")
    options = parser.parse_args(arguments)
    if not options.hours > 0:
        parser.error("give hours above zero")
    options.out.mkdir(parents=True, exist_ok=True)
    total = max(1, round(options.hours * 3600 / CLIP_SECONDS))
    jobs = [Job(number, options.split, options.out, options.codec) for number in range(total)]
    todo = [job for job in jobs if not job.path.exists()]
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # inherited by the worker processes
    failures = 0
    bar = tqdm(total=total, initial=total - len(todo), unit="clip")
    with ExitStack() as stack:
        written: Iterable[str] = map(write, todo)
        if options.jobs > 1 and todo:
            pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(options.jobs))
            written = pool.imap_unordered(write, todo)
        for problem in written:
            failures += bool(problem)
            if problem:
                bar.write(problem, file=sys.stderr)
            bar.update(1)
    bar.close()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
