"""Magenta RealTime 2 as an engine.

A block is three frames of 40 ms: for each, the depthformer generates twelve codes under the newest
conditioning; the codec decodes the block's codes, 40 ms late; a loudness governor keeps the level.
A stream's state is one immutable value, so a snapshot is a reference (see `stepper.py`), and the
engine's `FrameStepper` loads whichever state is rendered next.

On a CPU the weights are eight-bit by default, the codec's decoder is bfloat16 where the CPU has
such products, codec and depthformer run in parallel (`block_generator.py`), and a frame is one
traced call (`traced_frame.py`); on a CUDA device the weights are bfloat16 and a frame is a graph.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.engine.hearing import Hearing
from models.engine.interface import (
    SENDS,
    Audio,
    Controls,
    Engine,
    EngineInfo,
    Snapshot,
    Stream,
    Style,
)
from models.engine.loudness import normalise_loudness
from models.engine.prompt_checks import check_prompt_audio
from models.engine.sounds import refuse_sound
from models.errors import SegueError
from models.magenta_rt2.batch_generator import BatchGenerator, BlockJob
from models.magenta_rt2.block_generator import (
    FRAMES_PER_BLOCK,
    BlockGenerator,
    BlockRequest,
    GeneratedBlock,
    available_cores,
)
from models.magenta_rt2.checkpoint import files
from models.magenta_rt2.checkpoint.weights import (
    codec_tensors,
    file_tensors,
    load_depthformer,
)
from models.magenta_rt2.conditioning import (
    CONTROLS,
    DEFAULT_GUIDANCE,
    DEFAULTS,
    condition_rows,
    condition_tokens,
    sampling_params,
)
from models.magenta_rt2.continuation import prefill
from models.magenta_rt2.depthformer import cuda_graphs, quantize
from models.magenta_rt2.depthformer.batch_stepper import BatchStepper
from models.magenta_rt2.depthformer.config import (
    FRAME_SAMPLES,
    FRAME_SECONDS,
    RVQ_LEVELS,
    SAMPLE_RATE,
    STYLE_DIM,
    DepthformerConfig,
    size_config,
)
from models.magenta_rt2.depthformer.stepper import DepthformerContext, FrameStepper
from models.magenta_rt2.depthformer.traced_frame import trace_frame
from models.magenta_rt2.injection import InjectedBlock, InjectionState, inject
from models.magenta_rt2.silence_watch import SilenceWatch
from models.magenta_rt2.spectrostream.codec import SpectroStream, SpectroStreamConfig
from models.magenta_rt2.spectrostream.weights import load_spectrostream
from models.magenta_rt2.stream_state import PreparedBlock, StreamState
from models.magenta_rt2.styles import PromptStyles, open_style_model
from models.runtime.device import resolve_device, use_full_precision
from models.runtime.huge_pages import use_huge_pages
from models.storage.serialisation import PackedState, pack, unpack_state

MAX_TOGETHER: Final = 8
"""Streams in one step."""
OUTPUT_GAIN: Final = 0.5
"""The reference halves the codec's output before it clips it."""
DEFAULT_PRECISION: Final = {"cpu": "int8", "cuda": "bfloat16", "mps": "float32"}


