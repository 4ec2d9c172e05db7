"""Magenta RealTime 2 behind the common engine interface. Inference lane.

Three frames of 40 ms make a block: for each, the depthformer plays twelve codes under the newest
conditioning; the codec's decoder turns the block's codes into sound at once, 40 ms late; a governor
keeps its level. A stream is one immutable value, so a snapshot is a reference (`stepper.py` tells
how its context is kept and what it weighs), and the one `FrameStepper` of the engine is moved to
whichever value is played next.

On a CPU the weights are eight-bit unless told otherwise, the codec's decoder is bfloat16 where the
CPU multiplies such numbers itself, the two work beside each other (`player.py`), and a frame is one
recorded call (`recorded.py`); on a CUDA device the weights are bfloat16.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.engine.interface import (
    Audio,
    Controls,
    Engine,
    EngineInfo,
    Snapshot,
    Stream,
    Style,
    check_prompt_audio,
    check_prompt_text,
)
from models.engine.loudness import LevelState, normalise_loudness
from models.errors import SegueError
from models.magenta_rt2.checkpoint import files
from models.magenta_rt2.checkpoint.files import folder_of
from models.magenta_rt2.checkpoint.weights import (
    codec_tensors,
    file_metadata,
    file_tensors,
    load_depthformer,
)
from models.magenta_rt2.conditioning import (
    CONTROLS,
    DEFAULTS,
    GUIDANCE,
    condition_tokens,
    looseness,
)
from models.magenta_rt2.continuation import take_in
from models.magenta_rt2.depthformer import cuda_graphs as graphs
from models.magenta_rt2.depthformer import quantize
from models.magenta_rt2.depthformer import traced_frame as recorded
from models.magenta_rt2.depthformer.config import (
    CHECKPOINTS,
    ENCODER,
    FRAME_SAMPLES,
    FRAME_SECONDS,
    LEVELS,
    SAMPLE_RATE,
    STYLE_DIM,
    DepthformerConfig,
    size_config,
)
from models.magenta_rt2.depthformer.stepper import DepthformerContext, FrameStepper
from models.magenta_rt2.player import FRAMES_PER_BLOCK, BlockGenerator, BlockRequest, cores
from models.magenta_rt2.silence_watch import SilenceWatch
from models.magenta_rt2.spectrostream.codec import SpectroStream, SpectroStreamConfig
from models.magenta_rt2.spectrostream.weights import load_spectrostream
from models.runtime.device import resolve_device
from models.storage.serialisation import PackedState, pack, unpack_state

OUTPUT_GAIN: Final = 0.5
"""The reference turns the codec's sound down by half before it clips it."""
DEFAULT_PRECISION: Final = {"cpu": "int8", "cuda": "bfloat16", "mps": "float32"}


class StyleEmbedder(Protocol):
    """What the engine asks of MusicCoCa."""

    def embed_text(self, text: str) -> NDArray[np.float32]: ...

    def embed_audio(
        self, samples: NDArray[np.floating[Any]], rate: int, /
    ) -> NDArray[np.float32]: ...

    def tokens(self, style: NDArray[np.float32], /) -> NDArray[np.integer[Any]]: ...


@dataclass(frozen=True, eq=False)
class StreamState:
    """Everything a stream remembers; immutable.

    model: which weights it belongs to. codec: the decoder's state, whose tensors are never written.
    """

    model: str
    seed: int
    epoch: int
    context: DepthformerContext
    codec: tuple[Tensor, ...]
    level: LevelState = field(default_factory=LevelState)
    watch: SilenceWatch = field(default_factory=SilenceWatch)


