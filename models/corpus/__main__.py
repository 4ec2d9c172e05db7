"""Command line that writes a data set: `python -m models.corpus --hours 8 --out DIR`."""

from __future__ import annotations

import argparse
import sys

from tqdm import tqdm

from models.corpus.dataset import CLIP_SECONDS, clips, write
from models.errors import SegueError


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.corpus", description=__doc__)
    parser.add_argument("--hours", type=float, required=True, help="hours of music")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the clips")
    parser.add_argument("--jobs", type=int, default=2, help="processes, one thread each")
    parser.add_argument("--seed", type=int, default=0, help="seed of the music")
    parser.add_argument("--split", choices=("train", "eval"), default="train")
    options = parser.parse_args(arguments)
    total = max(1, round(options.hours * 3600 / CLIP_SECONDS))
    try:
        bar = tqdm(total=total, initial=min(total, len(clips(options.out))), unit="clip")

        def progress(number: int, problem: str) -> None:
            bar.update(1)
            if problem:
                bar.write(f"clip {number} was not made: {problem}", file=sys.stderr)

        failures = write(
            options.out, options.hours, options.jobs, options.seed, options.split, progress
        )
        bar.close()
    except (SegueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if failures:
        print(f"{failures} of {total} clips could not be made.", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