class MagentaEngine(Engine):
    """Magenta RealTime 2 (arXiv 2508.04651, and its model card)."""

    def __init__(
        self,
        size: str,
        device: str = "auto",
        folder: Path | None = None,
        precision: str | None = None,
        config: DepthformerConfig | None = None,
        codec: SpectroStreamConfig | None = None,
    ) -> None:
        """Load the weights.

        Args:
            size: 'small' or 'base'.
            device: 'auto', 'cpu', 'cuda' or 'mps'.
            folder: of the released files; None for where `models fetch` puts them.
            precision: one of `quantize.PRECISIONS`; None for the device's default.
            config: other sizes of the depthformer, for tests.
            codec: other sizes of the codec, for tests.

        Raises:
            SegueError: weights are missing, damaged, or another model's.

        """
        self.config = config or size_config(size)
        self.size, self.name = size, f"magenta-rt2-{size}"
        self.device = resolve_device(device)
        if self.device == "cuda":
            use_full_precision()
        self.precision = precision or DEFAULT_PRECISION[self.device]
        if self.precision not in quantize.PRECISIONS:
            known = ", ".join(quantize.PRECISIONS)
            raise SegueError(f"there is no precision '{self.precision}': choose from {known}.")
        self.folder = files.folder_of(self.name) if folder is None else folder
        checkpoint = self.folder / files.CHECKPOINTS[self.name]
        dtype = torch.bfloat16 if self.precision == "bfloat16" else torch.float32
        model = load_depthformer(
            checkpoint, self.config, self.device, dtype, fuse=self.device != "cpu"
        )
        if self.precision.startswith("int8"):
            quantize.quantize(model, self.precision)
        self.model = model
        self.codec = SpectroStream(codec or SpectroStreamConfig(levels=RVQ_LEVELS))
        tensors = codec_tensors(checkpoint, self.name)
        load_spectrostream(self.codec, tensors, ("quantizer", "decoder"), checkpoint.name)
        self.codec.to(self.device).eval()
        if self.precision.startswith("int8") and quantize.has_fast_bfloat16():
            self.codec.decoder.to(torch.bfloat16)
        self.lock = threading.Lock()  # of whoever generates: streams share the steppers
        self._encoder_loaded = False
        self._encoder_lock = threading.Lock()
        style_model = open_style_model(self.name, self.folder, checkpoint)
        self.styles = PromptStyles(style_model, self.name)
        self.stepper = FrameStepper(model)
        if cuda_graphs.enabled(self.device):
            self._capture_graph()
        elif self.device == "cpu":
            trace_frame(self.stepper)
        self.codec.pack_weights(FRAMES_PER_BLOCK)
        self.generator = BlockGenerator(
            self.stepper, self.codec, self.device == "cpu" and available_cores() > 1
        )
        if self.device == "cpu":
            use_huge_pages()

    def _capture_graph(self) -> None:
        try:
            cuda_graphs.capture(self.stepper)
        except RuntimeError as error:  # not supported by this driver or torch: slower, but it plays
            print(
                f"segue: {self.name} is played without a CUDA graph, which takes longer "
                f"({str(error).splitlines()[0]}).",
                file=sys.stderr,
            )
            self.stepper.replay = None
            self.stepper.reset()

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
            sends=SENDS - {"echo"},
        )

    def embed_text(self, text: str) -> Style:
        refuse_sound(text, self.info.name)
        return self.styles.embed_text(text)

    def embed_audio(self, samples: NDArray[np.floating], sample_rate: int) -> Style:
        return self.styles.embed_audio(samples, sample_rate)

    @property
    def max_together(self) -> int:
        """Eight-bit weights quantize their input over all its rows: streams would change each
        other's codes.
        """
        return 1 if self.precision.startswith("int8") else MAX_TOGETHER

    @cached_property
    def batch_generator(self) -> BatchGenerator:
        """Generator of several streams; made where there are several."""
        return BatchGenerator(BatchStepper(self.model, self.max_together), self.codec)

    def render_together(self, jobs: Sequence[tuple[Stream, Controls]]) -> list[Audio | Exception]:
        results: dict[int, Audio | Exception] = {}
        prepared: dict[int, tuple[MagentaStream, PreparedBlock]] = {}
        with self.lock:
            for number, (stream, controls) in enumerate(jobs):
                assert isinstance(stream, MagentaStream)
                try:
                    prepared[number] = stream, stream.prepare(controls)
                except SegueError as error:
                    results[number] = error
            blocks = self.batch_generator.blocks([block.job for _, block in prepared.values()])
        for (number, (stream, before)), block in zip(prepared.items(), blocks, strict=True):
            try:
                results[number] = stream.finish(before, block)
            except SegueError as error:
                results[number] = error
        return [results[number] for number in range(len(jobs))]

    def start(self, seed: int = 0) -> MagentaStream:
        return MagentaStream(self, seed)

    def codec_with_encoder(self) -> SpectroStream:
        """The codec, its encoder loaded on the first call; SegueError where the file is missing."""
        if not self._encoder_loaded:
            tensors = file_tensors(self.folder / files.CODEC_ENCODER, self.name)
            load_spectrostream(self.codec, tensors, ("encoder",), source=files.CODEC_ENCODER)
            self._encoder_loaded = True
        return self.codec

    def snapshot_after(
        self, samples: NDArray[np.floating], sample_rate: int, seed: int = 0
    ) -> StreamState:
        """State after audio, of which the last ten seconds count, with every control at auto.

        As the codec is 40 ms late, a stream continues with the audio's last 40 ms. SegueError also
        where the encoder's file is missing.
        """
        audio = check_prompt_audio(samples, sample_rate)
        with self._encoder_lock:
            auto = torch.from_numpy(condition_tokens(None, Controls(), DEFAULT_GUIDANCE))
            encoder = self.codec_with_encoder()
            context, codec = prefill(self.model, encoder, audio, sample_rate, auto)
        return StreamState(self.name, seed, 0, context, codec)

    @cached_property
    def checksum(self) -> str:
        """What a packed state depends on: the weights' checksum and their precision."""
        codec_dtype = self.codec.decoder.base_conv_last.weight.dtype
        weights = files.fingerprint(self.folder, files.CHECKPOINTS[self.name])
        return f"{weights} {self.precision} {codec_dtype}"

    @property
    def weights_identity(self) -> str:
        return self.checksum

    def pack(self, snapshot: Snapshot) -> PackedState:
        if not isinstance(snapshot, StreamState) or snapshot.model != self.name:
            raise SegueError("this moment belongs to another engine: it cannot be kept here.")
        return PackedState(self.name, self.checksum, *pack(snapshot))

    def unpack(self, packed: PackedState) -> Snapshot:
        devices = dict.fromkeys(("context", "codec", "injection"), self.device)
        return unpack_state(packed, StreamState, self.name, self.checksum, devices)

    def notices(self) -> tuple[tuple[str, str], ...]:
        return self.styles.take_notices()

    def close(self) -> None:
        self.generator.close()


