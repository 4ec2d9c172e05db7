"""Style model: joint text-audio embedding.

A style is float32 (128,): the weighted mean of the anchors of the style terms.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

from models.errors import SegueError
from models.segue.style import anchors as anchor_table
from models.segue.style import terms
from models.segue.style.audio_tower import SAMPLE_RATE, AudioTower, mel_power, split_windows
from models.segue.style.sentence_encoder import SentenceEncoder
from models.segue.style.text_head import TextHead

Array = NDArray[np.float32]
MIN_SECONDS = 0.1
MAX_SECONDS = 60.0
SILENCE = 1e-4
"""Peak below which an audio prompt counts as silent (-80 dB)."""


def _subset(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Tensors whose names begin with `prefix`, without it, as float32."""
    return {
        name.removeprefix(prefix): value.float() if value.is_floating_point() else value
        for name, value in state.items()
        if name.startswith(prefix)
    }


class StyleModel:
    """Joint text-audio embedding model; create it with `StyleModel.load`."""

    def __init__(
        self, encoder: SentenceEncoder, head: TextHead, tower: AudioTower | None, anchors: Array
    ) -> None:
        self.encoder, self.head, self.tower = encoder, head, tower
        self.anchors = anchors

    @classmethod
    def load(cls, device: str = "cpu", weights: Path = anchor_table.WEIGHTS) -> StyleModel:
        """The model with the shipped weights. SegueError if they are missing or damaged."""
        anchors = anchor_table.load(weights)
        try:
            state = load_file(weights)
            head = TextHead(len(state["head.memory"]))
            head.load_state_dict(_subset(state, "head."))
            tower = None
            if "tower.scale" in state:
                tower = AudioTower(torch.from_numpy(anchors))
                tower.load_state_dict(_subset(state, "tower."))
        except (OSError, SafetensorError, KeyError, RuntimeError) as error:
            raise SegueError(
                f"The style weights {weights} are damaged or incomplete; install Segue again."
            ) from error
        encoder = SentenceEncoder.load()
        for module in (encoder, head, tower):
            if module is not None:
                module.to(device).eval().requires_grad_(False)
        return cls(encoder, head, tower, anchors)

    def text_shares(self, text: str) -> NDArray[np.float32]:
        """Weights of the style terms in a text, (120,) that sum to 1; SegueError for empty text."""
        if not isinstance(text, str) or not text.strip():
            raise SegueError("The prompt is empty; write a few words, such as 'minimal techno'.")
        resolution = terms.resolve(text)
        shares = np.zeros(len(terms.NAMES), dtype=np.float32)
        for name, weight in resolution.mixture.items():
            shares[terms.INDEX[name]] = weight
        if resolution.coverage == 1.0:
            return shares
        predicted = self.head.mixture(self.encoder.embed([text]))[0].cpu().numpy()
        # If the table has some of the words, at least half of the mixture is theirs.
        table_share = 0.5 + 0.5 * resolution.coverage if resolution.mixture else 0.0
        return np.asarray(table_share * shares + (1 - table_share) * predicted, dtype=np.float32)

    def embed_text(self, text: str) -> Array:
        """Style of a text, float32 (128,).

        Args:
            text: any words; terms and synonyms of `models.segue.style.terms` are recognised.

        Raises:
            SegueError: an empty text.

        """
        return np.asarray(self.text_shares(text) @ self.anchors, dtype=np.float32)

    def audio_shares(self, samples: ArrayLike, sample_rate: float) -> NDArray[np.float32]:
        """Weights of the style terms in audio, (120,) that sum to 1; errors as `embed_audio`."""
        if self.tower is None:
            raise SegueError(
                "These style weights hold no audio tower: use text prompts, or train one with "
                "python -m models.training.style."
            )
        power = mel_power(torch.from_numpy(to_mono(samples, sample_rate)))
        device = next(self.tower.parameters()).device
        audio_windows = split_windows(power)
        # Silent windows have no style.
        level = audio_windows.mean((1, 2))
        audio_windows = audio_windows[level >= 1e-3 * level.max()]
        shares = self.tower.shares(audio_windows.to(device)).mean(0).cpu().numpy()
        return np.asarray(shares, dtype=np.float32)

    def embed_audio(self, samples: ArrayLike, sample_rate: float) -> Array:
        """Style of audio, float32 (128,).

        Args:
            samples: float (n,) or (n, channels); only the first minute is used.
            sample_rate: Hz.

        Raises:
            SegueError: under 0.1 s, silent, not finite, or an invalid sample rate.

        """
        return np.asarray(self.audio_shares(samples, sample_rate) @ self.anchors, dtype=np.float32)

    def rank_terms(self, style: ArrayLike) -> list[tuple[str, float]]:
        """All 120 terms with their cosine to `style` (128,), highest first."""
        vector = np.asarray(style, dtype=np.float32)
        if vector.shape != (anchor_table.DIM,):
            raise SegueError(f"A style has {anchor_table.DIM} numbers, not {vector.shape}.")
        norm = float(np.linalg.norm(vector))
        if not np.isfinite(norm) or norm == 0.0:
            raise SegueError("This style is zero or not finite, so no term is near it.")
        scores = self.anchors @ vector / norm
        return [(terms.NAMES[i], float(scores[i])) for i in np.argsort(-scores, kind="stable")]


def to_mono(samples: ArrayLike, sample_rate: float) -> Array:
    """Audio as mono float32 (n,) at 48 kHz with a peak of 1; raises as `embed_audio`."""
    import soxr  # not needed for text prompts

    sound = np.asarray(samples, dtype=np.float32)
    if sound.ndim not in (1, 2) or (sound.ndim == 2 and not 1 <= sound.shape[1] <= 32):
        raise SegueError(f"Audio must be shaped (n,) or (n, channels), not {sound.shape}.")
    if not np.isfinite(sample_rate) or not 1000 <= sample_rate <= 768000:
        raise SegueError(f"{sample_rate} Hz is no sample rate; give 1000 to 768000.")
    sound = sound[: int(MAX_SECONDS * sample_rate)]
    if len(sound) < MIN_SECONDS * sample_rate:
        raise SegueError("The audio prompt is too short; give at least 0.1 s, better 4 s or more.")
    if not np.isfinite(sound).all():
        raise SegueError("The audio prompt holds numbers that are not finite; export it again.")
    mono = sound if sound.ndim == 1 else sound.mean(1)
    if sound.ndim == 2 and np.abs(mono).max() < 0.05 * np.abs(sound).max():
        mono = sound[:, 0]  # the channels cancel each other
    peak = float(np.abs(mono).max())
    if peak < SILENCE or float(np.ptp(mono)) / 2 < SILENCE:  # or a constant
        raise SegueError("The audio prompt is silent; choose a passage with sound.")
    mono = mono / peak
    if sample_rate != SAMPLE_RATE:
        mono = soxr.resample(mono, sample_rate, SAMPLE_RATE)
    return np.ascontiguousarray(mono, dtype=np.float32)


__all__ = ["StyleModel", "to_mono"]
