"""Ear: hears what comes in while somebody wants it, and says what it found.

It lives in the process of the ears, so that its work takes nothing of the interpreter that writes
the plan and draws the window; a test calls it by hand.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Final

from app.audio.input.history import InputHistory

BEHIND: Final = 3.0
"""Seconds of input that are caught up with; where there is more it begins anew."""

Say = Callable[[object], object]


class Ear(ABC):
    """Ear that costs nothing while nobody wants it.

    Args:
        input: the input's ring.
        say: takes what it found, a message of `messages`.

    """

    NAME: ClassVar[str]
    EVERY: ClassVar[float]
    """Seconds between two looks at the input."""

    def __init__(self, input: InputHistory, say: Say) -> None:
        self.input = input
        self._say = say

    @abstractmethod
    def configure(self, request: object) -> None:
        """Take a request that is for this ear."""

    @abstractmethod
    def wanted(self) -> bool:
        """Whether somebody wants what comes in."""

    @abstractmethod
    def listen(self) -> None:
        """Hear what has come in since the last time."""

    @abstractmethod
    def rest(self) -> None:
        """Forget what was heard."""