class MagentaEngine(Engine):
    """Magenta RealTime 2 (Magenta RealTime, arXiv 2508.04651, and its successor's model card)."""

    def __init__(
        self,
        size: str,
        device: str = "auto",
        folder: Path | None = None,
        precision: str | None = None,
        config: DepthformerConfig | None = None,
        codec: SpectroStreamConfig | None = None,
    ) -> None:
        """size: 'small' or 'base'. folder: where the released files lie; where fetching puts them
        if None. precision: of `quantize.PRECISIONS`. config, codec: other sizes, for tests.

        Raises SegueError for weights that are missing, damaged, or not this model's.
        """
        self.config = config or size_config(size)
        self.size, self.name = size, f"magenta-rt2-{size}"
        self.device = resolve_device(device)
        self.precision = precision or DEFAULT_PRECISION[self.device]
        if self.precision not in quantize.PRECISIONS:
            known = ", ".join(quantize.PRECISIONS)
            raise SegueError(f"there is no precision '{self.precision}': choose from {known}.")
        self.folder = folder_of(self.name) if folder is None else folder
        checkpoint = self.folder / CHECKPOINTS[size]
        dtype = torch.bfloat16 if self.precision == "bfloat16" else torch.float32
        model = load_depthformer(
            checkpoint, self.config, self.device, dtype, join=self.device != "cpu"
        )
        if self.precision.startswith("int8"):
            quantize.quantize(model, self.precision)
        self.model = model
        self.codec = SpectroStream(codec or SpectroStreamConfig(levels=LEVELS))
        parts = ("quantizer", "decoder")
        tensors = codec_tensors(checkpoint, self.name)
        load_spectrostream(self.codec, tensors, parts, source=checkpoint.name)
        self.codec.to(self.device).eval()
        if self.precision.startswith("int8") and quantize.has_fast_bfloat16():
            self.codec.decoder.to(torch.bfloat16)  # half the time, which is the larger part
        self._encoder_loaded = False
        self._listening = threading.Lock()
        self.style = self._style_model(checkpoint)
        self.stepper = FrameStepper(model)
        if graphs.wanted(self.device):
            self._capture()
        elif self.device == "cpu":
            recorded.trace_frame(self.stepper)
        self.codec.pack(FRAMES_PER_BLOCK)
        self.player = BlockGenerator(self.stepper, self.codec, self.device == "cpu" and cores() > 1)
        self._tokens: dict[bytes, NDArray[np.integer[Any]]] = {}

    def _capture(self) -> None:
        try:
            graphs.capture(self.stepper)
        except RuntimeError as error:  # a driver or a torch that cannot: slower, but it plays
            print(
                f"segue: {self.name} is played without a CUDA graph, which takes longer "
                f"({str(error).splitlines()[0]}).",
                file=sys.stderr,
            )
            self.stepper.replay = None
            self.stepper.forget()

    def _style_model(self, checkpoint: Path) -> StyleEmbedder:
        if "segue" in file_metadata(checkpoint, self.name):
            from models.magenta_rt2.musiccoca.random_style import RandomStyle

            print(
                f"segue: {checkpoint.name} holds random weights, so prompts are given random "
                "styles: what plays is noise, fit for measuring only.",
                file=sys.stderr,
            )
            return RandomStyle()
        from models.magenta_rt2.musiccoca.model import MusicCoCa

        return MusicCoCa(self.name, self.folder)

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(
            name=self.name,
            sample_rate=SAMPLE_RATE,
            channels=2,
            block_frames=FRAMES_PER_BLOCK * FRAME_SAMPLES,
            context_seconds=self.config.context_frames * FRAME_SECONDS,
            style_dim=STYLE_DIM,
            controls=CONTROLS,
            device=self.device,
            defaults=DEFAULTS,
            continues_audio=True,
        )

    def embed_text(self, text: str) -> Style:
        return np.asarray(self.style.embed_text(check_prompt_text(text)), np.float32)

    def embed_audio(self, samples: NDArray[np.floating[Any]], sample_rate: int) -> Style:
        audio = check_prompt_audio(samples, sample_rate)
        return np.asarray(self.style.embed_audio(audio, sample_rate), np.float32)

    def start(self, seed: int = 0) -> MagentaStream:
        return MagentaStream(self, seed)

    def style_tokens(self, style: Style | None) -> NDArray[np.integer[Any]] | None:
        """The codes of a style, worked out once for each; SegueError for another engine's style."""
        if style is None:
            return None
        if style.shape != (STYLE_DIM,):
            raise SegueError(
                f"the style has {len(style)} numbers, this engine's have {STYLE_DIM}: embed the "
                "prompt with this engine."
            )
        key = style.tobytes()
        if key not in self._tokens:
            if len(self._tokens) >= 256:
                self._tokens.clear()
            self._tokens[key] = self.style.tokens(style)
        return self._tokens[key]

    def encoder(self) -> SpectroStream:
        """The codec with its encoder, read when it is first needed; SegueError without its file."""
        if not self._encoder_loaded:
            tensors = file_tensors(self.folder / ENCODER, self.name)
            load_spectrostream(self.codec, tensors, ("encoder",), source=ENCODER)
            self._encoder_loaded = True
        return self.codec

    def snapshot_after(
        self, samples: NDArray[np.floating[Any]], sample_rate: int, seed: int = 0
    ) -> StreamState:
        """The last ten seconds are heard, with every control left to the model, so that the moment
        depends on the audio alone; what comes then begins with its last 40 ms, by which the codec
        is late. SegueError also without the encoder's file."""
        audio = check_prompt_audio(samples, sample_rate)
        with self._listening:
            untold = torch.from_numpy(condition_tokens(None, Controls(), GUIDANCE))
            context, codec = take_in(self.model, self.encoder(), audio, sample_rate, untold)
        return StreamState(self.name, seed, 0, context, codec)

    @cached_property
    def checksum(self) -> str:
        """Of what a moment depends on: the weights, and the numbers that they are held in."""
        kind = str(self.codec.decoder.last.weight.dtype)
        weights = files.fingerprint(self.folder, CHECKPOINTS[self.size])
        return f"{weights} {self.precision} {kind}"

    def pack(self, moment: Snapshot) -> PackedState:
        if not isinstance(moment, StreamState) or moment.model != self.name:
            raise SegueError("this moment belongs to another engine: it cannot be kept here.")
        return PackedState(self.name, self.checksum, *pack(moment))

    def unpack(self, packed: PackedState) -> Snapshot:
        devices = dict.fromkeys(("context", "codec"), self.device)
        return unpack_state(packed, StreamState, self.name, self.checksum, devices)

    def close(self) -> None:
        self.player.close()


