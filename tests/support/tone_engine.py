"""Tone engine: a tiny deterministic engine for tests. No torch.

It plays a sine whose pitch comes from the style and a soft noise on every beat. Nothing in it is
music, yet every control can be told from the samples, and it can misbehave on demand:

    engine = ToneEngine(block_seconds=0.1, render_seconds=0.02, faults={7: "nan", 9: "raise"})
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.engine.controls import CONTROL_NAMES, Controls, Style, as_style
from models.engine.interface import SENDS, Audio, Engine, EngineInfo, Snapshot, Stream
from models.engine.prompt_checks import check_prompt_audio, check_prompt_text
from models.errors import SegueError
from models.music.score import parse_key
from models.registry import register_engine
from models.storage.serialisation import PackedState, classes_of, pack, unpack

Fault = Literal["raise", "nan", "silence", "stall"]
SAMPLE_RATE = 48_000


@dataclass(frozen=True)
class ToneMoment:
    """A moment of a ToneStream: where it is, and the phase of its sine in cycles."""

    engine: str
    seed: int
    position: int
    phase: float


class ToneEngine(Engine):
    """See the module. `render_seconds` is how long a block pretends to take.

    `faults` maps the number of the render call of a stream (0 is the first) to what goes wrong:
    'raise' raises RuntimeError, 'nan' and 'silence' spoil the block, 'stall' sleeps for
    `stall_seconds` before a good block. Calls count on through restore and clear, so that
    trying again succeeds. `start_fault` makes `start` raise RuntimeError.
    """

    def __init__(
        self,
        device: str = "auto",
        *,
        name: str = "tone",
        block_seconds: float = 0.24,
        render_seconds: float = 0.0,
        stall_seconds: float = 1.0,
        style_dim: int = 128,
        faults: Mapping[int, Fault] | None = None,
        start_fault: bool = False,
        controls: frozenset[str] = frozenset(CONTROL_NAMES),
        continues_audio: bool = False,
        weights: str | None = None,
    ) -> None:
        self._weights = weights
        self.render_seconds = render_seconds
        self.stall_seconds = stall_seconds
        self.faults = dict(faults or {})
        self.start_fault = start_fault
        self.closed = False
        self._info = EngineInfo(
            name=name,
            sample_rate=SAMPLE_RATE,
            channels=2,
            block_frames=round(block_seconds * SAMPLE_RATE),
            context_seconds=8.0,
            style_dim=style_dim,
            controls=controls,
            device="cpu" if device == "auto" else device,
            continues_audio=continues_audio,
            sends=SENDS,
        )

    @property
    def weights_identity(self) -> str | None:
        return self._weights

    @property
    def info(self) -> EngineInfo:
        return self._info

    def embed_text(self, text: str) -> Style:
        seed = zlib.crc32(check_prompt_text(text).lower().encode())
        return self._direction(np.random.default_rng(seed))

    def embed_audio(self, samples: NDArray[np.floating[Any]], sample_rate: int) -> Style:
        audio = check_prompt_audio(samples, sample_rate).mean(axis=1)
        return self._direction(np.random.default_rng(zlib.crc32(audio.tobytes())))

    def start(self, seed: int = 0) -> ToneStream:
        if self.start_fault:
            raise RuntimeError("the tone engine was told not to start")
        return ToneStream(self, seed)

    def snapshot_after(
        self, samples: NDArray[np.floating[Any]], sample_rate: int, seed: int = 0
    ) -> ToneMoment:
        """Where the sine goes on depends on the audio's last sample."""
        if not self._info.continues_audio:
            raise SegueError("the tone engine was told not to go on from audio.")
        audio = check_prompt_audio(samples, sample_rate)
        return ToneMoment(self._info.name, seed, len(audio), float(abs(audio[-1]).max() % 1.0))

    def pack(self, moment: Snapshot) -> PackedState:
        return PackedState(self._info.name, "tone", *pack(moment))

    def unpack(self, packed: PackedState) -> Snapshot:
        if packed.weights != "tone":
            raise SegueError("that place in the music was made with other weights.")
        moment: Snapshot = unpack(packed.tree, packed.arrays, classes_of(ToneMoment))
        return moment

    def close(self) -> None:
        self.closed = True

    def _direction(self, rng: np.random.Generator) -> Style:
        vector = rng.standard_normal(self._info.style_dim)
        return as_style(vector / np.linalg.norm(vector))


class ToneStream(Stream):
    """The sine of ToneEngine, phase-continuous through every change."""

    def __init__(self, engine: ToneEngine, seed: int) -> None:
        self.engine = engine
        self.calls = 0
        self._now = ToneMoment(engine.info.name, seed, 0, 0.0)

    def render(self, controls: Controls) -> Audio:
        info = self.engine.info
        if controls.style is not None and controls.style.size != info.style_dim:
            raise SegueError(
                f"the style has {controls.style.size} numbers, {info.name} takes {info.style_dim}."
            )
        fault = self.engine.faults.get(self.calls)
        self.calls += 1
        if fault == "raise":
            raise RuntimeError("the tone engine was told to fail")
        delay = self.engine.stall_seconds if fault == "stall" else self.engine.render_seconds
        if delay:
            time.sleep(delay)
        block = self._play(controls)
        if fault == "nan":
            block[len(block) // 2] = np.nan
        elif fault == "silence":
            block[:] = 0.0
        return block

    def _play(self, controls: Controls) -> Audio:
        now, frames = self._now, self.engine.info.block_frames
        step = tone_frequency(controls) / SAMPLE_RATE
        cycles = now.phase + step * np.arange(frames)
        mono = np.zeros(frames)
        if "other" not in controls.mute:
            mono += 0.25 * np.sin(2 * np.pi * cycles)
        if "drums" not in controls.mute:
            beat = (now.position + np.arange(frames)) / SAMPLE_RATE * (controls.bpm or 120.0) / 60
            rng = np.random.default_rng([now.seed, now.position])
            decay = np.exp(-12.0 * (beat % 1.0))
            density = 0.5 if controls.density is None else controls.density
            mono += 0.2 * density * decay * rng.uniform(-1, 1, frames)
        self._now = ToneMoment(
            now.engine, now.seed, now.position + frames, float((now.phase + step * frames) % 1.0)
        )
        return np.repeat(mono[:, None], 2, axis=1).astype(np.float32)

    def snapshot(self) -> Snapshot:
        return self._now

    def restore(self, moment: Snapshot) -> None:
        if not isinstance(moment, ToneMoment) or moment.engine != self.engine.info.name:
            raise SegueError("this moment belongs to another engine.")
        self._now = moment

    def clear(self) -> None:
        # The phase goes on, so the seam does not click.
        self._now = ToneMoment(self._now.engine, self._now.seed, 0, self._now.phase)


def tone_frequency(controls: Controls) -> float:
    """Hz of the sine: the highest key held, or the key's tonic, or what the style says."""
    if controls.notes:
        return 440.0 * 2.0 ** ((controls.notes[-1] - 69) / 12)
    if controls.key is not None:
        return 440.0 * 2.0 ** ((60 + parse_key(controls.key)[0] - 69) / 12)
    if controls.style is None:
        return 220.0
    return float(220.0 * 2.0 ** np.clip(controls.style[0] * 4.0, -2.0, 2.0))


def register_tone_engine(name: str = "tone", **options: Any) -> None:
    """Offer the engine to `open_engine`; take it out with
    `models.registry.unregister_engine`."""
    register_engine(
        name,
        lambda device: ToneEngine(device, name=name, **options),
        "a sine for tests",
    )
