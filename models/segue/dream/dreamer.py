"""Dreamer: makes a sound anew with the renderer, from the sound as its guide, a score and a style.

Blocks of the studio (80 ms) come in; every third one the renderer makes its block of 240 ms. The
encoder is late by its window, the studio's limiter looks ahead, and the vocoder is late again:
the sound that comes in is shifted so that latent frames coincide with frames of score, as in
training, and what comes out so that it coincides with what went in. The first block of the renderer
is not made but heard: the encoded sound becomes its context, so that it goes on from there.

Any sound can be the guide; where its score is not known, the renderer follows the guide alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.engine.controls import Style
from models.engine.frozen_map import FrozenMap
from models.errors import SegueError
from models.music.score import FRAME_SAMPLES, FrameScore
from models.segue.codec import bands
from models.segue.codec.bands import LOOKAHEAD
from models.segue.codec.codec import Codec, DecodingState, EncoderState
from models.segue.codec.vocoder import Vocoder
from models.segue.continuation import context_after, last_latents
from models.segue.dream.detail import DetailState, with_detail
from models.segue.dream.knob import trained_sigma
from models.segue.dream.tone import ToneMatch
from models.segue.renderer.adaptation import RendererMixes
from models.segue.renderer.features import KNOWN, Age, no_age, score_batch, unknown_frames
from models.segue.renderer.guide_weights import with_guide
from models.segue.renderer.inference import Guide, KeyValueCache, RendererInference
from models.segue.renderer.loading import load_renderer, load_sampler
from models.segue.renderer.network import FRAMES_PER_BLOCK, TOKENS_PER_BLOCK, Renderer
from models.segue.studio.dynamics import AHEAD
from models.segue.studio.warmth import lean, warmed
from models.sounds.library import SoundLibrary

Audio = NDArray[np.float32]

WEIGHTS_USED: Final = ("codec.safetensors", "renderer.safetensors")
GUIDE: Final = "guide.safetensors"
"""What the renderer learned of guides; without the file it plays as it is."""
BEFORE: Final = FRAME_SAMPLES - (LOOKAHEAD + AHEAD)
"""Samples of silence before the first block, which put its latents on frames of score."""
SKIPPED: Final = 2
"""Latents that begin before the first block; they only set the encoder's state."""
EXCESS_DB: Final = 9.0
"""Times sigma: how much louder than the guide a band may become. It keeps attacks sharp and rests
silent; where sigma is large it bounds nothing."""
ITERATIONS: Final = 1
"""Of the vocoder, which starts from the guide's phases."""
NO_SOUNDS: Final[FrozenMap[float]] = FrozenMap()
STYLE_JUMP: Final = 0.7
"""Distance of two styles from which the renderer's context is dropped."""


@dataclass(frozen=True)
class DreamSound:
    """State of a dreamer; immutable. Field names are stored in files.

    rest: samples that are not encoded yet. mono: the sound under the windows of `latents`. latents,
    frames, known: of the guide and its score, not used yet, and 1 for each frame whose score is
    known. audio: made and not taken yet; its first sample belongs to the first sample that was fed
    and is not taken. fed, blocks: fed, and made by the renderer, so far. heard: whether there is a
    context already. tone: of guide and sound over the last seconds. detail: of the
    gain between them.
    """

    seed: int
    rest: Audio
    mono: Audio
    encoder: EncoderState
    latents: NDArray[np.float32]
    frames: FrameScore
    known: NDArray[np.float32]
    decoding: DecodingState
    audio: Audio
    age: Age = field(default_factory=no_age)
    cache: KeyValueCache = field(default_factory=KeyValueCache)
    style: Style | None = None
    fed: int = 0
    blocks: int = 0
    heard: bool = False
    tone: ToneMatch = field(default_factory=ToneMatch)
    detail: DetailState = field(default_factory=DetailState)


