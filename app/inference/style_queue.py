"""Queue of prompts to embed, one at a time between two blocks.

`add` and `forget` may be called from any thread.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.interface import Engine, Style
from models.engine.prompts import load_audio
from models.errors import SegueError
from models.music.score import SAMPLE_RATE

MAX_WAIT_SECONDS: Final = 3.0
"""Wait after which a prompt is embedded even if the plan is short."""


@dataclass
class EmbedRequest:
    """Prompt to embed: text, samples (n,) or (n, channels) at a rate in Hz, or an audio file.

    source may also be a function that gives the samples when their turn has come.
    """

    key: str
    text: str | None = None
    source: NDArray[np.floating] | str | Callable[[], NDArray[np.floating]] | None = None
    sample_rate: int | None = None
    queued_at: float = 0.0


class StyleQueue:
    """Queue of requests, the newest of a key.

    ready and failed are called in the inference thread with the key and the style or a sentence.
    """

    def __init__(
        self, ready: Callable[[str, Style], object], failed: Callable[[str, str], object]
    ) -> None:
        self._ready, self._failed = ready, failed
        self._lock = threading.Lock()
        self._waiting: deque[EmbedRequest] = deque()

    def add(self, request: EmbedRequest) -> None:
        """Queue a request; it replaces an earlier one of its key."""
        request.queued_at = time.monotonic()
        with self._lock:
            waiting = [other for other in self._waiting if other.key != request.key]
            self._waiting = deque([*waiting, request])

    def forget(self, key: str) -> None:
        """Drop the request of a key."""
        with self._lock:
            self._waiting = deque(request for request in self._waiting if request.key != key)

    def embed_one(self, engine: Engine, spare: bool) -> bool:
        """Embed the oldest request if there is time (`spare`) or it has waited long.

        Returns whether one was embedded.
        """
        with self._lock:
            if not self._waiting:
                return False
            if not spare and time.monotonic() - self._waiting[0].queued_at <= MAX_WAIT_SECONDS:
                return False
            request = self._waiting.popleft()
        try:
            style = _embed(engine, request)
        except SegueError as error:
            self._failed(request.key, str(error))
        except Exception as error:  # whatever an engine may raise, the music goes on
            self._failed(request.key, f"the prompt could not be used ({error}).")
        else:
            self._ready(request.key, style)
        return True


def _embed(engine: Engine, request: EmbedRequest) -> Style:
    if request.text is not None:
        return engine.embed_text(request.text)
    if isinstance(request.source, str):
        return engine.embed_audio(*load_audio(Path(request.source)))
    if request.source is None:
        raise SegueError("the prompt is empty: write what the music should be, or remove it.")
    source = request.source() if callable(request.source) else request.source
    return engine.embed_audio(source, request.sample_rate or SAMPLE_RATE)
