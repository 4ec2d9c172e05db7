"""Queue of prompts to embed, one at a time between two blocks.

`add` may be called from any thread.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.engine.interface import Engine, Style
from models.engine.prompts import load_audio
from models.errors import SegueError
from models.music.score import SAMPLE_RATE

TERMS: Final = 3
"""How many terms tell what the style model hears."""
MAX_WAIT_SECONDS: Final = 3.0
"""Wait after which a prompt is embedded even if the plan is short."""

SoundSource: TypeAlias = NDArray[np.floating] | str | Callable[[], NDArray[np.floating]]
"""Samples (n,) or (n, channels), the path of an audio file, or a function that gives samples."""


@dataclass(eq=False)
class EmbedRequest:
    """Prompt to embed: text, samples (n,) or (n, channels) at a rate in Hz, or an audio file.

    source may also be a function that gives the samples when their turn has come.
    """

    key: str
    text: str | None = None
    source: SoundSource | None = None
    sample_rate: int | None = None
    queued_at: float = 0.0

    def is_overdue(self, now: float) -> bool:
        """Whether it has waited long enough; what is asked for again and again never has."""
        return not callable(self.source) and now - self.queued_at > MAX_WAIT_SECONDS


class StyleQueue:
    """Queue of requests, the newest of a key.

    ready and failed are called with the key and the style or a sentence, terms with the names of
    the terms nearest to a sound whose samples came from a function; in the inference thread, or
    beside it.
    """

    def __init__(
        self,
        ready: Callable[[str, Style], object],
        failed: Callable[[str, str], object],
        terms: Callable[[str, tuple[str, ...]], object],
    ) -> None:
        self._ready, self._failed, self._terms = ready, failed, terms
        self._lock = threading.Lock()
        self._waiting: deque[EmbedRequest] = deque()
        self._thread: threading.Thread | None = None

    def add(self, request: EmbedRequest) -> None:
        """Queue a request; it replaces an earlier one of its key."""
        request.queued_at = time.monotonic()
        with self._lock:
            waiting = [other for other in self._waiting if other.key != request.key]
            self._waiting = deque([*waiting, request])

    def embed_one(self, engine: Engine, spare: bool) -> bool:
        """Embed the oldest request if there is time (`spare`) or it has waited long.

        An engine elsewhere does it beside the music, however long the line takes, and so does any
        with what comes in: a block would wait for it with every bar.

        Returns whether one was embedded.
        """
        remote = engine.info.remote
        if self._thread is not None and self._thread.is_alive():
            return False
        with self._lock:
            now = time.monotonic()
            ready = spare or remote
            request = next((r for r in self._waiting if ready or r.is_overdue(now)), None)
            if request is None:
                return False
            self._waiting.remove(request)
        if remote or callable(request.source):
            self._thread = threading.Thread(
                target=self._embed, args=(engine, request), name="styles", daemon=True
            )
            self._thread.start()
            return False
        self._embed(engine, request)
        return True

    def _embed(self, engine: Engine, request: EmbedRequest) -> None:
        try:
            style = _embed(engine, request)
        except SegueError as error:
            self._failed(request.key, str(error))
        except Exception as error:  # whatever an engine may raise, the music goes on
            self._failed(request.key, f"the prompt could not be used ({error}).")
        else:
            self._ready(request.key, style)
            if callable(request.source):
                self._terms(request.key, engine.nearest_terms(style, TERMS))


def _embed(engine: Engine, request: EmbedRequest) -> Style:
    if request.text is not None:
        return engine.embed_text(request.text)
    if isinstance(request.source, str):
        return engine.embed_audio(*load_audio(Path(request.source)))
    if request.source is None:
        raise SegueError("the prompt is empty: write what the music should be, or remove it.")
    source = request.source() if callable(request.source) else request.source
    return engine.embed_audio(source, request.sample_rate or SAMPLE_RATE)
