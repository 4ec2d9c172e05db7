"""Command line of the ladder; see the package's docstring. Offline."""

from __future__ import annotations

import argparse
import functools
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from models.errors import SegueError
from models.evaluation import tagger
from models.evaluation.ladder import fullband
from models.evaluation.ladder.clips import RealMusic, clip_path, read_clip, write_clips
from models.evaluation.ladder.frechet import Vectors, frechet_distance
from models.evaluation.ladder.fullband import Features
from models.evaluation.ladder.report import draw, markdown
from models.registry import engine_names

REAL: Final = "real"
OTHER_REAL: Final = "other-real"


def parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    from models.evaluation.ladder.rungs import FIXED, SETTLE

    made = argparse.ArgumentParser(
        prog="python -m models.evaluation ladder",
        description="Measure how far each link of the chain is from the corpus and from real "
        "music. See the docstring of models.evaluation.ladder.",
    )
    made.add_argument("--out", type=Path, required=True, help="clips, figures, table and plot")
    made.add_argument("--real", type=Path, help="a folder of real music, of any audio files")
    made.add_argument("--clips", type=int, default=60)
    made.add_argument("--seconds", type=float, default=20.0, help="of a clip, ten or more")
    made.add_argument(
        "--skip",
        type=float,
        default=SETTLE,
        help="seconds at a stream's beginning that are left out; songs of the corpus begin at "
        "theirs (default: %(default)g)",
    )
    made.add_argument(
        "--rungs",
        nargs="+",
        help=f"of {', '.join(FIXED)}, and any registered engine ({', '.join(engine_names())}); "
        "score:LABEL and diffusion:LABEL with the weights of --weights",
    )
    made.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="LABEL=FOLDER",
        help="renderer, codec and arranger of other weights, as rungs of their own",
    )
    made.add_argument(
        "--tagger",
        type=Path,
        metavar="PYTHON",
        help="the Python of musicnn's environment (models.evaluation.tagger)",
    )
    made.add_argument("--audio-only", action="store_true", help="make the clips, measure nothing")
    return made


def default_rungs(labels: Sequence[str]) -> list[str]:
    """The rungs where nobody named any: all fixed ones, the embedded engines, other weights."""
    from models.evaluation.ladder.rungs import FIXED

    engines = [name for name in engine_names() if name.split("-")[0] == "segue"]
    other = [f"{kind}:{label}" for label in labels for kind in ("score", "diffusion")]
    return [*FIXED, *engines, *other]


def folder_of(out: Path, rung: str) -> Path:
    """Where a rung's clips lie."""
    return out / rung.replace(":", "-").replace("/", "-")


def embeddings(folder: Path, python: Path | None, count: int) -> Vectors | None:
    """Embeddings of a rung's first clips by musicnn, (n, d); None without its environment.

    Kept beside the clips, and made again where a clip is newer.

    Raises:
        SegueError: musicnn fails; its own words are printed before.

    """
    saved = folder / "musicnn.npz"
    clips = [clip_path(folder, number) for number in range(count)]
    newest = max(clip.stat().st_mtime for clip in clips)
    if not saved.exists() or saved.stat().st_mtime < newest:
        if python is None:
            return None
        order = [str(python), tagger.__file__, "embed", str(folder), "--out", str(saved)]
        if subprocess.run(order, check=False).returncode:
            raise SegueError(f"musicnn gave no embeddings of {folder}: see what it says above.")
    with np.load(saved) as arrays:
        chosen = [arrays[clip.stem] for clip in clips]
    return np.concatenate(chosen).astype(np.float64)


def measure(
    rungs: Sequence[str], out: Path, count: int, python: Path | None
) -> dict[str, dict[str, object]]:
    """Distances of every rung to the references that are there."""
    names = [*rungs, *(name for name in (REAL, OTHER_REAL) if folder_of(out, name).exists())]
    heard: dict[str, Vectors | None] = {}
    bands: dict[str, Features] = {}
    for name in names:
        folder = folder_of(out, name)
        heard[name] = embeddings(folder, python, count)
        clips = [read_clip(clip_path(folder, number)) for number in range(count)]
        bands[name] = fullband.features_of(clips)
        print(f"measured {name}", flush=True)
    results: dict[str, dict[str, object]] = {}
    for name in names:
        row: dict[str, object] = {"clips": count}
        for reference in ("corpus", REAL):
            if reference not in names or reference == name:
                continue
            mine, theirs = heard[name], heard[reference]
            if mine is not None and theirs is not None:
                row[f"musicnn_to_{reference}"] = frechet_distance(theirs, mine)
            each = fullband.distances(bands[reference], bands[name])
            row[f"full_band_to_{reference}"] = float(np.mean(list(each.values())))
            row[f"features_to_{reference}"] = each
        results[name] = row
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the clips that are missing, measure, write ladder.json, ladder.md and ladder.png."""
    options = parser().parse_args(arguments)
    try:
        run(options)
    except (SegueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def run(options: argparse.Namespace) -> None:
    """The command, after its arguments were read. SegueError tells what is wrong."""
    from models.evaluation.ladder.rungs import Setup, make_rung
    from models.runtime.threads import use_one_thread

    if options.clips < 2 or options.seconds < 10:
        raise SegueError("The ladder needs two clips or more, of ten seconds or more.")
    if not options.skip >= 0:
        raise SegueError("--skip is in seconds, zero or more.")
    use_one_thread()
    weights = {}
    for pair in options.weights:
        label, found, folder = pair.partition("=")
        if not found:
            raise SegueError(f"'{pair}' is no LABEL=FOLDER.")
        weights[label] = Path(folder)
    rungs = options.rungs or default_rungs(list(weights))
    setup = Setup(options.seconds, options.out, weights, options.skip)
    for name in rungs:
        rung = make_rung(name, setup)
        write_clips(folder_of(options.out, name), options.clips, rung.note, rung.make, _say)
    if options.real is not None:
        music = RealMusic(options.real, options.seconds)
        note = {"seconds": options.seconds, "folder": options.real.name}
        for name in (REAL, OTHER_REAL):
            excerpt = functools.partial(music.excerpt, other=name == OTHER_REAL)
            write_clips(folder_of(options.out, name), options.clips, note, excerpt, _say)
    if options.audio_only:
        return
    results = measure(rungs, options.out, options.clips, options.tagger)
    lengths = {"clips": options.clips, "seconds": options.seconds, "skip": options.skip}
    figures = {**lengths, "rungs": results}
    (options.out / "ladder.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    table = markdown(figures)
    (options.out / "ladder.md").write_text(table, encoding="utf-8")
    draw(figures, options.out / "ladder.png")
    print(table)


def _say(line: str) -> None:
    print(line, flush=True)
