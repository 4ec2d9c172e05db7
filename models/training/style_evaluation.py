"""Evaluation of the style model on held-out synonyms and clips."""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from models.segue.style import terms
from models.segue.style.audio_tower import AudioTower, split_windows
from models.segue.style.sentence_encoder import SentenceEncoder
from models.segue.style.text_head import TextHead
from models.training.sets.mel_set import LabelledClip
from models.training.text_head import top_k_accuracy

STEPS = 6


def evaluate_text(head: TextHead, encoder: SentenceEncoder, held_out: set[str]) -> dict[str, float]:
    """Top-1 and top-5 accuracy of the head on held-out synonyms."""
    return {
        "text top 1, unknown synonyms": top_k_accuracy(head, encoder, held_out, 1),
        "text top 5, unknown synonyms": top_k_accuracy(head, encoder, held_out, 5),
        "unknown synonyms": float(len(held_out)),
    }


def _shares(tower: AudioTower, power: Tensor) -> Tensor:
    """Term weights (120,) of a whole clip, as `StyleModel.audio_shares`."""
    device = next(tower.parameters()).device
    return tower.shares(split_windows(power).to(device)).mean(0).cpu()


def _power(item: LabelledClip, seconds: float = 10.0) -> Tensor:
    frames = int(seconds * 100)
    start = max(0, (len(item.mel) - frames) // 2)
    return 10 ** (torch.from_numpy(item.mel[start : start + frames].astype(np.float32)) / 10)


def ranks(tower: AudioTower, items: list[LabelledClip]) -> tuple[list[int], list[int]]:
    """Rank (from 0) of each clip's main term by weight, and by cosine of the style to anchors."""
    by_share, by_cosine = [], []
    anchors = tower.anchors.cpu()
    for item in items:
        shares = _shares(tower, _power(item))
        cosine = anchors @ (shares @ anchors)
        by_share.append(int((shares > shares[item.main]).sum()))
        by_cosine.append(int((cosine > cosine[item.main]).sum()))
    return by_share, by_cosine


def transition(tower: AudioTower, first: LabelledClip, last: LabelledClip) -> tuple[float, float]:
    """Rank correlation of similarity to the first and the last anchor over a 6-step mix."""
    a, b = _power(first), _power(last)
    size = min(len(a), len(b))
    a, b = a[:size] / a.mean(), b[:size] / b.mean()
    anchors = tower.anchors.cpu()
    fall, rise = [], []
    for share in np.linspace(0, 1, STEPS):
        # Weights are amplitudes, so powers are weighted by their squares.
        style = _shares(tower, (1 - share) ** 2 * a + share**2 * b) @ anchors
        fall.append(float(style @ anchors[first.main]))
        rise.append(float(style @ anchors[last.main]))
    order = np.arange(STEPS)
    return float(spearmanr(order, fall)[0]), float(spearmanr(order, rise)[0])


def evaluate_audio(
    tower: AudioTower, items: list[LabelledClip], pairs: int = 60
) -> dict[str, float]:
    """Top-1 and top-5 on held-out clips of 10 s (all, and the mean over terms), and transitions."""
    if not items:
        return {}
    by_share, by_cosine = (np.array(r) for r in ranks(tower, items))
    main = np.array([item.main for item in items])
    mostly_in_top_5 = [np.mean(by_share[main == t] < 5) >= 0.5 for t in np.unique(main)]
    rng = np.random.default_rng(3)
    correlations = []
    for _ in range(pairs if len(items) > 1 else 0):
        i, j = rng.choice(len(items), 2, replace=False)
        if main[i] != main[j]:
            correlations.append(transition(tower, items[i], items[j]))
    fall, rise = np.array(correlations).T if correlations else (np.zeros(1), np.zeros(1))
    return {
        "held-out clips": float(len(items)),
        "terms among them": float(len(np.unique(main))),
        "audio top 1": float((by_share < 1).mean()),
        "audio top 5": float((by_share < 5).mean()),
        "audio top 5 by cosine": float((by_cosine < 5).mean()),
        "terms mostly in the top 5": float(np.mean(mostly_in_top_5)),
        "pairs whose first falls (rho < -0.8)": float((fall < -0.8).mean()),
        "pairs whose last rises (rho > 0.8)": float((rise > 0.8).mean()),
        "mean rho, first": float(fall.mean()),
        "mean rho, last": float(rise.mean()),
    }


def worst_terms(
    tower: AudioTower, items: list[LabelledClip], count: int = 20
) -> list[tuple[str, float]]:
    """Terms whose held-out clips have the worst mean rank, with that rank."""
    places, _ = ranks(tower, items)
    main = np.array([item.main for item in items])
    means = [(terms.NAMES[t], float(np.mean(np.array(places)[main == t]))) for t in np.unique(main)]
    return sorted(means, key=lambda pair: -pair[1])[:count]
