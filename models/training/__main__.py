"""Command line that runs all stages of the training; see the package's docstring."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

WEIGHTS = Path("resources/weights")


def stages(
    out: Path, hours: float, minutes: float, device: str, weights: Path = WEIGHTS
) -> dict[str, list[str]]:
    """Command-line arguments of every stage; `minutes` is the flow's, SHARES those of others. A run
    of less than TRIAL_MINUTES tries the chain: its steps are small, so that some fit.
    """
    corpus, prepared = str(out / "corpus"), str(out / "prepared")
    compute = ["--device", device]
    small = ["--batch", "2", "--blocks", "8"] if minutes < TRIAL_MINUTES else []
    spans = {name: f"{minutes * share:.2f}" for name, share in SHARES.items()}
    return {
        "corpus": ["models.corpus", "--hours", str(hours), "--out", corpus],
        "codec": [
            *("models.training.codec", "--data", corpus, "--out", str(out / "codec"), *compute),
            *("--minutes", spans["codec"], "--export", str(weights / "codec.safetensors")),
        ],
        "style": [
            *("models.training.style", "--text", "--final", "--data", corpus, *compute),
            *("--out", str(out / "style"), "--minutes", spans["style"]),
            *("--text-minutes", spans["text"]),
            *("--weights", str(weights / "style.safetensors")),
        ],
        "latents": [
            *("models.training.latents", "--data", corpus, "--out", prepared),
            *("--codec", str(weights / "codec.safetensors")),
        ],
        "arranger": [
            *("models.training.arranger", "--out", str(out / "arranger")),
            *("--minutes", spans["arranger"], "--export", str(weights / "arranger.safetensors")),
            *(["--batch", "4"] if small else []),
        ],
        "flow": [
            *("models.training.renderer", "--data", prepared, "--out", str(out / "flow")),
            *(*compute, *small, "--minutes", f"{minutes:.2f}"),
            *("--export", str(out / "renderer-flow.safetensors")),
        ],
        "distil": [
            *("models.training.distil", "--data", prepared, "--teacher", str(out / "flow")),
            *("--out", str(out / "distil"), *compute, *small, "--minutes", spans["distil"]),
            *("--export", str(weights / "renderer.safetensors")),
        ],
        "manifest": ["models.storage.weights", str(weights)],
    }


SHARES = {"codec": 0.4, "style": 0.2, "text": 0.15, "arranger": 0.6, "distil": 0.25}
TRIAL_MINUTES = 3.0


def main(words: list[str] | None = None) -> int:
    """Run the stages in order, resuming each."""
    parser = argparse.ArgumentParser(description="Train the embedded engine.")
    parser.add_argument("--out", type=Path, required=True, help="corpus, checkpoints, curves")
    parser.add_argument("--hours", type=float, default=8.0, help="of corpus")
    parser.add_argument("--minutes", type=float, default=75.0, help="of the flow's training")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--from", dest="first", default="corpus", help="stage to begin with")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder of what is learned")
    arguments = parser.parse_args(words)
    table = stages(
        arguments.out, arguments.hours, arguments.minutes, arguments.device, arguments.weights
    )
    arguments.weights.mkdir(parents=True, exist_ok=True)
    names = list(table)
    if arguments.first not in names:
        parser.error(f"there is no stage '{arguments.first}': choose from {', '.join(names)}")
    for name in names[names.index(arguments.first) :]:
        print(f"== {name}: python -m {' '.join(table[name])}", flush=True)
        done = subprocess.run([sys.executable, "-m", *table[name]], check=False)
        if done.returncode:
            print(f"{name} stopped; run again with --from {name}", file=sys.stderr)
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