class Dreamer:
    """Renderer and codec with their weights; stateless. Runs on the CPU."""

    def __init__(
        self, codec: Codec, renderer: RendererInference, mixes: RendererMixes | None = None
    ) -> None:
        if renderer.config.latent_dim != codec.latent_dim:
            raise SegueError("renderer and codec weights are not of one version: restore both.")
        self.codec, self.renderer, self._mixes = codec, renderer, mixes
        # From a guide's phases more iterations lead away.
        lookahead = codec.vocoder.lookahead
        self.vocoder = Vocoder(iterations=ITERATIONS, lookahead=lookahead, shaped=False)

    @classmethod
    def load(cls, weights: Path, sounds: SoundLibrary | None = None) -> Dreamer:
        """A dreamer with the weights of a folder, and the learned sounds of a library.

        Raises:
            SegueError: weights that are missing, damaged or of different versions.

        """
        codec, path = (weights / name for name in WEIGHTS_USED)

        def network() -> Renderer:
            plain, guide = load_renderer(path), weights / GUIDE
            return with_guide(path, plain, guide) if guide.is_file() else plain

        renderer: RendererInference = RendererInference(network(), load_sampler(path))
        mixes = RendererMixes(network, renderer, sounds or SoundLibrary(weights=weights))
        return cls(Codec.load(codec), renderer, mixes)

    def start(self, seed: int) -> DreamSound:
        """State before the first block; seed: of the renderer's and the vocoder's noise."""
        return DreamSound(
            seed=seed & 0xFFFFFFFF,
            rest=np.zeros((BEFORE, 2), np.float32),
            mono=np.zeros(2 * LOOKAHEAD, np.float32),
            encoder=self.codec.start_encoder(),
            latents=np.zeros((0, self.codec.latent_dim), np.float32),
            frames=FrameScore.silent(0),
            known=np.zeros(0, np.float32),
            decoding=self.codec.start_decoding(seed & 0xFFFFFFFF),
            audio=np.zeros((FRAME_SAMPLES - self.codec.delay + AHEAD, 2), np.float32),
        )

    def start_after(self, audio: Audio, seed: int) -> DreamSound:
        """State before the first block, with audio (n, 2) at 48 kHz as the context."""
        latents = last_latents(self.codec, audio, self.renderer.config.window)
        cache = context_after(self.renderer, latents)
        return replace(self.start(seed), cache=cache, heard=True)

    def feed(
        self,
        state: DreamSound,
        guide: Audio,
        score: FrameScore | None,
        style: Style | None,
        sigma: float,
        guidance: float | None = None,
        sounds: Mapping[str, float] = NO_SOUNDS,
    ) -> DreamSound:
        """The state after one more block of guide, with what the renderer makes of it.

        Args:
            state: of the stream.
            guide: float32 (1920 k, 2), any sound.
            score: its k frames; None where the score is not known.
            style: (128,) of what is to be made; None leaves it to the renderer.
            sigma: how far from the guide, as of `knob.DreamSetting`; infinite for the style's own
                sound.
            guidance: weight of the style as of `RendererInference.block`.
            sounds: how far learned sounds act, as of `Controls.sounds`.

        """
        count = len(guide) // FRAME_SAMPLES
        buffer = np.concatenate([state.rest, guide])
        latents, encoder = self.codec.encode_step(buffer[: len(guide)], state.encoder, lean)
        frames = unknown_frames(count) if score is None else score
        known = np.full(count, score is not None, np.float32)
        # Before the first whole frame of the guide there is a part of one.
        begun = state.fed > 0
        state = replace(
            state,
            rest=buffer[len(guide) :].copy(),
            mono=np.concatenate([state.mono, buffer[: len(guide)].mean(axis=1)])[
                0 if begun else SKIPPED * FRAME_SAMPLES :
            ],
            encoder=encoder,
            latents=np.concatenate([state.latents, latents[0 if begun else SKIPPED :]]),
            frames=_join(state.frames, frames[slice(0 if begun else 1, None)]),
            known=np.concatenate([state.known, known[0 if begun else 1 :]]),
            fed=state.fed + 1,
            tone=state.tone.with_guide(guide),
        )
        renderer = self.renderer if self._mixes is None else self._mixes.of(sounds)
        while len(state.latents) >= FRAMES_PER_BLOCK:
            state = self._make(state, renderer, style, sigma, guidance)
        return state

    @staticmethod
    def take(state: DreamSound, count: int) -> tuple[Audio, DreamSound]:
        """The next `count` samples, in time with the guide's, of those that are made; and the state
        without them.
        """
        return state.audio[:count], replace(state, audio=state.audio[count:].copy())

    @staticmethod
    def forget(state: DreamSound) -> DreamSound:
        """The state without musical context; the sound goes on."""
        return replace(state, cache=KeyValueCache(), age=no_age())

    def _make(
        self,
        state: DreamSound,
        renderer: RendererInference,
        style: Style | None,
        sigma: float,
        guidance: float | None,
    ) -> DreamSound:
        """The state with one block of the renderer's more."""
        now, later = slice(0, FRAMES_PER_BLOCK), slice(FRAMES_PER_BLOCK, None)
        score, age = score_batch(state.frames[now], state.age)
        known = torch.from_numpy(state.known[now]).view(1, -1, 1).expand(1, -1, KNOWN)
        score = replace(score, known=known.contiguous())
        heard = torch.from_numpy(state.latents[now])
        cache = KeyValueCache() if _is_jump(state.style, style) else state.cache
        if not state.blocks and not state.heard:
            latents, cache = heard, renderer.listen(cache, score, heard)
        else:
            noise = trained_sigma(sigma) if renderer.config.guided else sigma
            guide = Guide(heard.reshape(TOKENS_PER_BLOCK, -1), noise)
            latents, cache = renderer.block(
                cache,
                score,
                None if style is None else torch.from_numpy(style.copy()),
                self._noise(state),
                guidance,
                guide if math.isfinite(sigma) else None,
            )
        if not bool(torch.isfinite(latents).all()):
            raise SegueError("the renderer gave numbers that are not finite: clear the history.")
        gains = state.tone.gains
        audio, decoding, detail = self._decode(state, latents, sigma, gains)
        return replace(
            state,
            latents=state.latents[later].copy(),
            mono=state.mono[FRAMES_PER_BLOCK * FRAME_SAMPLES :].copy(),
            frames=state.frames[later],
            known=state.known[later].copy(),
            decoding=decoding,
            audio=np.concatenate([state.audio, audio]),
            age=age,
            cache=cache,
            style=style,
            blocks=state.blocks + 1,
            tone=state.tone.with_sound(audio, gains),
            detail=detail,
        )

    def _decode(
        self,
        state: DreamSound,
        latents: NDArray[np.float32] | Tensor,
        sigma: float,
        gains: Audio,
    ) -> tuple[Audio, DecodingState, DetailState]:
        """Audio of latents with gains (320,) on their bands; the guide gives its phases and the
        detail of the treble, and bounds how loud each band may be.
        """
        shown, image, network = self.codec.decode_step(latents, state.decoding.network)
        shown, spectra = bands.scaled(warmed(shown), gains), _spectra(state.mono)
        heard = np.abs(spectra) @ bands.POOL.T
        shown, change, detail = with_detail(shown, heard, sigma, state.detail)
        if math.isfinite(sigma):
            shown = np.minimum(shown, loudest(heard, EXCESS_DB * sigma))
        # Brought to the sound's level, so that its phases are not refused for a change of tone.
        spectra = spectra * bands.to_bins(change)
        audio, after = self.vocoder.step(shown, image, state.decoding.vocoder, spectra)
        return audio, DecodingState(network, after), detail

    def _noise(self, state: DreamSound) -> Tensor:
        """Noise of a block, (3, 2 D), seeded by its number: the same after `restore`."""
        generator = torch.Generator().manual_seed(((state.seed << 32) + state.blocks) & (2**63 - 1))
        return torch.randn(TOKENS_PER_BLOCK, 2 * self.codec.latent_dim, generator=generator)


