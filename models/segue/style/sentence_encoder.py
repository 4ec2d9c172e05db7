"""Sentence encoder all-MiniLM-L6-v2 (Apache-2.0) in PyTorch.

Six BERT layers (Devlin et al. 2019, section 3; distilled as in Wang et al. 2020, MiniLM; trained
on sentence pairs as in Reimers & Gurevych 2019, section 3), mean pooling, unit length. Weights
are stored as int8 with a scale per output row and dequantised when loaded, except for the word
embeddings. Loading is not thread-safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from models.errors import SegueError
from models.segue.style.terms import RESOURCES

WEIGHTS = RESOURCES / "weights" / "minilm.safetensors"
TOKENIZER = RESOURCES / "weights" / "minilm-tokenizer.json"
WIDTH, LAYERS, HEADS, INNER = 384, 6, 12, 1536
MAX_TOKENS = 128


class _Layer(nn.Module):
    """A post-norm transformer encoder layer, as in BERT."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-12)
        self.up = nn.Linear(WIDTH, INNER)
        self.down = nn.Linear(INNER, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        batch, length, _ = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        heads = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :])
        x = self.norm1(x + self.out(heads.transpose(1, 2).reshape(batch, length, WIDTH)))
        return self.norm2(x + self.down(F.gelu(self.up(x))))  # type: ignore[no-any-return]


class SentenceEncoder(nn.Module):
    """Encoder of texts as unit vectors (384,)."""

    def __init__(self, tokenizer: Tokenizer, vocabulary: int) -> None:
        super().__init__()
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
        self.tokenizer = tokenizer
        self.words: Tensor
        self.word_scale: Tensor
        self.register_buffer("words", torch.zeros(vocabulary, WIDTH, dtype=torch.int8))
        self.register_buffer("word_scale", torch.zeros(vocabulary))
        self.positions = nn.Parameter(torch.zeros(512, WIDTH))
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList(_Layer() for _ in range(LAYERS))

    @classmethod
    def load(cls, weights: Path = WEIGHTS, tokenizer: Path = TOKENIZER) -> SentenceEncoder:
        """The encoder with the shipped weights. SegueError where a file is missing or damaged."""
        try:
            state = load_file(weights)
            text = Tokenizer.from_str(tokenizer.read_text(encoding="utf-8"))
        except (OSError, SafetensorError) as error:
            raise SegueError(
                f"The text encoder in {weights.parent} cannot be read; install Segue again."
            ) from error
        except Exception as error:  # the tokenizers package raises plain Exception
            raise SegueError(f"{tokenizer} is damaged; install Segue again.") from error
        with torch.device("meta"):
            encoder = cls(text, state["words"].shape[0])
        try:
            encoder.load_state_dict(dequantise(state), assign=True)
        except RuntimeError as error:
            raise SegueError(f"{weights} is damaged; install Segue again.") from error
        encoder.requires_grad_(False).eval()
        return encoder

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> Tensor:
        """Embeddings of n texts, float32 (n, 384) of unit length, on the encoder's device.

        Texts are truncated to MAX_TOKENS.
        """
        encoded = self.tokenizer.encode_batch([text.strip() for text in texts])
        device = self.words.device
        ids = torch.tensor([e.ids for e in encoded], device=device)
        mask = torch.tensor([e.attention_mask for e in encoded], device=device).bool()
        x = self.words[ids].float() * self.word_scale[ids][..., None]
        x = self.norm(x + self.positions[: ids.shape[1]])
        for layer in self.layers:
            x = layer(x, mask)
        pooled = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return F.normalize(pooled, dim=-1)


def quantise(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Quantise rows of `weight` (n, m) to int8, with a scale (n,) each."""
    scale = weight.abs().amax(1).clamp_min(1e-12) / 127
    return (weight / scale[:, None]).round().to(torch.int8), scale


def dequantise(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Stored weights as a state dict in float32, except for the int8 word embeddings."""
    full: dict[str, Tensor] = {}
    for name, value in state.items():
        if name.endswith(".scale"):
            continue
        if value.dtype == torch.int8 and name != "words":
            full[name] = value.float() * state[f"{name}.scale"].float()[:, None]
        else:
            full[name] = value if name == "words" else value.float()
    return full


def convert(original: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convert the published weights to the stored form."""
    prefix = "embeddings."
    words = original[prefix + "word_embeddings.weight"].float()
    # Text pairs are not embedded, so the segment embedding is a constant: fold it in.
    segment = original[prefix + "token_type_embeddings.weight"][0].float()
    stored: dict[str, Tensor] = {}
    stored["words"], stored["word_scale"] = quantise(words)
    stored["positions"] = original[prefix + "position_embeddings.weight"].float() + segment
    stored["norm.weight"] = original[prefix + "LayerNorm.weight"]
    stored["norm.bias"] = original[prefix + "LayerNorm.bias"]
    for i in range(LAYERS):
        old, new = f"encoder.layer.{i}.", f"layers.{i}."
        for kind in ("weight", "bias"):
            parts = [original[f"{old}attention.self.{n}.{kind}"] for n in ("query", "key", "value")]
            stored[f"{new}qkv.{kind}"] = torch.cat(parts)
            for target, source in (
                ("out", "attention.output.dense"),
                ("norm1", "attention.output.LayerNorm"),
                ("up", "intermediate.dense"),
                ("down", "output.dense"),
                ("norm2", "output.LayerNorm"),
            ):
                stored[f"{new}{target}.{kind}"] = original[f"{old}{source}.{kind}"]
    for name in [n for n, v in stored.items() if n.startswith("layers.") and v.dim() == 2]:
        stored[name], stored[f"{name}.scale"] = quantise(stored[name].float())
    halves = {n: v.half() for n, v in stored.items() if v.dtype != torch.int8}
    return {n: v.contiguous() for n, v in {**stored, **halves}.items()}
