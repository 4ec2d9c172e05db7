"""Training of the style model's text head on captions generated from the terms table.

Captions of single terms, mixtures, synonyms, descriptions and scenes are embedded once by the
frozen sentence encoder; the head learns the distribution over terms behind each, with noise on the
embeddings for generalisation to similar words.
"""

from __future__ import annotations

import time
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
CAPTIONS = 12_000
STEPS = 2500
BATCH = 256
EMBEDDING_SHARE = 0.5
"""Share of the time in which captions may be embedded; the rest is for the head's steps."""
GROUP = 512
"""Captions that are embedded before the time is looked at again."""


@dataclass(frozen=True)
class TextSet:
    """Embedded captions x (n, 384), and their term weights y (n, 120)."""

    x: Tensor
    y: Tensor


def held_out_synonyms(share: float = 0.15, seed: int = 11) -> set[str]:
    """Random synonyms that are excluded from training, for evaluation."""
    rng = np.random.default_rng(seed)
    return {word for term in terms.TERMS for word in term.synonyms if rng.random() < share}


def captions(
    count: int, rng: np.random.Generator, excluded: set[str]
) -> list[tuple[str, dict[str, float]]]:
    """`count` random captions of 1 to 3 terms with their weights, without the excluded words."""
    examples: list[tuple[str, dict[str, float]]] = []
    excluded_phrases = {f" {' '.join(terms.tokens(word))} " for word in excluded}
    while len(examples) < count:
        size = int(rng.choice([1, 2, 3], p=[0.5, 0.38, 0.12]))
        names = [str(name) for name in rng.choice(terms.NAMES, size, replace=False)]
        weights = dict(zip(names, rng.choice([1.0, 1.0, 0.6, 0.35], size), strict=True))
        text = terms.caption(weights, rng)
        words_of_text = f" {' '.join(terms.tokens(text))} "
        if any(word in words_of_text for word in excluded_phrases):
            continue
        total = sum(weights.values())
        examples.append((text, {name: weight / total for name, weight in weights.items()}))
    return examples


def phrases(excluded: set[str]) -> list[tuple[str, dict[str, float]]]:
    """All texts of the table with their mixtures, except excluded ones."""
    pairs: list[tuple[str, dict[str, float]]] = []
    for term in terms.TERMS:
        alone = {term.name: 1.0}
        pairs.append((term.name, alone))
        pairs += [(word, alone) for word in term.synonyms if word not in excluded]
        for text in term_texts(term):
            if text not in excluded and text.removesuffix(" music") not in excluded:
                pairs.append((text, alone))
    pairs += [(word, mixture) for word, mixture in terms.MIXTURES.items() if word not in excluded]
    pairs += list(terms.SCENES.items()) * 3
    return pairs


class CaptionEncoder:
    """Sentence encoder that embeds no text twice."""

    def __init__(self, encoder: SentenceEncoder) -> None:
        self.encoder = encoder
        self._rows: dict[str, Tensor] = {}

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Embeddings (n, 384), in batches of similar length."""
        new = sorted(dict.fromkeys(t for t in texts if t not in self._rows), key=len)
        for start in tqdm(range(0, len(new), 128), unit="batch", desc="captions", mininterval=5):
            chosen = new[start : start + 128]
            self._rows.update(zip(chosen, self.encoder.embed(chosen), strict=True))
        return torch.stack([self._rows[text] for text in texts])


def shares(mixtures: Sequence[dict[str, float]]) -> Tensor:
    """Term weights (n, 120), smoothed towards related terms."""
    y = torch.zeros(len(mixtures), len(terms.NAMES))
    for row, mixture in enumerate(mixtures):
        for name, weight in mixture.items():
            related = terms.term(name).related
            spread = SMOOTHING if related else 0.0
            y[row, terms.INDEX[name]] += weight * (1 - spread)
            for other, cosine in related.items():
                y[row, terms.INDEX[other]] += weight * spread * cosine / sum(related.values())
    return y


def make_set(
    encoder: CaptionEncoder, count: int, seed: int, excluded: set[str], seconds: float
) -> TextSet:
    """Embedded captions and phrases to train on: at most `count` captions, of which none begins to
    be embedded after `seconds`.
    """
    until = time.monotonic() + seconds
    pairs, rng = phrases(excluded), np.random.default_rng(seed)
    x = [encoder.embed([text for text, _ in pairs])]
    while count > 0 and time.monotonic() < until:
        drawn = captions(min(count, GROUP), rng, excluded)
        x.append(encoder.embed([text for text, _ in drawn]))
        pairs, count = pairs + drawn, count - len(drawn)
    return TextSet(torch.cat(x), shares([mixture for _, mixture in pairs]))


def make_head(encoder: CaptionEncoder, excluded: set[str]) -> TextHead:
    """An untrained head whose memory is the table's phrases."""
    remembered = [
        (text, i)
        for i, term in enumerate(terms.TERMS)
        for text in [f"{term.name} music", f"{term.name}: {term.description}"]
        + [word for word in term.synonyms if word not in excluded]
    ]
    head = TextHead(len(remembered))
    head.memory.copy_(encoder.embed([text for text, _ in remembered]))
    head.owner.copy_(torch.tensor([i for _, i in remembered]))
    return head


def steps_within(head: TextHead, data: TextSet, seconds: float, trials: int = 3) -> int:
    """Steps of training that `seconds` allow, one at least and STEPS at most; the head stays."""
    begin = time.monotonic()
    for _ in range(trials):
        _loss(head, data.x[:BATCH], data.y[:BATCH]).backward()  # type: ignore[no-untyped-call]
    now = time.monotonic()
    head.zero_grad(set_to_none=True)
    left = seconds - (now - begin)
    return max(1, min(STEPS, int(left / (now - begin) * trials)))


def _loss(head: TextHead, x: Tensor, y: Tensor) -> Tensor:
    return -(y * head(x).log_softmax(-1)).sum(-1).mean()


def train_head(head: TextHead, data: TextSet, steps: int, seed: int) -> list[dict[str, float]]:
    """Train in place; returns the loss curve."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    optimiser = torch.optim.AdamW(head.parameters(), lr=2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    head.train()
    curve = []
    bar = tqdm(range(steps), unit="step", desc="text head", mininterval=5)
    for step in bar:
        rows = torch.randint(len(data.x), (BATCH,), generator=generator)
        x = data.x[rows]
        level = 0.6 * torch.rand(len(x), 1, generator=generator)
        x = F.normalize(x + level * torch.randn(x.shape, generator=generator) / 384**0.5, dim=-1)
        loss = _loss(head, x, data.y[rows])
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
    """Top-k accuracy of the head on the given synonyms."""
    pairs = [(w, i) for i, term in enumerate(terms.TERMS) for w in term.synonyms if w in words]
    best = head(encoder.embed([w for w, _ in pairs])).topk(k).indices
    truth = torch.tensor([i for _, i in pairs])
    return float((best == truth[:, None]).any(1).float().mean())
