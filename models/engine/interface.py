"""Engine interface: abstract base classes of all generative models.

An `Engine` is a model ready to play; a `Stream` is one endless piece that it plays. A stream is
used by one thread at a time (the inference thread); an engine may be used by several.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.engine.control_values import RANGES
from models.engine.controls import CONTROL_NAMES, Controls, Style, as_style, blend
from models.engine.hearing import Hearing
from models.engine.parts import PART_CONTROLS
from models.errors import SegueError
from models.music.score import STEMS
from models.storage.serialisation import PackedState

__all__ = [
    "STEMS", "Audio", "Controls", "Engine", "EngineInfo", "NoteEvent", "Samples", "ScoreInfo",
    "Snapshot", "Stream", "Style", "as_style", "blend", "block_fault",
]  # fmt: skip

Audio: TypeAlias = NDArray[np.float32]
"""Audio of an engine: float32 (samples, channels), full scale at +-1."""

Samples: TypeAlias = NDArray[np.floating]
"""Audio from elsewhere, as prompts: (samples,) or (samples, channels), full scale at +-1."""

SENDS: Final = frozenset({"echo", "follow", "memory", "style"})
"""Ways in which the performer's own sound steers a stream. style: as a prompt among the others,
by `Engine.embed_audio`. follow: its beat and chords are accompanied, by tempo, key, density and
held keys. memory: as part of the music that the model goes on from, by `Stream.hear` and
`Controls.memory`. echo: comes back after a time, made anew, by `Stream.hear` and
`Controls.echo`."""

Snapshot: TypeAlias = object
"""State of a stream, opaque and immutable. Cheap: it shares memory with the stream."""


@dataclass(frozen=True)
class EngineInfo:
    """Properties of an engine.

    Attributes:
        name: the name it is registered under.
        sample_rate: Hz.
        channels: of the audio, 2 for stereo.
        block_frames: samples per channel in one block.
        context_seconds: length of the musical context.
        style_dim: length of a style vector.
        controls: names of CONTROL_NAMES that have an effect, and "strength" where controls have a
            strength; the window shows only these.
        device: 'cpu', 'cuda', 'mps' or a remote's name.
        ranges: (lowest, highest) of controls whose range is narrower than in RANGES; values outside
            are clipped.
        defaults: value of auto, for controls whose auto is a number.
        continues_audio: whether `Engine.snapshot_after` is implemented.
        parts: names of the parts that `Stream.stems` has, in the order of a mixer; empty for none.
        sends: names of SENDS: what the engine can do with what the performer plays in.
        part_controls: names of PART_CONTROLS that act on each of `parts`; "parts" or "reroll" are
            then among the controls.
        stems_lead: samples by which the stems are ahead of the block's sound, since the master's
            limiter looks ahead.
        rewinds: whether `Stream.restore` leads back to any snapshot, so that the plan can be
            rewritten, bars held and moments gone back to; a service that only goes on cannot.
        remote: whether it is elsewhere, so that blocks and styles take as long as the line does,
            and `Stream.render` may raise BlockPendingError.
        user_instruments: whether parts can play instruments of the performer's own, files that
            this process has loaded.

    Raises:
        ValueError: names that are not controls, or ranges of controls without effect.

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
    parts: tuple[str, ...] = ()
    part_controls: frozenset[str] = frozenset()
    stems_lead: int = 0
    sends: frozenset[str] = frozenset()
    remote: bool = False
    user_instruments: bool = False
    rewinds: bool = True

    def __post_init__(self) -> None:
        unknown = self.controls - {*CONTROL_NAMES, "strength"}
        if unknown:
            raise ValueError(f"{self.name} lists controls that do not exist: {sorted(unknown)}")
        if not self.sends <= SENDS:
            raise ValueError(f"{self.name} lists sends that do not exist: {sorted(self.sends)}")
        strange = self.part_controls - set(PART_CONTROLS)
        if strange:
            raise ValueError(
                f"{self.name} lists part controls that do not exist: {sorted(strange)}"
            )
        dead = {*self.ranges, *self.defaults} - (self.controls & set(RANGES))
        if dead:
            raise ValueError(f"{self.name} tells numbers of controls it has not: {sorted(dead)}")

    @property
    def block_seconds(self) -> float:
        """Duration of a block in seconds."""
        return self.block_frames / self.sample_rate


