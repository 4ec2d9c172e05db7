"""Prompts that wait for their styles, embedded one at a time between two blocks. Inference lane.

`ask` and `forget` may be called from any thread. No Qt, no torch.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.engine.interface import Engine, Style
from models.engine.prompts import load_audio
from models.errors import SegueError
from models.music.score import SAMPLE_RATE

PATIENCE: Final = 3.0
"""Seconds after which a prompt is embedded even if there is hardly time for it."""


@dataclass
class EmbedRequest:
    """A prompt: its text, or samples (n,) or (n, channels) at a rate, or an audio file's path."""

    key: str
    text: str | None = None
    source: NDArray[np.floating[Any]] | str | None = None
    sample_rate: int | None = None
    asked_at: float = 0.0


class StyleQueue:
    """ready and failed are called in the inference lane, with the key and the style or sentence."""

    def __init__(
        self, ready: Callable[[str, Style], object], failed: Callable[[str, str], object]
    ) -> None:
        self._ready, self._failed = ready, failed
        self._lock = threading.Lock()
        self._waiting: deque[EmbedRequest] = deque()

    def ask(self, asked: EmbedRequest) -> None:
        """Newest of a key wins."""
        asked.asked_at = time.monotonic()
        with self._lock:
            others = [other for other in self._waiting if other.key != asked.key]
            self._waiting = deque([*others, asked])

    def forget(self, key: str) -> None:
        """Drop what waits under a key."""
        with self._lock:
            self._waiting = deque(asked for asked in self._waiting if asked.key != key)

    def embed_one(self, engine: Engine, spare: bool) -> bool:
        """Embed the prompt that has waited longest, if there is time (`spare`) or it has waited
        long; True if one was done."""
        with self._lock:
            if not self._waiting:
                return False
            if not spare and time.monotonic() - self._waiting[0].asked_at <= PATIENCE:
                return False
            asked = self._waiting.popleft()
        try:
            style = _embed(engine, asked)
        except SegueError as error:
            self._failed(asked.key, str(error))
        except Exception as error:  # whatever an engine may raise, the music goes on
            self._failed(asked.key, f"the prompt could not be used ({error}).")
        else:
            self._ready(asked.key, style)
        return True


def _embed(engine: Engine, asked: EmbedRequest) -> Style:
    if asked.text is not None:
        return engine.embed_text(asked.text)
    if isinstance(asked.source, str):
        return engine.embed_audio(*load_audio(Path(asked.source)))
    if asked.source is None:
        raise SegueError("the prompt is empty: write what the music should be, or remove it.")
    return engine.embed_audio(asked.source, asked.sample_rate or SAMPLE_RATE)
