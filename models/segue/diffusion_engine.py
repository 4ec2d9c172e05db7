"""Diffusion engine `segue-diffusion`: arranger, renderer, codec and style model.

A block of 240 ms: the arranger writes six frames of score under the controls; the renderer turns
score, style and clean context into six latent frames in as many denoising steps as its weights ask
for; the codec's decoder and its vocoder make the wave. The state of a stream is one immutable
value, so a snapshot is a reference.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.engine.hearing import Hearing
from models.engine.interface import (
    SENDS,
    Audio,
    Controls,
    Engine,
    EngineInfo,
    Samples,
    ScoreInfo,
    Snapshot,
    Stream,
    Style,
)
from models.engine.loudness import LevelState, normalise_loudness, target_level_db
from models.engine.prompt_checks import check_prompt_audio
from models.errors import SegueError
from models.music.score import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from models.runtime.device import resolve_device
from models.runtime.threads import use_one_thread
from models.segue.arranger.arranger import ARRANGER_CONTROLS, Arranger
from models.segue.arranger.block_score import ArrangerInfo, score_info
from models.segue.arranger.conditions import GUIDANCE, GUIDANCE_RANGE
from models.segue.arranger.idiom.sounds import SoundIdioms
from models.segue.arranger.memory.recollection import heard_music
from models.segue.arranger.parts.sketches import with_course
from models.segue.arranger.state import State as ArrangerState
from models.segue.brightness import ToneState, brightness_target, control_brightness
from models.segue.codec import Codec, DecodingState
from models.segue.continuation import (
    arranger_after,
    context_after,
    decoding_after,
    last_latents,
    stereo_48k,
)
from models.segue.injection import OwnPast, injected, played_block
from models.segue.learned_mix import RENDERER, LearnedMixes
from models.segue.learned_pieces import LearnedPieces, turn_of
from models.segue.renderer.adaptation import RendererMixes
from models.segue.renderer.features import Age, no_age, score_batch
from models.segue.renderer.guidance import guidance_weight
from models.segue.renderer.inference import KeyValueCache
from models.segue.renderer.loading import load_inference, load_renderer
from models.segue.renderer.network import FRAMES_PER_BLOCK, TOKENS_PER_BLOCK
from models.segue.studio.warmth import warmed
from models.segue.style import StyleModel
from models.segue.style.axes import AXES, StyleAxes
from models.sounds.library import SoundLibrary
from models.storage.serialisation import PackedState, pack, unpack_state
from models.storage.weights import identity, playing_files

WEIGHTS: Final = Path(__file__).resolve().parents[2] / "resources" / "weights"
CONTEXT_WEIGHTS: Final = ("codec.safetensors", "renderer.safetensors", "arranger.safetensors")
"""Weights that a snapshot depends on."""
STYLE_JUMP: Final = 0.7
"""Distance of two blocks' styles from which the renderer's context is dropped; the score goes on.

The context would hold on to the old sound. Turning a weight's knob changes the style by less."""


@dataclass(frozen=True)
class StreamState:
    """State of a stream; immutable. Field names are stored in files and must not change."""

    seed: int
    block: int
    arranger: ArrangerState
    player: DecodingState
    age: Age = field(default_factory=no_age)
    cache: KeyValueCache = field(default_factory=KeyValueCache)
    level: LevelState = field(default_factory=LevelState)
    tone: ToneState = field(default_factory=ToneState)
    info: ArrangerInfo | None = None
    style: Style | None = None
    past: OwnPast | None = None
    tail: NDArray[np.float32] | None = None
    """Power (320,) that rings in the room of a learned sound."""