@dataclass(frozen=True)
class NoteEvent:
    """A note that begins or ends.

    Attributes:
        frame: samples from the block's start at which it does so in the block's sound.
        part: name of the part.
        pitch: MIDI note; for drums the key of the General MIDI percussion map.
        velocity: 1..127 where the note begins, 0 where it ends.

    """

    frame: int
    part: str
    pitch: int
    velocity: int


@dataclass(frozen=True)
class ScoreInfo:
    """Score of the block that was rendered last, as far as an engine knows it.

    tempo: beats per minute. key: as in `Controls.key`. chord: symbol such as 'Am7', '' for none.
    beat: beats since the start of the stream. bars: bars since then. Both are fractional and hold
    at `bars_at` frames after the block's start (None: at its end). beats_per_bar: the metre.
    notes: MIDI numbers that sound in the block, by pitched part. section: of the form, '' for none.
    events: notes that begin and end in the block, in the order of their frames. Each note begins
    once and ends once in a stream that is neither restored nor replaced. held: the notes that are
    on when the block begins, as events at frame 0. instruments: instrument or kit of each part that
    has one. programs: their General MIDI programs, 0..127 (of the drum channel for a kit).
    levels: peak of each part that sounds, linear, in equally long slices of the block.
    """

    tempo: float | None = None
    key: str | None = None
    chord: str | None = None
    beat: float | None = None
    bars: float | None = None
    bars_at: int | None = None
    beats_per_bar: int = 4
    notes: Mapping[str, tuple[int, ...]] = field(default_factory=dict, hash=False)
    section: str = ""
    events: tuple[NoteEvent, ...] = ()
    held: tuple[NoteEvent, ...] = ()
    instruments: Mapping[str, str] = field(default_factory=dict, hash=False)
    programs: Mapping[str, int] = field(default_factory=dict, hash=False)
    levels: Mapping[str, tuple[float, ...]] = field(default_factory=dict, hash=False)


class Stream(ABC):
    """One endless piece of music with its musical context. Not thread-safe."""

    @abstractmethod
    def render(self, controls: Controls) -> Audio:
        """Render the next block.

        Args:
            controls: of this block; those that `EngineInfo.controls` does not list are ignored.

        Returns:
            float32 (block_frames, channels); the stream keeps no reference to it.

        Raises:
            SegueError: controls that do not fit this engine, such as a style of another one. The
                stream is then unchanged.
            BlockPendingError: an engine elsewhere has not answered yet; the stream is unchanged,
                and the same call goes on waiting.
            PlaceLostError: that engine has forgotten where the stream was; the stream is where it
                can go on from.

        """

    def hear(self, hearing: Hearing | None) -> None:  # noqa: B027 - most engines do not listen
        """Set what the performer has played in, for the next `render`; None for nothing.

        It never sounds itself: it is a past from which the music goes on. It is no part of a
        snapshot, and with the same controls and hearings the blocks are the same.
        """

    @property
    def heard(self) -> Hearing | None:
        """What the last block heard, with how much of it it took in: given to `hear` instead, it
        gives the same block again. None where that is what `hear` was given.
        """
        return None

    @property
    def stems(self) -> Mapping[str, Audio]:
        """Sound of each part of the last block, float32 (block_frames, channels), by the names of
        `EngineInfo.parts`. They sum to the mix before the master. Empty where there are none.
        """
        return {}

    @abstractmethod
    def snapshot(self) -> Snapshot:
        """The stream's state, for `restore`. Immutable; the context is not copied."""

    @abstractmethod
    def restore(self, snapshot: Snapshot) -> None:
        """Set the stream's state; the same controls then give bit-identical blocks.

        Args:
            snapshot: of this stream or of another one of the same engine; may be restored again.
                Without `EngineInfo.rewinds` it leads back a few blocks at most.

        Raises:
            SegueError: a snapshot of another engine.

        """

    @abstractmethod
    def clear(self) -> None:
        """Reset the musical context; the audio goes on without a click."""

    @property
    def score(self) -> ScoreInfo | None:
        """Score of the last block; None before the first, and where the engine has none."""
        return None


