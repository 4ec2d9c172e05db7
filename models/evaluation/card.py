"""Write the model card from what was measured. Offline.

    python -m models.evaluation.card --figures runs/evaluation --out resources/weights/MODEL.md

The words are in card.md beside this file; every figure comes from a JSON file of the measurements,
and a bar without a measurement says so.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from safetensors import safe_open

from models.storage.json_types import JsonObject

TEMPLATE: Final = Path(__file__).with_name("card.md")


@dataclass(frozen=True)
class CardBar:
    """One row of the table: what, which file, how to read it, and when it is met."""

    what: str
    bar: str
    source: str
    show: Callable[[JsonObject], str]
    met: Callable[[JsonObject], bool]


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


BARS: Final = (
    CardBar(
        "from process start to the first block",
        "under 8 s",
        "bench",
        lambda f: f"{f['start_to_first_block_seconds']:.1f} s",
        lambda f: f["start_to_first_block_seconds"] < 8,
    ),
    CardBar(
        "peak memory",
        "under 1.5 GB",
        "bench",
        lambda f: f"{f['peak_rss_mb'] / 1000:.2f} GB",
        lambda f: f["peak_rss_mb"] < 1500,
    ),
    CardBar(
        "real-time factor on two CPU cores, whole chain",
        "at least 3",
        "speed",
        lambda f: f"{f['real_time_factor']:.1f}",
        lambda f: f["real_time_factor"] >= 3,
    ),
    CardBar(
        "p99 block time, share of the block",
        "under 0.6",
        "speed",
        lambda f: f"{f['p99_share_of_block']:.2f}",
        lambda f: f["p99_share_of_block"] < 0.6,
    ),
    CardBar(
        "seams: rank tests of jump and flux at block edges",
        "p > 0.05",
        "seams",
        lambda f: f"p = {f['jump_p']:.2f} and {f['flux_p']:.2f}",
        lambda f: min(f["jump_p"], f["flux_p"]) > 0.05,
    ),
    CardBar(
        "ten minutes: level range after 20 s",
        "within 6 dB",
        "endurance",
        lambda f: f"{f['level_range_db']:.1f} dB",
        lambda f: f["level_range_db"] <= 6,
    ),
    CardBar(
        "ten minutes: longest silence, peak, finite",
        "under 2 s, under full scale, no NaN",
        "endurance",
        lambda f: (
            f"{f['longest_silence_seconds']:.1f} s, {f['peak']:.2f}, "
            f"{'finite' if f['finite'] else 'NOT FINITE'}"
        ),
        lambda f: f["longest_silence_seconds"] <= 2 and f["peak"] < 1 and f["finite"],
    ),
    CardBar(
        "ten minutes: drift of brightness",
        "under 25 %",
        "endurance",
        lambda f: _share(f["brightness_drift"]),
        lambda f: f["brightness_drift"] < 0.25,
    ),
    CardBar(
        "tempo within 4 % (essentia), 40 cases",
        "at least 80 %, double and half counted apart",
        "tempo",
        lambda f: (
            f"{_share(f['right'])} right, {f['counts']['double']} double, "
            f"{f['counts']['half']} half, {f['counts']['wrong']} wrong"
        ),
        lambda f: f["right"] >= 0.8,
    ),
    CardBar(
        "key (essentia), MIREX weighting, 40 cases",
        "at least 70 %",
        "key",
        lambda f: _share(f["mirex"]),
        lambda f: f["mirex"] >= 0.7,
    ),
    CardBar(
        "density: rank correlation with onsets (librosa)",
        "at least 0.8",
        "density",
        lambda f: f"{f['rank_correlation']:.2f}",
        lambda f: f["rank_correlation"] >= 0.8,
    ),
    CardBar(
        "brightness: rank correlation with centroid (librosa)",
        "at least 0.8",
        "brightness",
        lambda f: f"{f['rank_correlation']:.2f}",
        lambda f: f["rank_correlation"] >= 0.8,
    ),
    CardBar(
        "muted drums: percussive power left (librosa), median",
        "under a quarter",
        "stems",
        lambda f: _share(f["left"]),
        lambda f: f["left"] < 0.25,
    ),
    CardBar(
        "guidance, from least to most, the renderer alone: mel distance of the same score",
        "at least 1 dB",
        "guidance",
        lambda f: (
            f"{f['moved_db']:.2f} dB (other noise {f['other_noise_db']:.2f} dB); likeness to the "
            f"prompt {f['similarity'][0]:.3f}, then {f['similarity'][2]:.3f}"
        ),
        lambda f: f["moved_db"] >= 1,
    ),
    CardBar(
        "prompts: asked term in the audio tower's first 5 of 120",
        "at least 60 %",
        "prompts",
        lambda f: f"{_share(f['first_5'])} (first: {_share(f['first_1'])})",
        lambda f: f["first_5"] >= 0.6,
    ),
    CardBar(
        "prompts: an outside tagger (musicnn) hears the asked word",
        "agrees where it has the word: in its first 10 of 50 for 60 %",
        "tagger",
        lambda f: (
            f"{_share(f['first_10'])} of {f['terms']} terms' words (training corpus "
            f"{_share(f['ceiling']['first_10'])}, chance {_share(f['chance_10'])}); asking raises "
            f"it in {_share(f['raises'])}, {f['median_raised']:.1f}-fold (training corpus "
            f"{f['ceiling']['median_raised']:.1f}-fold)"
        ),
        lambda f: f["first_10"] >= 0.6,
    ),
    CardBar(
        "transitions: similarity to the first falls, to the last rises",
        "figure 2 of Live Music Models, as a plot",
        "transitions",
        lambda f: (
            f"falls in {_share(f['falls'])}, rises in {_share(f['rises'])} of {f['pairs']} pairs "
            f"of {f['listed']}"
        ),
        lambda f: f["to_first"][0] > f["to_first"][-1] and f["to_last"][0] < f["to_last"][-1],
    ),
)


def table(folder: Path) -> str:
    """The Markdown table of bars and figures."""
    rows = ["| what | bar | measured | met |", "|---|---|---|---|"]
    for bar in BARS:
        path = folder / f"{bar.source}.json"
        if not path.exists():
            rows.append(f"| {bar.what} | {bar.bar} | not measured | no |")
            continue
        figures = json.loads(path.read_text(encoding="utf-8"))
        met = "yes" if bar.met(figures) else "no"
        if figures.get("earlier"):  # not measured again since the weights changed
            met = "with earlier weights"
        rows.append(f"| {bar.what} | {bar.bar} | {bar.show(figures)} | {met} |")
    return "\n".join(rows)


def sizes(weights: Path) -> str:
    """Markdown table of the weights files: parameters and bytes."""
    rows = ["| part | numbers | file |", "|---|---|---|"]
    total = 0
    for path in sorted(weights.glob("*.safetensors")):
        with safe_open(str(path), framework="numpy") as file:
            shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118
        count = sum(math.prod(shape) for shape in shapes)
        size = path.stat().st_size
        total += size
        rows.append(f"| {path.stem} | {count / 1e6:.2f} M | {size / 1e6:.1f} MB |")
    return "\n".join([*rows, f"| together | | {total / 1e6:.1f} MB |"])


def draw_endurance(figures: JsonObject, path: Path) -> None:
    """Level over ten minutes, as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    levels = figures["levels_db"]
    figure, axes = plt.subplots(figsize=(7, 2.6))
    axes.plot([20 + 10 * i for i in range(len(levels))], levels, marker=".")
    axes.set_xlabel("seconds")
    axes.set_ylabel("level, dB")
    axes.set_title(f"ten minutes of '{figures['prompt']}', level of each 10 s")
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main() -> None:
    """Fill the template."""
    parser = argparse.ArgumentParser(description="Write the model card.")
    parser.add_argument("--figures", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=TEXT")
    arguments = parser.parse_args()
    folder: Path = arguments.figures
    sections = {name: folder / f"{name}.md" for name in ("codec", "ladder")}
    words = {
        "table": table(folder),
        **{n: p.read_text("utf-8") if p.exists() else "not measured" for n, p in sections.items()},
        "sizes": sizes(arguments.out.parent),
        **dict(pair.split("=", 1) for pair in arguments.set),
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, value in words.items():
        text = text.replace("{{" + name + "}}", value.strip())
    if "{{" in text:
        parser.error(f"the card lacks {text[text.index('{{') :].split('}}')[0][2:]}: give --set")
    plots = arguments.out.parent / "plots"
    plots.mkdir(exist_ok=True)
    if (folder / "endurance.json").exists():
        figures = json.loads((folder / "endurance.json").read_text("utf-8"))
        if "levels_db" in figures:
            draw_endurance(figures, plots / "endurance.png")
    for name in ("transitions.png", "renderer_loss.png", "codec.png", "ladder.png"):
        if (folder / name).exists():
            shutil.copyfile(folder / name, plots / name)
    arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
