"""Sizes of Magenta RealTime 2's depthformer and the vocabulary of its conditioning. Any lane.

Pure: imports neither torch nor numpy. The shapes are those of the reference's `config.py`
(`ModelSpec`, `TokensConfig`) and `jax/model.py` (`MagentaRT2ModelBase`, `MagentaRT2ModelSmall`) in
the package magenta-rt 2.0.3, Apache-2.0; the words are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from models.errors import SegueError
from models.music.score import SAMPLE_RATE

FRAME_SAMPLES: Final = 1920
FRAME_SECONDS: Final = FRAME_SAMPLES / SAMPLE_RATE

RESERVED: Final = 6
"""Tokens below the first code of a vocabulary; number 0 is the start of a sequence."""
LEVELS: Final = 12
"""Levels of the codec's residual quantizer that the model plays, of 64."""
CODES: Final = 1024
"""Codes of a level, of the codec and of MusicCoCa alike."""
VOCABULARY: Final = RESERVED + LEVELS * CODES

STYLE_DIM: Final = 768
STYLE_TOKENS: Final = 12
NOTES: Final = 128
MASKED: Final = -1
"""A conditioning value that is left to the model."""

NOTE_OFF, NOTE_SUSTAIN, NOTE_ONSET, NOTE_ON = 0, 1, 2, 3
"""States of a pitch; NOTE_ON leaves onset or sustain to the model."""
DRUMS_OFF, DRUMS_ON = 0, 1

_EXTRA: Final = RESERVED + 1  # the mask is a token of its own, above the reserved ones
STYLE_ROWS: Final = CODES + _EXTRA
"""Embedding rows of one style token."""
CHANNEL_ROWS: Final = (4 + _EXTRA,) * NOTES + (2 + _EXTRA,) + (41 + RESERVED,) * 2 + (9 + RESERVED,)
"""Embedding rows of the other channels: notes, drums, guidance of style and notes, of drums.

Guidance has no mask row, yet the reference adds the same offset to every channel: its highest
value falls on the next channel's first reserved row, and the last one's on a row of the padding.
It was trained like that, so it is kept.
"""
CONDITION_OFFSET: Final = _EXTRA
CONDITION_CHANNELS: Final = STYLE_TOKENS + len(CHANNEL_ROWS)


def padded_rows(rows: int) -> int:
    """The reference rounds the shared table of the channels up to whole 128 rows."""
    return -(-rows // 128) * 128


@dataclass(frozen=True)
class StackConfig:
    """A transformer: layers, model width, feed-forward width, heads of `head_dim`."""

    layers: int
    width: int
    hidden: int
    heads: int
    head_dim: int = 128


@dataclass(frozen=True)
class DepthformerConfig:
    """A depthformer: width of the conditioning, the two transformers, and how far it looks back.

    past: frames before the present one that self- and cross-attention of a temporal layer see.
    """

    name: str
    condition_width: int
    temporal: StackConfig
    depth: StackConfig
    past: int
    soft_cap: float = 30.0

    @property
    def context_frames(self) -> int:
        """How many frames back the stacked windows reach."""
        return self.past * self.temporal.layers


SMALL: Final = DepthformerConfig(
    name="magenta-rt2-small",
    condition_width=256,
    temporal=StackConfig(layers=12, width=1024, hidden=4096, heads=8),
    depth=StackConfig(layers=2, width=768, hidden=3072, heads=6),
    past=41,
)
BASE: Final = DepthformerConfig(
    name="magenta-rt2-base",
    condition_width=1024,
    temporal=StackConfig(layers=20, width=3072, hidden=8192, heads=24),
    depth=StackConfig(layers=6, width=1024, hidden=4096, heads=8),
    past=25,
)
SIZES: Final = {"small": SMALL, "base": BASE}
CHECKPOINTS: Final = {
    "small": "checkpoints/mrt2_small.safetensors",
    "base": "checkpoints/mrt2_base.safetensors",
}
"""Where the released weights lie inside their folder."""
ENCODER: Final = "resources/spectrostream/encoder.safetensors"
"""The codec's encoder, which the checkpoints do not promise to hold."""


def size_config(size: str) -> DepthformerConfig:
    """The configuration of 'small' or 'base'; SegueError for another name."""
    try:
        return SIZES[size]
    except KeyError:
        raise SegueError(f"there is no size '{size}': choose from {', '.join(SIZES)}.") from None
