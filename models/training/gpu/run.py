"""Training run on a GPU for a limited time: flow, distillation, ARC-Forcing; weights in parts.

    python -m models.training.gpu.shards --data PREPARED --out SHARDS          here, before
    python -m models.training.gpu.run --data SHARDS --out RUN --start FLOW.safetensors
    python -m models.training.gpu.run --join RUN/parts --export WEIGHTS    here, after

The run goes on where it was stopped, also in the middle of a stage; `RUN/clock.json` keeps the
minutes that each stage has had. New shards that arrive meanwhile are read. Weights come back in
parts of 16 MiB, with their checksums.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from models.errors import SegueError

SHARES: Final = {"flow": 0.55, "distil": 0.25, "arc": 0.2}
"""Of the minutes, by stage."""
PART: Final = 16 * 2**20
WEIGHTS: Final = {"flow": "renderer-flow", "distil": "renderer-distilled", "arc": "renderer-arc"}
TICK: Final = 2.0  # seconds


def stage_command(name: str, data: Path, out: Path, start: Path | None, device: str,
                  batch: int) -> list[str]:  # fmt: skip
    """Command line of a stage, without its minutes."""
    module = {"flow": "renderer", "distil": "distil", "arc": "arc.forcing"}[name]
    words = [f"models.training.{module}", "--data", str(data), "--out", str(out / name)]
    words += ["--device", device, "--export", str(out / f"{WEIGHTS[name]}.safetensors")]
    if name == "flow":
        words += ["--batch", str(batch), "--rate", "4e-4" if start else "1.2e-3"]
        words += ["--start", str(start)] if start else []
    elif name == "distil":
        words += ["--teacher", str(out / "flow"), "--batch", str(max(1, batch * 3 // 4))]
    else:
        words += ["--start", str(out / f"{WEIGHTS['distil']}.safetensors")]
        words += ["--batch", str(max(2, batch // 2))]
    return words


def read_clock(out: Path) -> dict[str, float]:
    """Minutes that each stage has had."""
    try:
        found = json.loads((out / "clock.json").read_text())
        return {name: float(found.get(name, 0.0)) for name in SHARES}
    except (OSError, ValueError, AttributeError, TypeError):
        return dict.fromkeys(SHARES, 0.0)


def write_clock(out: Path, clock: dict[str, float]) -> None:
    """Keep the minutes, whole at any instant."""
    partial = out / "clock.partial"
    partial.write_text(json.dumps(clock))
    partial.replace(out / "clock.json")


def train(data: Path, out: Path, start: Path | None, minutes: float, device: str,
          batch: int) -> int:  # fmt: skip
    """Run the stages for their shares of the minutes, less what they have had.

    Returns:
        0, or the exit status of the stage that failed.

    """
    out.mkdir(parents=True, exist_ok=True)
    clock = read_clock(out)
    for name, share in SHARES.items():
        weights = out / f"{WEIGHTS[name]}.safetensors"
        left = share * minutes - clock[name]
        if left <= 0.0 and weights.exists():
            continue
        words = stage_command(name, data, out, start, device, batch)
        words += ["--minutes", f"{max(left, 0.01):.3f}"]
        print(f"== {name}: python -m {' '.join(words)}", flush=True)
        process = subprocess.Popen([sys.executable, "-m", *words])
        before = time.monotonic()
        while process.poll() is None:
            time.sleep(TICK)
            now = time.monotonic()
            clock[name] += (now - before) / 60
            before = now
            write_clock(out, clock)
        if process.returncode:
            print(f"{name} stopped; the same command goes on from there", file=sys.stderr)
            return process.returncode
        split(weights, out / "parts")
    return 0


def split(weights: Path, folder: Path) -> list[Path]:
    """Cut a file into parts of at most PART bytes, with a list of checksums beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    data = weights.read_bytes()
    parts = []
    for number, start in enumerate(range(0, len(data), PART)):
        path = folder / f"{weights.name}.{number:02d}"
        path.write_bytes(data[start : start + PART])
        parts.append(path)
    note = {"name": weights.name, "parts": len(parts), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / f"{weights.name}.json").write_text(json.dumps(note))
    return parts


def join(folder: Path, out: Path) -> list[Path]:
    """Join the parts that `split` wrote.

    Args:
        folder: of the parts and their lists.
        out: folder of the whole files.

    Returns:
        The whole files.

    Raises:
        SegueError: there are no lists, or parts are missing or damaged.

    """
    lists = sorted(folder.glob("*.json"))
    if not lists:
        raise SegueError(f"{folder} holds no parts of weights: name the folder that came back.")
    out.mkdir(parents=True, exist_ok=True)
    whole = []
    for path in lists:
        note = json.loads(path.read_text())
        name = Path(note["name"]).name
        parts = [folder / f"{name}.{number:02d}" for number in range(note["parts"])]
        missing = [part.name for part in parts if not part.exists()]
        if missing:
            raise SegueError(f"{name} lacks {', '.join(missing)}: fetch them and join again.")
        data = b"".join(part.read_bytes() for part in parts)
        if hashlib.sha256(data).hexdigest() != note["sha256"]:
            raise SegueError(f"the parts of {name} are damaged: fetch them and join again.")
        (out / name).write_bytes(data)
        whole.append(out / name)
    return whole


def main(words: list[str] | None = None) -> int:
    """Command line of the run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of training.shards or training.latents")
    parser.add_argument("--out", type=Path, help="checkpoints, weights, parts")
    parser.add_argument("--start", type=Path, help="exported weights of a flow to begin with")
    parser.add_argument("--minutes", type=float, default=40.0, help="of all stages together")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--join", type=Path, help="folder of parts that came back")
    parser.add_argument("--export", type=Path, help="where joined weights go")
    given = parser.parse_args(words)
    try:
        if given.join:
            if not given.export:
                parser.error("--join needs --export FOLDER for the whole files")
            for path in join(given.join, given.export):
                print(path)
            return 0
        if not given.data or not given.out:
            parser.error("a run needs --data and --out")
        return train(given.data, given.out, given.start, given.minutes, given.device, given.batch)
    except SegueError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
