"""The engine interface: what every generative model looks like to the instrument. Any lane.

An engine is a model ready to play; a stream is one endless piece that it plays. The inference lane
owns the stream and calls it from one thread at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.engine.controls import CONTROL_NAMES, RANGES, Controls, Style, as_style, blend
from models.errors import SegueError
from models.music.score import STEMS
from models.storage.serialisation import PackedState

__all__ = [
    "STEMS",
    "Audio",
    "Controls",
    "Engine",
    "EngineInfo",
    "ScoreInfo",
    "Snapshot",
    "Stream",
    "Style",
    "as_style",
    "blend",
    "block_fault",
]

Audio: TypeAlias = NDArray[np.float32]
"""float32 (samples, channels), full scale at +-1."""

Snapshot: TypeAlias = object
"""An opaque, immutable moment of a stream. Cheap: it shares memory with the stream."""


@dataclass(frozen=True)
class EngineInfo:
    """What an engine is and does.

    sample_rate: Hz. block_frames: stereo samples that one `Stream.render` yields.
    context_seconds: how far back the music remembers. style_dim: length of a style vector.
    controls: names from CONTROL_NAMES of those that really act, and "strength" where a control may
        be advice as well as an order; the window shows only these.
    device: where it runs ('cpu', 'cuda', 'mps' or a remote's name).
    ranges: of controls that act in a narrower range than RANGES says; what lies outside is held at
        the edge. defaults: what auto is, for controls whose auto is a number.
    continues_audio: whether `Engine.snapshot_after` works.
    """

    name: str
    sample_rate: int
    channels: int
    block_frames: int
    context_seconds: float
    style_dim: int
    controls: frozenset[str]
    device: str = "cpu"
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict, hash=False)
    defaults: Mapping[str, float] = field(default_factory=dict, hash=False)
    continues_audio: bool = False

    def __post_init__(self) -> None:
        unknown = self.controls - {*CONTROL_NAMES, "strength"}
        if unknown:
            raise ValueError(f"{self.name} lists controls that do not exist: {sorted(unknown)}")
        dead = {*self.ranges, *self.defaults} - (self.controls & set(RANGES))
        if dead:
            raise ValueError(f"{self.name} tells numbers of controls it has not: {sorted(dead)}")

    @property
    def block_seconds(self) -> float:
        return self.block_frames / self.sample_rate


@dataclass(frozen=True)
class ScoreInfo:
    """Score of the block that was rendered last, as far as an engine knows it.

    tempo: beats per minute. key: as in `Controls.key`. chord: symbol such as 'Am7', '' for none.
    beat: beats since the start of the stream. bars: bars since then. Both are fractional and hold
    at `bars_at` frames after the block's start (None: at its end). beats_per_bar: the metre.
    notes: MIDI numbers that sound in the block, by pitched part.
    """

    tempo: float | None = None
    key: str | None = None
    chord: str | None = None
    beat: float | None = None
    bars: float | None = None
    bars_at: int | None = None
    beats_per_bar: int = 4
    notes: Mapping[str, tuple[int, ...]] = field(default_factory=dict, hash=False)


class Stream(ABC):
    """One endless piece. It owns the musical context; not safe to call from two threads at once."""

    @abstractmethod
    def render(self, controls: Controls) -> Audio:
        """The next block, float32 (block_frames, channels). The array is the caller's to keep.

        Controls that the engine does not list are ignored. Raises SegueError for controls that do
        not fit this engine, such as a style of another engine, and is then as it was before.
        """

    @abstractmethod
    def snapshot(self) -> Snapshot:
        """This moment, to come back to with `restore`. Immutable; no copy of the context."""

    @abstractmethod
    def restore(self, moment: Snapshot) -> None:
        """Go back to a moment of this stream or of another stream of the same engine.

        From there the same controls give bit-identical blocks. A moment may be used many times.
        Raises SegueError if the moment is not one of this engine.
        """

    @abstractmethod
    def clear(self) -> None:
        """Forget the context and start afresh, without a click at the seam."""

    @property
    def score(self) -> ScoreInfo | None:
        """Score of the last block; None before the first, and where the engine has none."""
        return None


class Engine(ABC):
    """A generative model, ready to play: weights, codec, style model."""

    @property
    @abstractmethod
    def info(self) -> EngineInfo:
        """What this engine is; never changes while it is open."""

    @abstractmethod
    def embed_text(self, text: str) -> Style:
        """float32 (style_dim,) of a prompt. SegueError for empty text (see `check_prompt_text`)."""

    @abstractmethod
    def embed_audio(self, samples: NDArray[np.floating[Any]], sample_rate: int) -> Style:
        """float32 (style_dim,) of samples (n,) or (n, channels).

        SegueError for samples that `check_prompt_audio` refuses.
        """

    @abstractmethod
    def start(self, seed: int = 0) -> Stream:
        """A stream with a fresh context.

        The same seed and controls give the same music on the same device.
        """

    def snapshot_after(
        self, samples: NDArray[np.floating[Any]], sample_rate: int, seed: int = 0
    ) -> Snapshot:
        """The moment at which audio, samples (n,) or (n, channels), has just been heard.

        A stream that is restored to it goes on from there, and is then one of this seed. Only where
        `info.continues_audio`; takes seconds, and may be called beside the inference lane.
        SegueError for samples that `check_prompt_audio` refuses.
        """
        raise SegueError(f"{self.info.name} cannot go on from audio: choose an engine that can.")

    def pack(self, moment: Snapshot) -> PackedState | None:
        """A moment for a file; None where this engine's moments live only as long as the program.

        A packed moment that is unpacked gives bit-identical blocks on the same device.
        """
        return None

    def unpack(self, packed: PackedState) -> Snapshot:
        """A moment that was packed, by this engine or an earlier one of the same weights.

        SegueError for a moment of another engine, of other weights, or of another version.
        """
        raise SegueError(f"{self.info.name} keeps no places in the music in files.")

    def close(self) -> None:  # noqa: B027 - most engines have nothing to let go of
        """Let go of memory, devices and connections. The engine is not used afterwards."""


MAX_PROMPT_CHARACTERS: Final = 1000
MIN_PROMPT_SECONDS: Final = 0.5


def check_prompt_text(text: str) -> str:
    """The prompt without surrounding space; SegueError where it is empty or absurdly long."""
    stripped = " ".join(text.split())
    if not stripped:
        raise SegueError("the prompt is empty: write what the music should be, or remove it.")
    if len(stripped) > MAX_PROMPT_CHARACTERS:
        raise SegueError(
            f"the prompt has {len(stripped)} characters: {MAX_PROMPT_CHARACTERS} are the most."
        )
    return stripped


def check_prompt_audio(samples: NDArray[np.floating[Any]], sample_rate: int) -> Audio:
    """Samples (n,) or (n, channels) as float32 (n, channels).

    SegueError where there are under half a second of them, or they are not finite, or silent.
    """
    if sample_rate <= 0:
        raise SegueError(f"the audio prompt's sample rate is {sample_rate}: it must be above 0.")
    audio = np.asarray(samples, dtype=np.float32)
    if audio.ndim == 1:
        audio = audio[:, None]
    if audio.ndim != 2 or audio.shape[1] == 0:
        raise SegueError("the audio prompt must be samples, or samples by channels.")
    seconds = len(audio) / sample_rate
    if seconds < MIN_PROMPT_SECONDS:
        raise SegueError(
            f"the audio prompt lasts {seconds:.2g} s: give at least {MIN_PROMPT_SECONDS:g} s."
        )
    if not np.isfinite(audio).all():
        raise SegueError("the audio prompt holds samples that are not finite: export it again.")
    if np.abs(audio).max() < 1e-4:  # -80 dB of full scale
        raise SegueError("the audio prompt is silent: give one that can be heard.")
    return audio


def block_fault(block: object, info: EngineInfo) -> str | None:
    """What is wrong with a block that an engine gave, in words; None if nothing is."""
    if not isinstance(block, np.ndarray) or block.dtype != np.float32:
        return "the engine gave something that is not float32 samples"
    if block.shape != (info.block_frames, info.channels):
        return f"the engine gave a block of shape {block.shape}"
    if not np.isfinite(block).all():
        return "the engine gave samples that are not finite"
    return None