class MagentaStream(Stream):
    """One endless piece of Magenta RealTime 2."""

    def __init__(self, engine: MagentaEngine, seed: int) -> None:
        self.engine = engine
        self.state = StreamState(
            model=engine.name,
            seed=seed,
            epoch=0,
            context=engine.stepper.fresh(),
            codec=tuple(engine.codec.decoder_start()),
        )

    def render(self, controls: Controls) -> Audio:
        engine, state = self.engine, self.state
        asked = GUIDANCE if controls.guidance is None else controls.guidance
        conditions, loose = self._conditions(controls, asked), looseness(controls.chaos)
        wish = BlockRequest(conditions, *loose, state.seed, state.epoch)
        sound, context, codec = engine.player.block(state.context, state.codec, wish)
        audio = np.ascontiguousarray(sound[0].float().cpu().numpy() * np.float32(OUTPUT_GAIN))
        if not np.isfinite(audio).all():
            raise SegueError("the model gave sound that is not finite: clear the history.")
        power = float(np.mean(np.square(audio, dtype=np.float64)))
        watch = state.watch.after(10.0 * np.log10(power + 1e-12), engine.info.block_seconds, asked)
        audio, level = normalise_loudness(audio, state.level)
        self.state = replace(state, context=context, codec=codec, level=level, watch=watch)
        if watch.hopeless:
            self.clear()
        return audio

    def _conditions(self, controls: Controls, asked: float) -> Tensor:
        guidance = self.state.watch.guidance(asked)
        style = self.engine.style_tokens(controls.style)
        return torch.from_numpy(condition_tokens(style, controls, guidance))

    def snapshot(self) -> Snapshot:
        return self.state

    def restore(self, moment: Snapshot) -> None:
        if not isinstance(moment, StreamState) or moment.model != self.engine.name:
            raise SegueError("this moment belongs to another engine: it cannot be taken up here.")
        self.state = moment

    def clear(self) -> None:
        # The codec goes on, so what still sounds rings out instead of being cut.
        state = self.state
        self.state = replace(
            state, epoch=state.epoch + 1, context=self.engine.stepper.fresh(), watch=SilenceWatch()
        )