class MagentaStream(Stream):
    """One endless piece generated by Magenta RealTime 2."""

    def __init__(self, engine: MagentaEngine, seed: int) -> None:
        self.engine = engine
        self._hearing: Hearing | None = None
        self.state = StreamState(
            model=engine.name,
            seed=seed,
            epoch=0,
            context=engine.stepper.empty_context(),
            codec=tuple(engine.codec.initial_decoder_state()),
        )

    def hear(self, hearing: Hearing | None) -> None:
        self._hearing = hearing

    def render(self, controls: Controls) -> Audio:
        engine = self.engine
        with engine.lock:
            before = self.prepare(controls)
            job = before.job
            # While something is played in, the next block's context will not be the one after this.
            ahead = job.context is self.state.context
            block = engine.generator.block(job.context, job.codec, job.request, ahead)
        return self.finish(before, block)

    def prepare(self, controls: Controls) -> PreparedBlock:
        """What is needed to generate the next block. The stream is unchanged."""
        state = self.state
        requested = DEFAULT_GUIDANCE if controls.guidance is None else controls.guidance
        temperature, top_k = sampling_params(controls)
        conditions = self._conditions(controls, requested)
        injection, context = self._injected(controls.memory or 0.0)
        request = BlockRequest(conditions, temperature, top_k, state.seed, state.epoch)
        job = BlockJob(context, state.codec, request)
        return PreparedBlock(job, injection, requested, controls.notes)

    def finish(self, before: PreparedBlock, block: GeneratedBlock) -> Audio:
        """Sound of a block that was generated; the stream is after it then."""
        engine, state, job = self.engine, self.state, before.job
        sound = block.audio[0].float().cpu().numpy()
        audio = np.ascontiguousarray(sound * np.float32(OUTPUT_GAIN))
        if not np.isfinite(audio).all():
            raise SegueError("the model gave sound that is not finite: clear the history.")
        level_db = 10.0 * np.log10(float(np.mean(np.square(audio, dtype=np.float64))) + 1e-12)
        watch = state.watch.after(level_db, engine.info.block_seconds, before.requested)
        audio, level = normalise_loudness(audio, state.level)
        injection = before.injection
        if injection is not None:
            gain = float(np.sqrt(np.mean(sound**2) / max(float(np.mean(audio**2)), 1e-12)))
            tokens = block.codes + engine.stepper.offsets
            injected = InjectedBlock(job.context, job.request.conditions, tokens, sound, gain)
            injection = injection.after(injected)
        self.state = replace(
            state, context=block.context, codec=block.codec, level=level, watch=watch,
            held=before.held, injection=injection,
        )  # fmt: skip
        if watch.should_clear:
            self.clear()
        return audio

    def _injected(self, amount: float) -> tuple[InjectionState | None, DepthformerContext]:
        """The memory of what is played in, and the context with it."""
        engine, state = self.engine, self.state
        if amount <= 0.0 or self._hearing is None:
            return None, state.context
        if state.injection is None:  # from now on
            return InjectionState(fed=state.context.frame), state.context
        codec = engine.codec_with_encoder()
        return inject(engine.model, codec, state.injection, state.context, self._hearing, amount)

    def _conditions(self, controls: Controls, requested: float) -> Tensor:
        guidance = self.state.watch.guidance(requested)
        style = self.engine.styles.tokens(controls.style)
        held = self.state.held
        return torch.from_numpy(condition_rows(style, controls, guidance, held, FRAMES_PER_BLOCK))

    def snapshot(self) -> Snapshot:
        return self.state

    def restore(self, snapshot: Snapshot) -> None:
        if not isinstance(snapshot, StreamState) or snapshot.model != self.engine.name:
            raise SegueError("this moment belongs to another engine: it cannot be taken up here.")
        self.state = snapshot

    def clear(self) -> None:
        # The codec's state stays, so that the last notes ring out instead of being cut.
        epoch, context = self.state.epoch + 1, self.engine.stepper.empty_context()
        self.state = replace(
            self.state, epoch=epoch, context=context, watch=SilenceWatch(), injection=None
        )
