"""Train the style model's text head on captions made from the terms table. Offline lane, CPU.

Captions of single terms, of mixtures, synonyms, descriptions and scenes are embedded once by the
frozen sentence encoder; the head learns the distribution over terms that each was made from, with
noise on the embeddings so that neighbouring words fall to the neighbouring terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from models.segue.style import terms
from models.segue.style.anchors import term_texts
from models.segue.style.sentence_encoder import SentenceEncoder
from models.segue.style.text_head import TextHead

SMOOTHING = 0.04


@dataclass(frozen=True)
class TextSet:
    """Embedded captions: x (n, 384), and the share of each term in each: y (n, 120)."""

    x: Tensor
    y: Tensor


def held_out_synonyms(share: float = 0.15, seed: int = 11) -> set[str]:
    """Synonyms that are kept from training to see how unknown words fare."""
    rng = np.random.default_rng(seed)
    return {word for term in terms.TERMS for word in term.synonyms if rng.random() < share}


def captions(
    count: int, rng: np.random.Generator, without: set[str]
) -> list[tuple[str, dict[str, float]]]:
    """`count` captions of 1 to 3 terms with their shares; none speaks a word of `without`."""
    made: list[tuple[str, dict[str, float]]] = []
    banned = {f" {' '.join(terms.tokens(word))} " for word in without}
    while len(made) < count:
        size = int(rng.choice([1, 2, 3], p=[0.5, 0.38, 0.12]))
        names = [str(name) for name in rng.choice(terms.NAMES, size, replace=False)]
        weights = dict(zip(names, rng.choice([1.0, 1.0, 0.6, 0.35], size), strict=True))
        text = terms.caption(weights, rng)
        spoken = f" {' '.join(terms.tokens(text))} "
        if any(word in spoken for word in banned):
            continue
        whole = sum(weights.values())
        made.append((text, {name: weight / whole for name, weight in weights.items()}))
    return made


def phrases(without: set[str]) -> list[tuple[str, dict[str, float]]]:
    """Everything the table says of single terms and fixed mixtures."""
    found: list[tuple[str, dict[str, float]]] = []
    for term in terms.TERMS:
        alone = {term.name: 1.0}
        found.append((term.name, alone))
        found += [(word, alone) for word in term.synonyms if word not in without]
        for text in term_texts(term):
            if text not in without and text.removesuffix(" music") not in without:
                found.append((text, alone))
    found += list(terms.MIXTURES.items())
    found += list(terms.SCENES.items()) * 3
    return found


def embed_all(encoder: SentenceEncoder, batch: Sequence[str]) -> Tensor:
    """(n, 384), with a progress bar; texts of like length go together."""
    order = sorted(range(len(batch)), key=lambda i: len(batch[i]))
    rows = torch.empty(len(batch), 384)
    for start in tqdm(range(0, len(order), 128), unit="batch", desc="captions", mininterval=5):
        chosen = order[start : start + 128]
        rows[chosen] = encoder.embed([batch[i] for i in chosen])
    return rows


def shares(mixtures: Sequence[dict[str, float]]) -> Tensor:
    """(n, 120) shares, smoothed a little towards related terms."""
    y = torch.zeros(len(mixtures), len(terms.NAMES))
    for row, mixture in enumerate(mixtures):
        for name, weight in mixture.items():
            related = terms.term(name).related
            spread = SMOOTHING if related else 0.0
            y[row, terms.INDEX[name]] += weight * (1 - spread)
            for other, cosine in related.items():
                y[row, terms.INDEX[other]] += weight * spread * cosine / sum(related.values())
    return y


def make_set(encoder: SentenceEncoder, count: int, seed: int, without: set[str]) -> TextSet:
    """Embedded captions and phrases to train on."""
    pairs = phrases(without) + captions(count, np.random.default_rng(seed), without)
    return TextSet(embed_all(encoder, [t for t, _ in pairs]), shares([m for _, m in pairs]))


def make_head(encoder: SentenceEncoder, without: set[str]) -> TextHead:
    """An untrained head that remembers the table's phrases."""
    remembered = [
        (text, i)
        for i, term in enumerate(terms.TERMS)
        for text in [f"{term.name} music", f"{term.name}: {term.description}"]
        + [word for word in term.synonyms if word not in without]
    ]
    head = TextHead(len(remembered))
    head.memory.copy_(embed_all(encoder, [text for text, _ in remembered]))
    head.owner.copy_(torch.tensor([i for _, i in remembered]))
    return head


def train_head(head: TextHead, data: TextSet, steps: int, seed: int) -> list[dict[str, float]]:
    """Train in place; returns the loss curve. About a minute on one core for 3000 steps."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    optimiser = torch.optim.AdamW(head.parameters(), lr=2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    head.train()
    curve = []
    bar = tqdm(range(steps), unit="step", desc="text head", mininterval=5)
    for step in bar:
        rows = torch.randint(len(data.x), (256,), generator=generator)
        x = data.x[rows]
        level = 0.6 * torch.rand(len(x), 1, generator=generator)
        x = F.normalize(x + level * torch.randn(x.shape, generator=generator) / 384**0.5, dim=-1)
        loss = -(data.y[rows] * head(x).log_softmax(-1)).sum(-1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 50 == 0:
            curve.append({"step": float(step), "text loss": float(loss.detach())})
            bar.set_postfix(loss=f"{curve[-1]['text loss']:.3f}")
    head.eval()
    return curve


@torch.no_grad()
def top_k_accuracy(head: TextHead, encoder: SentenceEncoder, words: set[str], k: int = 5) -> float:
    """Share of single-term synonyms for which the head ranks their term in the first `k`."""
    pairs = [(w, i) for i, term in enumerate(terms.TERMS) for w in term.synonyms if w in words]
    best = head(encoder.embed([w for w, _ in pairs])).topk(k).indices
    truth = torch.tensor([i for _, i in pairs])
    return float((best == truth[:, None]).any(1).float().mean())