class DiffusionEngine(Engine):
    """Live music diffusion model, after "Live Music Diffusion Models"; the score as
    self-conditioning after "Live Music Models", section 4.

    Args:
        device: of `models.runtime.device.resolve_device`.
        weights: folder of the safetensors files.

    Raises:
        SegueError: weights that are missing, damaged or of different versions; no such device.

    """

    def __init__(self, device: str = "auto", weights: Path = WEIGHTS) -> None:
        self.device = resolve_device(device)
        self.weights = weights
        if self.device == "cpu":
            use_one_thread()
        self.codec = Codec.load(weights / "codec.safetensors", self.device)
        self.renderer = load_inference(weights / "renderer.safetensors", self.device)
        self.style = StyleModel.load()
        self.axes = StyleAxes(self.style.anchors)
        self.sounds = SoundLibrary(weights=weights)
        idioms = SoundIdioms(self.sounds)
        self.arranger = Arranger.load(weights / "arranger.safetensors", idioms)
        network = partial(load_renderer, weights / "renderer.safetensors", self.device)
        self.mixes = RendererMixes(network, self.renderer, self.sounds)
        self.learned_mixes = LearnedMixes(self.sounds, RENDERER)
        self.pieces = LearnedPieces(self.sounds)
        if self.renderer.config.latent_dim != self.codec.latent_dim:
            raise SegueError("renderer and codec weights are not of one version: restore both.")

    @property
    def info(self) -> EngineInfo:
        frames = FRAMES_PER_BLOCK
        return EngineInfo(
            name="segue-diffusion",
            sample_rate=SAMPLE_RATE,
            channels=2,
            block_frames=frames * FRAME_SAMPLES,
            context_seconds=self.renderer.config.window * frames * FRAME_SECONDS,
            style_dim=self.renderer.config.style_dim,
            controls=ARRANGER_CONTROLS | {"sounds", *AXES},
            device=self.device,
            ranges={"guidance": GUIDANCE_RANGE},
            defaults={"guidance": GUIDANCE},
            sends=SENDS - {"echo"},
            continues_audio=True,
        )

    def embed_text(self, text: str) -> Style:
        return self.sounds.embed(text, self.style.embed_text)

    def embed_audio(self, samples: Samples, sample_rate: int) -> Style:
        return self.style.embed_audio(check_prompt_audio(samples, sample_rate), sample_rate)

    def nearest_terms(self, style: Style, count: int) -> tuple[str, ...]:
        return tuple(name for name, _ in self.style.rank_terms(style)[:count])

    def start(self, seed: int = 0) -> Stream:
        return DiffusionStream(self, seed)

    def snapshot_after(self, samples: Samples, sample_rate: int, seed: int = 0) -> Snapshot:
        audio = stereo_48k(samples, sample_rate)
        style = self.style.embed_audio(audio, SAMPLE_RATE)
        latents = last_latents(self.codec, audio, self.renderer.config.window)
        return StreamState(
            seed=seed,
            block=0,
            arranger=arranger_after(self.arranger, audio, style, seed),
            player=decoding_after(self.codec, latents, seed),
            cache=context_after(self.renderer, latents),
        )

    @cached_property
    def checksum(self) -> str:
        """Checksum of the weights that a snapshot depends on."""
        return identity(CONTEXT_WEIGHTS, self.weights)

    @cached_property
    def weights_identity(self) -> str:
        return identity(playing_files(self.weights), self.weights)

    def pack(self, snapshot: Snapshot) -> PackedState:
        return PackedState(self.info.name, self.checksum, *pack(_checked(snapshot)))

    def unpack(self, packed: PackedState) -> Snapshot:
        devices = dict.fromkeys(("cache", "player"), self.device)
        return unpack_state(packed, StreamState, self.info.name, self.checksum, devices)


