"""Lead player: plays the studio's blocks of a dreaming stream, in a thread beside the renderer.

The renderer runs in compiled code and leaves the second core free. While it works, the blocks that
the stream's lead will want next are played, on the assumption that no control moves; one that does
costs the blocks that were played in vain, so nothing is played ahead until it rests. A block
depends on its state and controls alone: what is heard does not depend on what was played ahead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final, NamedTuple

from models.segue.arranger.memory.recollection import HeardMusic
from models.segue.stream_state import LeadEntry, PlayedBlock, StudioStreamState

AHEAD_BLOCKS: Final = 3
"""Blocks played ahead: as many as the renderer takes for one of its own."""

Play = Callable[[StudioStreamState, LeadEntry, HeardMusic | None], PlayedBlock]


class _BlockAhead(NamedTuple):
    """Block that is played ahead: its entry, and the block before it, whose state it goes on
    from.
    """

    entry: LeadEntry
    before: Future[PlayedBlock]
    block: Future[PlayedBlock]


class LeadPlayer:
    """Plays blocks one after the other in a thread of its own; for one stream.

    Args:
        play: `BlockPlayer.play`.

    """

    def __init__(self, play: Play) -> None:
        self._play = play
        self._thread: ThreadPoolExecutor | None = None
        self._expected: deque[_BlockAhead] = deque()
        self._last: LeadEntry | None = None

    def play(
        self, state: StudioStreamState, entry: LeadEntry, heard: HeardMusic | None = None
    ) -> PlayedBlock:
        """The lead's block after a state, and in the background what is expected after it.

        Args:
            state: that the block goes on from.
            entry: as yet without what was written and without a guide.
            heard: as of `BlockPlayer.play`; nothing is played ahead of it.

        Returns:
            The block; its entry equals the one given, but may be another object.

        """
        block = None if heard is not None else self._played_ahead(state, entry)
        if block is None:
            self.drop()
            block = self._submit(lambda: self._play(state, entry, heard))
        played = block.result()
        # A control that has just moved may move again.
        if heard is None and not entry.clear and entry == self._last:
            self._play_ahead(entry, block)
        self._last = entry
        return played

    def replay(self, state: StudioStreamState, entry: LeadEntry) -> PlayedBlock:
        """A block after a state that is not the lead's."""
        return self._submit(lambda: self._play(state, entry, None)).result()

    def drop(self) -> None:
        """Forget what was played ahead, and wait for what is being played."""
        expected, self._expected = self._expected, deque()
        running = [each.block for each in reversed(expected) if not each.block.cancel()]
        wait(running)

    def _played_ahead(
        self, state: StudioStreamState, entry: LeadEntry
    ) -> Future[PlayedBlock] | None:
        if not self._expected:
            return None
        expected, before, block = self._expected[0]
        if expected != entry or before.exception() or before.result().state is not state:
            return None
        self._expected.popleft()
        return block

    def _play_ahead(self, entry: LeadEntry, block: Future[PlayedBlock]) -> None:
        while len(self._expected) < AHEAD_BLOCKS:
            before = self._expected[-1].block if self._expected else block
            after = self._submit(self._after(before, entry))
            self._expected.append(_BlockAhead(entry, before, after))

    def _after(self, before: Future[PlayedBlock], entry: LeadEntry) -> Callable[[], PlayedBlock]:
        return lambda: self._play(before.result().state, entry, None)

    def _submit(self, task: Callable[[], PlayedBlock]) -> Future[PlayedBlock]:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "lead")
        return self._thread.submit(task)
