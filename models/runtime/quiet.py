"""Silence of C libraries that write lines of their own to the terminal."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

_lock = threading.Lock()
_inside = 0
_saved = -1


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Nothing that is written to the standard error output arrives. For any thread, and nested."""
    is_quiet = _enter()
    try:
        yield
    finally:
        if is_quiet:
            _leave()


def _enter() -> bool:
    global _inside, _saved
    with _lock:
        if not _inside:
            try:
                _saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
            except OSError:
                return False  # there is no such output
            os.dup2(null, 2)
            os.close(null)
        _inside += 1
        return True


def _leave() -> None:
    global _inside
    with _lock:
        _inside -= 1
        if not _inside:
            os.dup2(_saved, 2)
            os.close(_saved)
