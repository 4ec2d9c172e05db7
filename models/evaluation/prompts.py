"""Prompts and transitions: does the music become what the words say? Offline.

The ear is the style model's audio tower, which never saw this audio but shares its space with the
text; an outside ear is asked where there is one. Transitions follow Live Music Models, figure 2:
sixty seconds in six steps from one prompt to another, similarity to both along the way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from models.engine.interface import Controls, Engine, blend
from models.evaluation.measures import SEED, play, transitions_scores
from models.music.score import SAMPLE_RATE
from models.segue.style.terms import NAMES
from models.storage.json_types import JsonObject

STEPS: Final = 6
PAIRS_FILE: Final = "eval/prompt_transitions.tsv"


def prompts(engine: Engine, seconds: float = 12.0) -> JsonObject:
    """Rank of the asked term among the 120 by the audio tower, one case a term."""
    rank_of = _ranker()
    cases = []
    for index, term in enumerate(NAMES):
        controls = Controls(style=engine.embed_text(term))
        audio = play(engine, controls, seconds, SEED + 600 + index)
        heard = engine.embed_audio(audio[2 * SAMPLE_RATE :], SAMPLE_RATE)
        cases.append({"prompt": term, "rank": rank_of(heard, term)})
    ranks = np.array([case["rank"] for case in cases])
    return {
        "first_5": float(np.mean(ranks <= 5)),
        "first_1": float(np.mean(ranks <= 1)),
        "median_rank": float(np.median(ranks)),
        "cases": cases,
    }


def _ranker() -> Callable[[np.ndarray, str], int]:
    from models.segue.style import StyleModel

    model = StyleModel.load()

    def rank_of(heard: np.ndarray, term: str) -> int:
        names = [name for name, _ in model.rank_terms(heard)]
        return names.index(term) + 1

    return rank_of


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Tab-separated pairs of prompts."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = [tuple(line.split("\t")[:2]) for line in lines if line.strip()]
    return [(first, last) for first, last in pairs]


def transition(engine: Engine, first: str, last: str, seconds: float, seed: int) -> np.ndarray:
    """(6, 2) cosine similarity of each stretch to the first and to the last prompt."""
    styles = [engine.embed_text(first), engine.embed_text(last)]
    stream = engine.start(seed)
    blocks = round(seconds / STEPS / engine.info.block_seconds)
    rows = []
    for step in range(STEPS):
        share = step / (STEPS - 1)
        controls = Controls(style=blend(styles, [1.0 - share, share]))
        audio = np.concatenate([stream.render(controls) for _ in range(blocks)])
        heard = engine.embed_audio(audio, SAMPLE_RATE)
        rows.append([_cosine(heard, style) for style in styles])
    return np.array(rows)


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-9))


def transitions(
    engine: Engine,
    pairs: list[tuple[str, str]],
    seconds: float = 60.0,
    minutes: float | None = None,
) -> JsonObject:
    """Every pair of the list, or as many as begin within `minutes`; means over pairs, and the
    share whose trends are right.
    """
    begin = time.monotonic()
    table = []
    for index, (first, last) in enumerate(pairs):
        if minutes is not None and time.monotonic() - begin > 60 * minutes:
            break
        table.append(transition(engine, first, last, seconds, SEED + 800 + index))
    return {
        **transitions_scores(np.stack(table)),
        "pairs": len(table),
        "listed": len(pairs),
        "seconds": seconds,
        "table": [rows.tolist() for rows in table],
    }


def merged(parts: list[JsonObject]) -> JsonObject:
    """One result of several parts of the list."""
    table = np.concatenate([np.array(part["table"]) for part in parts])
    return {
        **transitions_scores(table),
        "pairs": len(table),
        "listed": sum(part["listed"] for part in parts),
        "seconds": parts[0]["seconds"],
        "table": table.tolist(),
    }


def draw_transitions(figures: JsonObject, path: Path) -> None:
    """The two curves of the paper's figure 2."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    table = np.array(figures["table"])
    figure, axes = plt.subplots(figsize=(6, 4))
    shares = np.linspace(0, 1, STEPS)
    for column, name in enumerate(("first prompt", "last prompt")):
        mean = table[:, :, column].mean(axis=0)
        error = 1.96 * table[:, :, column].std(axis=0) / np.sqrt(len(table))
        axes.plot(shares, mean, marker="o", label=f"similarity to the {name}")
        axes.fill_between(shares, mean - error, mean + error, alpha=0.2)
    axes.set_xlabel("share of the last prompt in the mix")
    axes.set_ylabel("cosine similarity")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