def loudest(guide: Audio, excess_db: float) -> Audio:
    """Upper bound of the bands (T, 320), from the magnitudes (T, 320) of a guide in them: the
    loudest of the neighbours in time and frequency, and an excess in dB.
    """
    found = guide
    for axis in (0, 1):
        padded = np.pad(found, [(1, 1) if axis == each else (0, 0) for each in (0, 1)], mode="edge")
        found = np.lib.stride_tricks.sliding_window_view(padded, 3, axis).max(axis=-1)
    return bands.compress(found * np.float32(10 ** (min(excess_db, 400.0) / 20)))


def _spectra(mono: Audio) -> NDArray[np.complex64]:
    """Spectra of the windows of one block of the renderer, from the first sample on."""
    return bands.spectra(mono[:, None], FRAMES_PER_BLOCK * bands.PATCH)[:, 0]


def _join(first: FrameScore, then: FrameScore) -> FrameScore:
    """Two scores, one after the other."""
    pairs = ((getattr(first, f.name), getattr(then, f.name)) for f in fields(FrameScore))
    return FrameScore(*(np.concatenate(pair) for pair in pairs))


def _is_jump(before: Style | None, now: Style | None) -> bool:
    """Whether the style changed so far that the context would hold on to the old sound."""
    if before is None or now is None or before is now:
        return False
    return float(np.linalg.norm(now - before)) > STYLE_JUMP
