"""Player of a performance: one step for each block."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.performance.file import Performance
from app.performance.recorded_input import (
    RecordedInput,
)
from models.engine.controls import Controls, Style
from models.engine.hearing import Hearing
from models.engine.interface import Audio
from models.engine.prompts import Prompt, load_ending
from models.engine.sounds import sound_scales
from models.errors import SegueError
from models.music.score import SAMPLE_RATE

HALF_SAMPLE: Final = 0.5 / SAMPLE_RATE


@dataclass(frozen=True)
class PerformanceStep:
    """Controls of a block, and what happens before it.

    clear: forget the context. moment: go back to the start of that block. continuation: audio to
    go on from, samples (n, channels) and their rate in Hz. heard: what was played in.
    """

    controls: Controls
    clear: bool = False
    moment: int | None = None
    continuation: tuple[Audio, int] | None = None
    heard: Hearing | None = None


class PerformancePlayer:
    """Player of a performance: one step for each block.

    All prompts are mixed at once, so that an unusable prompt is known before the first block.
    mix: `PromptEmbedder.mix` of the engine. base: controls until the first change.
    """

    def __init__(
        self,
        performance: Performance,
        mix: Callable[[Sequence[Prompt]], Style | None],
        block_seconds: float,
        base: Controls | None = None,
    ) -> None:
        self.block_seconds = block_seconds
        self._next = 0
        self._block = 0
        self._controls = base if base is not None else Controls()
        self._changes = performance.changes
        self._styles: list[Style | None] = []
        self.endings: dict[str, tuple[Audio, int]] = {}
        """Endings of continued files by name: samples (n, channels), rate in Hz."""
        folder = performance.folder or Path()
        first = self._changes[0].input if self._changes else None
        self.input = None if first is None else RecordedInput(folder / first)
        for change in self._changes:
            try:
                self._styles.append(mix(change.prompts) if change.prompts else None)
                if change.continue_from is not None:
                    path = folder / Path(change.continue_from).expanduser()
                    self.endings[change.continue_from] = load_ending(path)
            except SegueError as error:
                raise SegueError(f"{change.where}: {error}") from None
            if change.moment is not None and self._at(change.moment) > self._at(change.t):
                raise SegueError(f"{change.where}: the moment lies in the future.")
        self.moments = frozenset(
            self._at(change.moment) for change in self._changes if change.moment is not None
        )
        """Blocks of whose start a snapshot is needed, as a change goes back to it."""

    def _at(self, seconds: float) -> int:
        """First block that starts at this time or later, to within half a sample."""
        return math.ceil((seconds - HALF_SAMPLE) / self.block_seconds)

    def step(self) -> PerformanceStep:
        """Step of the next block; the first call is for block 0."""
        clear, moment, continuation, heard = False, None, None, None
        while self._next < len(self._changes):
            change = self._changes[self._next]
            if self._at(change.t) > self._block:
                break
            self._controls = change.apply(self._controls)
            if change.prompts is not None:
                sounds = sound_scales(change.prompts)
                self._controls = self._controls.with_(style=self._styles[self._next], sounds=sounds)
            if change.style is not None:
                self._controls = self._controls.with_(style=change.style)
            heard = change.heard or heard
            if change.clear:
                clear, moment, continuation = True, None, None
            if change.moment is not None:
                clear, moment, continuation = False, self._at(change.moment), None
            if change.continue_from is not None:
                clear, moment, continuation = False, None, self.endings[change.continue_from]
            self._next += 1
        self._block += 1
        known = self.input.at(heard) if self.input is not None and heard is not None else None
        return PerformanceStep(self._controls, clear, moment, continuation, known)