class DiffusionStream(Stream):
    """Stream of the embedded engine."""

    def __init__(self, engine: DiffusionEngine, seed: int) -> None:
        self.engine = engine
        self.state = StreamState(
            seed=seed,
            block=0,
            arranger=engine.arranger.start(seed),
            player=engine.codec.start_decoding(seed),
        )
        self._hearing: Hearing | None = None

    def hear(self, hearing: Hearing | None) -> None:
        self._hearing = hearing

    @property
    def score(self) -> ScoreInfo | None:
        """Score of the last block; `bars_at` includes the vocoder's delay."""
        return score_info(self.state.info, self.state.arranger, self.engine.codec.delay)

    def render(self, controls: Controls) -> Audio:
        engine, state = self.engine, self.state
        controls = engine.axes.steered(controls)
        style, turn = engine.pieces.style(controls, state.arranger), turn_of(state.arranger)
        controls = controls.with_(parts=None, reroll=None)  # of engines with stems
        controls = with_course(controls, state.arranger)
        heard = heard_music(self._hearing, controls, state.arranger, engine.codec.delay)
        score, arranger, info = engine.arranger.block(
            state.arranger, style, controls, FRAMES_PER_BLOCK, heard
        )
        brightness = brightness_target(controls.brightness)
        if brightness is not None:
            score = score.with_(brightness=np.full(len(score), brightness, np.float32))
        batch, age = score_batch(score, state.age)
        before, past = self._context(controls, style)
        latents, cache = engine.mixes.of(controls.sounds).block(
            before,
            batch.to(engine.device),
            None if style is None else torch.from_numpy(style.copy()).to(engine.device),
            self._noise(),
            guidance_weight(engine.renderer.sampler, controls.guidance),
        )
        if not bool(torch.isfinite(latents).all()):
            raise SegueError("the renderer gave numbers that are not finite: clear the history.")
        bands, image, network = engine.codec.decode_step(latents, state.player.network)
        bands, tone = control_brightness(
            bands, brightness, state.tone, b"" if style is None else style.tobytes()
        )
        bands, change = warmed(bands), engine.learned_mixes(controls.sounds, turn)
        tail = None
        if change is not None:
            bands, image, tail = change.changed(bands, image, state.tail)
        audio, vocoder = engine.codec.vocoder.step(bands, image, state.player.vocoder)
        audio, level = normalise_loudness(
            audio, state.level, target_db=target_level_db(controls.mute)
        )
        self.state = StreamState(
            seed=state.seed,
            block=state.block + 1,
            arranger=arranger,
            player=DecodingState(network, vocoder),
            age=age,
            cache=cache,
            level=level,
            tone=tone,
            info=info,
            style=style,
            past=past and past.after(audio, before),
            tail=tail,
        )
        return audio

    def _context(
        self, controls: Controls, style: Style | None
    ) -> tuple[KeyValueCache, OwnPast | None]:
        """The renderer's context, with what the performer played in it; and the own past that is
        kept while the memory send is open.
        """
        state, engine, hearing = self.state, self.engine, self._hearing
        if _is_style_jump(state.style, style):
            return KeyValueCache(), None
        if hearing is None or not controls.memory:
            return state.cache, None
        past = state.past or OwnPast()
        if not state.arranger.ticks:
            return state.cache, past
        played = played_block(hearing, controls, state.arranger.ticks[-1], engine.codec.delay)
        return injected(
            state.cache, past, played, controls.memory, engine.codec, engine.renderer
        ), past

    def _noise(self) -> torch.Tensor:
        """Noise of this block, (3, 2 D), seeded by its number: the same after `restore`."""
        number = ((self.state.seed << 32) + self.state.block) & (2**63 - 1)
        generator = torch.Generator().manual_seed(number)
        shape = (TOKENS_PER_BLOCK, 2 * self.engine.renderer.config.latent_dim)
        return torch.randn(shape, generator=generator).to(self.engine.device)

    def snapshot(self) -> Snapshot:
        return self.state

    def restore(self, snapshot: Snapshot) -> None:
        self.state = _checked(snapshot)

    def clear(self) -> None:
        # The vocoder's state stays, so that the sound rings out instead of being cut.
        state = self.state
        self.state = replace(
            state,
            arranger=self.engine.arranger.start(
                state.seed + 7919 * (state.block + 1), state.arranger
            ),
            age=no_age(),
            cache=KeyValueCache(),
            tone=ToneState(),
        )


def _checked(snapshot: Snapshot) -> StreamState:
    if not isinstance(snapshot, StreamState):
        raise SegueError("this moment belongs to another engine: choose that engine first.")
    return snapshot


def _is_style_jump(before: Style | None, now: Style | None) -> bool:
    """Whether the style of two consecutive blocks differs by more than STYLE_JUMP."""
    if before is None or now is None or before is now:
        return False
    return float(np.linalg.norm(now - before)) > STYLE_JUMP
