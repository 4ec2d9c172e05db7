"""The ladder's table and picture. Offline; pure but for matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from models.storage.json_types import JsonObject

COLUMNS: Final = (
    ("musicnn_to_corpus", "musicnn, to the corpus", 1),
    ("musicnn_to_real", "musicnn, to real music", 1),
    ("full_band_to_corpus", "full band, to the corpus", 3),
    ("full_band_to_real", "full band, to real music", 3),
)
"""Key of a figure, its heading, decimals."""

TITLES: Final = {
    "corpus": "corpus",
    "other-corpus": "other songs of the corpus",
    "codec": "codec alone",
    "score": "true scores, renderer, codec",
    "arranger": "arranger's scores, the corpus' instruments",
    "real": "real music",
    "other-real": "other real music",
}


def title(name: str) -> str:
    """A rung's name in the table: engines by their own names."""
    kind, _, label = name.partition(":")
    if kind == "diffusion":
        return f"diffusion engine, weights '{label}'"
    return f"{TITLES.get(kind, f'`{kind}`')}" + (f", weights '{label}'" if label else "")


def markdown(figures: JsonObject) -> str:
    """The table: a row for each rung, '-' where a figure was not measured; then how much music."""
    lines = [
        "| rung | " + " | ".join(heading for _, heading, _ in COLUMNS) + " |",
        "|---" * (len(COLUMNS) + 1) + "|",
    ]
    for name, row in figures["rungs"].items():
        cells = [f"{row[key]:.{digits}f}" if key in row else "-" for key, _, digits in COLUMNS]
        lines.append(f"| {title(name)} | " + " | ".join(cells) + " |")
    amount = f"{figures['clips']} clips of {figures['seconds']:g} seconds a rung"
    amount += f", streams from second {figures['skip']:g}." if "skip" in figures else "."
    return "\n".join([*lines, "", amount]) + "\n"


def draw(figures: JsonObject, path: Path) -> None:
    """Bars of all distances as a PNG: musicnn on the left, full band on the right."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = list(figures["rungs"])[::-1]
    size = (11, 1.2 + 0.42 * len(names))
    figure, axes = plt.subplots(1, 2, figsize=size, sharey=True)
    for side, ear in enumerate(("musicnn", "full_band")):
        for place, reference in enumerate(("corpus", "real")):
            key = f"{ear}_to_{reference}"
            values = [figures["rungs"][name].get(key, 0.0) for name in names]
            rows = [number + 0.2 - 0.4 * place for number in range(len(names))]
            axes[side].barh(rows, values, height=0.38, label=f"to {COLUMNS[place][1][12:]}")
        axes[side].set_title(ear.replace("_", " "))
        axes[side].grid(axis="x", alpha=0.3)
        axes[side].set_xlabel("distance")
    axes[0].set_yticks(range(len(names)), [title(name) for name in names])
    axes[1].legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)