class Engine(ABC):
    """A generative model, ready to play: weights, codec, style model."""

    @property
    @abstractmethod
    def info(self) -> EngineInfo:
        """Properties of the engine; constant while it is open."""

    @property
    def weights_identity(self) -> str | None:
        """A checksum in hex of everything that this engine's sound depends on, to tell what was
        played with these weights from what was played with others; None for an engine without
        weights of its own here.
        """
        return None

    @abstractmethod
    def embed_text(self, text: str) -> Style:
        """Style of a text prompt, float32 (style_dim,).

        Raises:
            SegueError: text that `check_prompt_text` refuses.

        """

    @abstractmethod
    def embed_audio(self, samples: Samples, sample_rate: int) -> Style:
        """Style of an audio prompt, float32 (style_dim,).

        Args:
            samples: (n,) or (n, channels), full scale at +-1.
            sample_rate: Hz.

        Raises:
            SegueError: samples that `check_prompt_audio` refuses.

        """

    def nearest_terms(self, style: Style, count: int) -> tuple[str, ...]:
        """Names of the terms nearest to a style, for showing what the style model hears.

        Args:
            style: float32 (style_dim,).
            count: of the names, at most.

        Returns:
            The names, nearest first; empty where the engine knows none.

        """
        return ()

    @property
    def max_together(self) -> int:
        """Streams that `render_together` takes; 1 where that is no faster than one by one."""
        return 1

    def render_together(self, jobs: Sequence[tuple[Stream, Controls]]) -> list[Audio | Exception]:
        """Render the next block of several streams: what `render` returns or raises for each.

        Args:
            jobs: streams of this engine, at most `max_together`, with the controls of each.

        """
        raise NotImplementedError(f"{self.info.name} renders one stream at a time")

    @abstractmethod
    def start(self, seed: int = 0) -> Stream:
        """A new stream. The same seed and controls give the same music on the same device."""

    def snapshot_after(self, samples: Samples, sample_rate: int, seed: int = 0) -> Snapshot:
        """Snapshot of a stream whose context is the given audio, to continue it.

        Takes seconds; thread-safe.

        Args:
            samples: (n,) or (n, channels), full scale at +-1.
            sample_rate: Hz.
            seed: of the stream from there on.

        Raises:
            SegueError: samples that `check_prompt_audio` refuses, or an engine without
                `EngineInfo.continues_audio`.

        """
        raise SegueError(f"{self.info.name} cannot go on from audio: choose an engine that can.")

    def moment_of(self, snapshot: Snapshot) -> Snapshot:
        """What is kept of a snapshot as a moment: nothing that belongs to the present alone."""
        return snapshot

    def pack(self, snapshot: Snapshot) -> PackedState | None:
        """A snapshot in a form for files; None where the engine does not support it.

        After `unpack` it gives bit-identical blocks on the same device.

        Raises:
            SegueError: a snapshot of another engine.

        """
        return None

    def unpack(self, packed: PackedState) -> Snapshot:
        """The snapshot of a `PackedState`.

        Raises:
            SegueError: a snapshot of another engine, of other weights or of another version.

        """
        raise SegueError(f"{self.info.name} cannot load places in the music from files.")

    @property
    def line_seconds(self) -> float | None:
        """Journey to an engine elsewhere and back in seconds; None where the line is down."""
        return None

    @property
    def echo_dry(self) -> bool:
        """Whether the echo is a plain delay now, as what makes it anew cannot keep up."""
        return False

    def notices(self) -> tuple[tuple[str, str], ...]:
        """(level, sentence) for the performer since the last call, such as that a line is back;
        level is info, warning or error. None for an engine on this machine.
        """
        return ()

    def close(self) -> None:  # noqa: B027 - most engines have nothing to release
        """Release memory, devices and connections. The engine must not be used afterwards."""


def block_fault(block: object, info: EngineInfo) -> str | None:
    """Description of what makes a block invalid (type, shape, values that are not finite), or None.

    Args:
        block: what `Stream.render` returned.
        info: of the engine.

    """
    if not isinstance(block, np.ndarray) or block.dtype != np.float32:
        return "the engine gave something that is not float32 samples"
    if block.shape != (info.block_frames, info.channels):
        return f"the engine gave a block of shape {block.shape}"
    if not np.isfinite(block).all():
        return "the engine gave samples that are not finite"
    return None
