"""Audio injection into the renderer's context (Live Music Models, section 4.2 and appendix E).

What the performer plays is added to the stream's own sound, and the latents of both together take
the place of its own among the blocks that the renderer goes on from: the input is in the context
and never in the output. A block is injected once its own sound is complete, which the vocoder
finishes a block later; freely with what was played while it was heard, in the looper with what was
played whole loops before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.engine.controls import Controls
from models.engine.hearing import Hearing
from models.music.score import FRAME_SAMPLES, SAMPLE_RATE
from models.segue.arranger.clock import Tick
from models.segue.arranger.memory.recollection import bar_seconds
from models.segue.codec import Codec
from models.segue.codec import bands as B
from models.segue.renderer.inference import KeyValueCache, RendererInference
from models.segue.renderer.network import FRAMES_PER_BLOCK, TOKENS_PER_BLOCK
from models.segue.studio.warmth import lean

BLOCK: Final = FRAMES_PER_BLOCK * FRAME_SAMPLES
REACH: Final = B.LOOKAHEAD
"""Samples before and after a block that its latents hear."""
AUDIBLE: Final = 1e-3  # peak (-60 dB) under which nothing was played


@dataclass(frozen=True)
class OwnPast:
    """The stream's own sound of the last two blocks, oldest first, each (BLOCK, 2), and the encoded
    score of the block whose keys and values are the newest in the cache.
    """

    sound: tuple[NDArray[np.float32], ...] = ()
    scored: Tensor | None = None

    def after(self, sound: NDArray[np.float32], cache: KeyValueCache) -> OwnPast:
        """The past after a block, whose context was `cache`."""
        scored = None if cache.finished is None else cache.finished[1]
        return OwnPast((*self.sound, sound)[-2:], scored)


def played_block(
    hearing: Hearing, controls: Controls, tick: Tick, delay: int
) -> NDArray[np.float32]:
    """What is to be injected into the block before the last, float32 (BLOCK + 2 REACH, 2).

    Args:
        hearing: what has come in.
        controls: mode and length of the loop.
        tick: a step of the present bar, for its length.
        delay: samples by which the sound is behind the latents.

    """
    start = hearing.position - 2 * BLOCK + delay - REACH
    size = BLOCK + 2 * REACH
    bar = round(bar_seconds(tick) * SAMPLE_RATE)
    turns = 0
    if controls.memory_mode == "looper":
        bar *= controls.loop_bars
        turns = max(1, -(-(start + size - hearing.known) // bar))
    elif start >= hearing.known:  # frozen: the last bar again and again
        turns = -(-(start + size - hearing.known) // bar)
    first = start - turns * bar
    return hearing.sound(first, first + size) if first >= 0 else np.zeros((size, 2), np.float32)


@torch.inference_mode()
def injected(
    cache: KeyValueCache,
    past: OwnPast,
    played: NDArray[np.float32],
    amount: float,
    codec: Codec,
    renderer: RendererInference,
) -> KeyValueCache:
    """The context with what was played in its newest finished block.

    Args:
        cache: the context so far.
        past: the stream's own sound.
        played: of `played_block`.
        amount: 0 to 1, its level.
        codec: encodes both together.
        renderer: whose context it is.

    """
    if past.scored is None or len(past.sound) < 2 or not cache.blocks:
        return cache
    if float(np.abs(played).max()) * amount < AUDIBLE:
        return cache
    first = codec.delay - REACH
    own = np.concatenate(past.sound)[first : first + len(played)]
    bands, stereo = B.analyse_frames(
        np.ascontiguousarray(own + np.float32(amount) * played), FRAMES_PER_BLOCK * B.PATCH
    )
    tokens = torch.from_numpy(codec.encode_bands(lean(bands), stereo))
    return renderer.remember(cache, tokens.reshape(TOKENS_PER_BLOCK, -1), past.scored)
