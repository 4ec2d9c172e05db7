"""A stream's state after an audio file: what the arranger and the renderer take from its end.

The ears (`models.music.tracking`) tell tempo and key, in which the arranger starts; the codec's
latents of the last seconds become the renderer's context, as in a continuation of Magenta RealTime.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.engine.controls import Style
from models.engine.interface import Audio, Samples
from models.engine.prompt_checks import check_prompt_audio
from models.music.score import MODE_NAMES, SAMPLE_RATE
from models.music.tracking.tracker import initial_ears, listen
from models.music.tracking.weights import load_ear_weights
from models.segue.arranger.arranger import Arranger
from models.segue.arranger.setting import SettingNoise
from models.segue.arranger.state import State as ArrangerState
from models.segue.codec.bands import FRAME, LOOKAHEAD
from models.segue.codec.codec import Codec, DecodingState
from models.segue.renderer.features import unknown_score
from models.segue.renderer.inference import KeyValueCache, RendererInference
from models.segue.renderer.network import FRAMES_PER_BLOCK
from models.segue.studio.warmth import lean, warmed

HEARD_SECONDS: Final = 20.0
"""End of the audio from which tempo and key are told."""
SURE: Final = 0.3
"""Confidence from which the ears are believed."""


def stereo_48k(samples: Samples, sample_rate: int) -> Audio:
    """Audio as float32 (n, 2) at 48 kHz.

    Raises:
        SegueError: samples that `check_prompt_audio` refuses.

    """
    audio = check_prompt_audio(samples, sample_rate)
    audio = np.repeat(audio, 2, axis=1) if audio.shape[1] == 1 else audio[:, :2]
    if sample_rate != SAMPLE_RATE:
        import soxr

        audio = soxr.resample(audio, sample_rate, SAMPLE_RATE)
    return np.ascontiguousarray(audio, np.float32)


def arranger_after(arranger: Arranger, audio: Audio, style: Style, seed: int) -> ArrangerState:
    """Arranger at the start of a stream, in tempo and key of audio.

    Args:
        arranger: its networks choose what the ears do not tell: the metre, and a tempo or key of
            which they are not sure.
        audio: float32 (n, 2) at 48 kHz.
        style: (style_dim,) of the audio.
        seed: of the stream.

    """
    weights = load_ear_weights()
    ending = audio[-round(HEARD_SECONDS * SAMPLE_RATE) :]
    _, heard = listen(weights, initial_ears(weights), ending)
    pulse, harmony = heard[-1].pulse, heard[-1].harmony
    state = arranger.start(seed)
    mode = None
    if harmony.tonic >= 0 and harmony.key_confidence >= SURE:
        mode = MODE_NAMES.index("minor" if harmony.minor else "major")
        state = state.with_(tonic=harmony.tonic)
    noise = SettingNoise.of(state.seed)
    base = arranger.setting(style, noise, mode=mode)
    if pulse.bpm > 0 and pulse.confidence >= SURE:
        base = replace(base, bpm=float(pulse.bpm))
        state = state.with_(tempo=float(pulse.bpm))
    return state.with_(base=base)


def last_latents(codec: Codec, audio: Audio, blocks: int) -> NDArray[np.float32]:
    """Latents (6 k, D) of the last k <= `blocks` renderer blocks of audio (n, 2) at 48 kHz.

    The audio has the tone of a finished mix. The latents end before the codec's look-ahead, so that
    no silence after the audio is heard in them.
    """
    block = FRAMES_PER_BLOCK * FRAME
    count = min(blocks, max(0, len(audio) - LOOKAHEAD) // block)
    if not count:  # shorter than a block: silence before it
        audio = np.concatenate([np.zeros((block + LOOKAHEAD - len(audio), 2), np.float32), audio])
        count = 1
    latents = codec.encode(audio[len(audio) - LOOKAHEAD - count * block :], lean)
    return latents[: count * FRAMES_PER_BLOCK]


@torch.inference_mode()
def context_after(renderer: RendererInference, latents: NDArray[np.float32]) -> KeyValueCache:
    """The renderer's context after latents (6 k, D) whose score is not known."""
    cache, score = KeyValueCache(), unknown_score(FRAMES_PER_BLOCK).to(str(renderer.device))
    for at in range(0, len(latents), FRAMES_PER_BLOCK):
        block = torch.from_numpy(latents[at : at + FRAMES_PER_BLOCK]).to(renderer.device)
        cache = renderer.listen(cache, score, block)
    return cache


def decoding_after(codec: Codec, latents: NDArray[np.float32], seed: int) -> DecodingState:
    """State of decoder and vocoder after latents, so that the sound goes on without a gap."""
    ending = latents[-4 * FRAMES_PER_BLOCK :]
    start = codec.start_decoding(seed)
    bands, image, network = codec.decode_step(ending, start.network)
    return DecodingState(network, codec.vocoder.step(warmed(bands), image, start.vocoder)[1])
