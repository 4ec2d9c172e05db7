"""Lyria RealTime as an engine: `open_engine("lyria-realtime")`.

The service goes on in its own time: it knows neither snapshots nor stems, so that the plan is not
rewritten and there are no moments (`EngineInfo.rewinds`). Nor does a seed give the same music
twice.
Its prompts are texts with weights, not vectors: here a style is a vector with a place for each text
that was embedded, so that the weighted mean of styles holds the weights.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

import numpy as np

from models.engine.controls import Controls
from models.engine.interface import (
    Audio,
    Engine,
    EngineInfo,
    Samples,
    Snapshot,
    Stream,
    Style,
    as_style,
)
from models.engine.prompt_checks import check_prompt_text
from models.engine.sounds import refuse_sound
from models.errors import SegueError
from models.lyria import protocol
from models.lyria.faults import NAME
from models.lyria.key import api_key
from models.lyria.line import LyriaLine
from models.music.score import SAMPLE_RATE

BLOCK_FRAMES: Final = 1920
CONTEXT_SECONDS: Final = 10.0
MAX_TEXTS: Final = 1024
KEPT_BLOCKS: Final = 64
"""Blocks that can be given again, where one came too late for the plan."""
PATIENCE_SECONDS: Final = 0.1
FALLBACK_PROMPT: Final = "instrumental music"
"""Where there is no prompt: the service plays none without one."""

CONTROLS: Final = frozenset(
    {"style", "bpm", "key", "density", "brightness", "guidance", "chaos", "mute", "generation_mode"}
)


class TextStyles:
    """Styles of texts: a vector with a 1 at the text's place. Thread-safe."""

    def __init__(self, size: int = MAX_TEXTS) -> None:
        self._size = size
        self._places: dict[str, int] = {}
        self._lock = threading.Lock()

    def style(self, text: str) -> Style:
        """Style of a text. SegueError where there have been too many."""
        with self._lock:
            place = self._places.setdefault(text, len(self._places))
            if place >= self._size:
                del self._places[text]
                raise SegueError(
                    f"{NAME} has been given {self._size} different prompts: start Segue anew to "
                    "write more."
                )
        style = np.zeros(self._size, np.float32)
        style[place] = 1.0
        return as_style(style)

    def prompts(self, style: Style | None) -> protocol.Prompts:
        """Texts and weights of a blend. SegueError for a style of another engine."""
        if style is None:
            return ((FALLBACK_PROMPT, 1.0),)
        if style.size != self._size:
            raise SegueError(f"that style is of another engine: {NAME} has texts for styles.")
        with self._lock:
            weights = tuple((text, round(float(style[n]), 4)) for text, n in self._places.items())
        return protocol.heavy_enough(weights) or ((FALLBACK_PROMPT, 1.0),)


class LyriaPlace:
    """Snapshot: number of blocks that a stream had given."""

    def __init__(self, stream: LyriaStream, blocks: int) -> None:
        self.stream, self.blocks = stream, blocks


class LyriaStream(Stream):
    """Stream of the service. One sounds at a time: the one that was rendered last."""

    def __init__(self, engine: LyriaEngine, seed: int) -> None:
        self._engine, self._seed = engine, seed
        self._kept: deque[Audio] = deque(maxlen=KEPT_BLOCKS)
        self._blocks = 0  # that have come
        self._at = 0

    def render(self, controls: Controls) -> Audio:
        line = self._engine.line_of(self)
        prompts = self._engine.styles.prompts(controls.style)
        line.steer(prompts, protocol.config_of(controls, self._seed))
        if self._at == self._blocks:
            self._kept.append(line.feed.take(BLOCK_FRAMES, PATIENCE_SECONDS))
            self._blocks += 1
        block = self._kept[self._at - self._blocks].copy()
        self._at += 1
        return block

    def snapshot(self) -> Snapshot:
        return LyriaPlace(self, self._at)

    def restore(self, snapshot: Snapshot) -> None:
        if not isinstance(snapshot, LyriaPlace):
            raise SegueError("this moment belongs to another engine: choose that engine first.")
        wanted = snapshot.blocks if snapshot.stream is self else self._blocks
        self._at = max(wanted, self._blocks - len(self._kept))

    def clear(self) -> None:
        self._at = self._blocks
        self._engine.line_of(self).reset()


class LyriaEngine(Engine):
    """Lyria RealTime, with a session that is open as long as the engine is."""

    def __init__(self, device: str = "auto", *, url: str = protocol.URL, key: str = "") -> None:
        """Begin a session.

        Args:
            device: not used: the service has its own.
            url: of the service.
            key: of the API; by default that of the environment or the keyring.

        Raises:
            SegueError: there is no key, the service refuses it, or nothing answers.

        """
        self.styles = TextStyles()
        self._line = LyriaLine(url, key or api_key())
        self._stream: LyriaStream | None = None
        self._info = EngineInfo(
            name=NAME,
            sample_rate=SAMPLE_RATE,
            channels=2,
            block_frames=BLOCK_FRAMES,
            context_seconds=CONTEXT_SECONDS,
            style_dim=MAX_TEXTS,
            controls=CONTROLS,
            device="the cloud",
            ranges=protocol.RANGES,
            defaults={
                "guidance": protocol.DEFAULT_GUIDANCE,
                "chaos": protocol.DEFAULT_TEMPERATURE / protocol.MAX_TEMPERATURE,
            },
            remote=True,
            rewinds=False,
        )
        self._line.open()

    @property
    def info(self) -> EngineInfo:
        return self._info

    @property
    def line_seconds(self) -> float | None:
        return self._line.line_seconds

    def notices(self) -> tuple[tuple[str, str], ...]:
        return self._line.notices()

    def embed_text(self, text: str) -> Style:
        refuse_sound(text, NAME)
        return self.styles.style(check_prompt_text(text))

    def embed_audio(self, samples: Samples, sample_rate: int) -> Style:
        raise SegueError(f"{NAME} takes no sound as a prompt: describe it in words.")

    def start(self, seed: int = 0) -> Stream:
        return LyriaStream(self, seed)

    def line_of(self, stream: LyriaStream) -> LyriaLine:
        """The line, with the session of a stream: another one's ends."""
        if self._stream is not stream:
            if self._stream is not None:
                self._line.begin()
            self._stream = stream
        return self._line

    def close(self) -> None:
        self._line.close()
