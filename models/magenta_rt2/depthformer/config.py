"""Sizes of Magenta RealTime 2's depthformer, and the vocabulary of its conditioning tokens.

Shapes and names are those of the reference's `config.py`
(`ModelSpec`, `TokensConfig`) and `jax/model.py` (`MagentaRT2ModelBase`, `MagentaRT2ModelSmall`),
magenta-rt 2.0.3, Apache-2.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from models.errors import SegueError
from models.music.score import SAMPLE_RATE

FRAME_SAMPLES: Final = 1920
FRAME_SECONDS: Final = FRAME_SAMPLES / SAMPLE_RATE
DECODER_DELAY: Final = 1
"""Frames by which a frame's sound comes later than its code."""

NUM_RESERVED_TOKENS: Final = 6
"""Tokens below the first code of a vocabulary; token 0 starts a sequence."""
RVQ_LEVELS: Final = 12
"""Levels of the codec's residual quantizer that the model generates, of 64."""
CODEBOOK_SIZE: Final = 1024
"""Codes per level, in the codec and in MusicCoCa."""
VOCAB_SIZE: Final = NUM_RESERVED_TOKENS + RVQ_LEVELS * CODEBOOK_SIZE

STYLE_DIM: Final = 768
STYLE_TOKENS: Final = 12
NUM_PITCHES: Final = 128
MASKED: Final = -1
"""Conditioning value of a channel that is left to the model."""

NOTE_OFF, NOTE_SUSTAIN, NOTE_ONSET, NOTE_ON = 0, 1, 2, 3
"""States of a pitch; NOTE_ON leaves the choice between onset and sustain to the model."""
DRUMS_OFF, DRUMS_ON = 0, 1

CONDITION_OFFSET: Final = NUM_RESERVED_TOKENS + 1
"""Added to every conditioning value: the mask is a token of its own above the reserved ones."""
STYLE_VOCAB_SIZE: Final = CODEBOOK_SIZE + CONDITION_OFFSET
"""Embedding rows of one style token."""
CHANNEL_VOCAB_SIZES: Final = (
    (4 + CONDITION_OFFSET,) * NUM_PITCHES
    + (2 + CONDITION_OFFSET,)
    + (41 + NUM_RESERVED_TOKENS,) * 2
    + (9 + NUM_RESERVED_TOKENS,)
)
"""Embedding rows of the other channels: notes, drums, guidance of style and notes, of drums.

Guidance has no mask row, yet the reference adds the same offset to every channel: its highest value
indexes the next channel's first reserved row, and the last channel's a padding row. The released
weights were trained this way.
"""
CONDITION_CHANNELS: Final = STYLE_TOKENS + len(CHANNEL_VOCAB_SIZES)


def padded_rows(rows: int) -> int:
    """Rows of the shared channel embedding, rounded up to a multiple of 128 as in the reference."""
    return -(-rows // 128) * 128


@dataclass(frozen=True)
class ModelSpec:
    """Sizes of one transformer."""

    num_layers: int
    model_dims: int
    hidden_dims: int
    num_heads: int
    dim_per_head: int = 128


@dataclass(frozen=True)
class DepthformerConfig:
    """Sizes of a depthformer.

    encoder_dims: width of the conditioning encoder's output. max_past_horizon: frames before the
    current one that self- and cross-attention of a temporal layer see. soft_cap: of the logits.
    """

    name: str
    encoder_dims: int
    temporal: ModelSpec
    depth: ModelSpec
    max_past_horizon: int
    soft_cap: float = 30.0

    @property
    def context_frames(self) -> int:
        """Frames back that the stacked attention windows reach."""
        return self.max_past_horizon * self.temporal.num_layers


SMALL: Final = DepthformerConfig(
    name="magenta-rt2-small",
    encoder_dims=256,
    temporal=ModelSpec(num_layers=12, model_dims=1024, hidden_dims=4096, num_heads=8),
    depth=ModelSpec(num_layers=2, model_dims=768, hidden_dims=3072, num_heads=6),
    max_past_horizon=41,
)
BASE: Final = DepthformerConfig(
    name="magenta-rt2-base",
    encoder_dims=1024,
    temporal=ModelSpec(num_layers=20, model_dims=3072, hidden_dims=8192, num_heads=24),
    depth=ModelSpec(num_layers=6, model_dims=1024, hidden_dims=4096, num_heads=8),
    max_past_horizon=25,
)
SIZES: Final = {"small": SMALL, "base": BASE}


def size_config(size: str) -> DepthformerConfig:
    """The configuration of 'small' or 'base'; SegueError for another name."""
    try:
        return SIZES[size]
    except KeyError:
        raise SegueError(f"there is no size '{size}': choose from {', '.join(SIZES)}.") from None
