"""Stream on a server: asks for runs of blocks, and gives them as if it were here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from models.engine.controls import Controls
from models.engine.interface import Audio, EngineInfo, ScoreInfo, Snapshot, Stream
from models.errors import BlockPendingError, PlaceLostError, SegueError
from models.remote.client.feed import BlockFeed
from models.remote.client.line import RemoteLine
from models.remote.client.recall import HeardSound, Recall
from models.remote.client.snapshot import NO_NUMBER, RemoteSnapshot
from models.remote.protocol.messages import Block, More, Run

Listen: TypeAlias = Callable[[Audio, int], RemoteSnapshot]

MIN_AHEAD, MAX_AHEAD = 4, 24
"""Blocks that may be on their way."""
MIN_PATIENCE, MAX_PATIENCE = 0.1, 0.6
"""Seconds that `render` waits: the inference thread has other things to do."""
SPARE_SECONDS: Final = 0.3
"""For packets that are lost and sent again."""
STEM_BLOCKS: Final = 4
"""Blocks for which stems go on coming after they were last asked for."""


class RemoteStream(Stream):
    """Stream of a server. What it was and will be is on the server; here is where it is."""

    def __init__(self, line: RemoteLine, info: EngineInfo, seed: int, listen: Listen) -> None:
        """listen: lets the server listen to sound, to go on from it with a seed."""
        self._line, self._info, self._listen = line, info, listen
        self._heard = HeardSound(info.sample_rate, info.block_frames)
        self._recall: Recall | None = None
        self._here = RemoteSnapshot(info.name, seed=seed)
        self._feed: BlockFeed | None = None
        self._score: ScoreInfo | None = None
        self._stems: Mapping[str, Audio] = {}
        self._last: tuple[RemoteSnapshot, Controls] | None = None  # before the last block
        self._want_stems = 0

    def render(self, controls: Controls) -> Audio:
        block = self._next(controls, self._want_stems > 0)
        self._want_stems = max(0, self._want_stems - 1)
        return block.planes[0]

    def _next(self, controls: Controls, stems: bool) -> Block:
        """The next block; the stream is after it then."""
        feed = self._feed
        narrowed = self._line.width.narrow()
        if narrowed:
            words = {"flac24": "24 bits", "flac16": "16 bits"}[self._line.width.audio_format]
            self._line.tell("info", f"the line is thin: the music comes in {words} from now on.")
        if feed is None or feed.exhausted or not feed.leads_on(self._here, controls, stems):
            feed = self._feed = self._begin(controls, stems)
        first = feed.taken == 0
        block = feed.take(self._patience())
        if first:
            self._check_start(feed)
        self._last = self._here, controls
        self._here = feed.here = RemoteSnapshot(
            self._info.name, self._line.session, block.snapshot, self._here.seed, block.size,
            self._line.released,
        )  # fmt: skip
        feed.taken += 1
        self._heard.add(self._here, block.planes[0])
        self._grant(feed)
        self._score = block.score
        self._stems = dict(zip(self._info.parts, block.planes[1:], strict=False))
        return block

    def _begin(self, controls: Controls, stems: bool) -> BlockFeed:
        """Ask for a run from here."""
        line, here = self._line, self._here
        if here.session not in ("", line.session):
            raise self._forgotten(here)
        feed = BlockFeed(line.number(), line.connection, here, controls, stems)
        feed.granted = self._ahead()
        line.follow(feed)
        audio_format = line.width.audio_format
        line.send(Run(feed.number, here.place, controls, feed.granted, audio_format, stems))
        return feed

    def _forgotten(self, here: RemoteSnapshot) -> SegueError:
        """What there is to say of a server that was started anew. It listens to the last sound, and
        the stream is then at its end; or else at a start.
        """
        line, sound = self._line, self._heard.sound()
        if self._recall is None and sound is not None and self._info.continues_audio:
            self._recall = Recall(lambda audio: self._listen(audio, here.seed), sound)
        if self._recall is not None and not self._recall.done:
            return BlockPendingError("the server listens to the music first.")
        place = None if self._recall is None else self._recall.place
        self._recall = None
        self._heard.forget()
        if place is not None:
            self._here = place
            return PlaceLostError(
                f"{line.address.place} was started anew: it goes on from the sound of the last "
                "seconds, without its score."
            )
        self._here = RemoteSnapshot(self._info.name, seed=here.seed + line.connection)
        return PlaceLostError(
            f"{line.address.place} was started anew and has forgotten the music: it begins afresh."
        )

    def _check_start(self, feed: BlockFeed) -> None:
        """Whether the run began where it should. PlaceLostError where it did not."""
        wanted, line = feed.origin.number, self._line
        started = NO_NUMBER if feed.started is None else feed.started
        if started == wanted:
            return
        session = "" if feed.started is None else line.session
        self._here = RemoteSnapshot(
            self._info.name, session, started, feed.origin.seed, 0, line.released
        )
        self._feed = None
        raise PlaceLostError(
            f"{line.address.place} has forgotten that place in the music: it goes on from the "
            "nearest one before it."
        )

    def _ahead(self) -> int:
        """Blocks that may be on their way, so that the line is never idle while more are wanted.

        No more: a rewrite throws away what is on its way, and on a thin line waits for it.
        """
        nearest = self._line.journeys.nearest
        spare = min(4.0 * nearest, SPARE_SECONDS)
        wanted = 1 + math.ceil((nearest + spare) / self._info.block_seconds)
        return max(MIN_AHEAD, min(MAX_AHEAD, wanted))

    def _grant(self, feed: BlockFeed) -> None:
        """Let the server go on; on a short line in steps, not with a message a block."""
        ahead = self._ahead()
        step = 1 if ahead > MIN_AHEAD else MIN_AHEAD // 2
        if feed.taken + ahead - feed.granted >= step:
            feed.granted = feed.taken + ahead
            self._line.send(More(feed.number, feed.granted))

    def _patience(self) -> float:
        """Seconds to wait for a block: longer than a rewrite of the plan takes on this line."""
        if not self._line.connected:
            return 0.0
        journey = 2.0 * self._line.journeys.seconds + 4.0 * self._line.journeys.spread
        return max(MIN_PATIENCE, min(MAX_PATIENCE, journey + 2.0 * self._info.block_seconds))

    @property
    def stems(self) -> Mapping[str, Audio]:
        """Stems of the last block. They travel while somebody asks for them; the first time, the
        block is rendered once more with them.
        """
        if not self._info.parts or self._last is None:
            return {}
        self._want_stems = STEM_BLOCKS
        if not self._stems:
            after = self._here, self._score
            self._here = self._last[0]
            controls = self._last[1]
            try:
                self._next(controls, stems=True)
            except SegueError:
                self._here, self._score = after
                raise
        return dict(self._stems)

    def snapshot(self) -> Snapshot:
        return self._here

    def restore(self, snapshot: Snapshot) -> None:
        if not isinstance(snapshot, RemoteSnapshot) or snapshot.engine != self._info.name:
            raise SegueError("this moment belongs to another engine: choose that engine first.")
        if snapshot is self._here:
            return
        self._here, self._last = snapshot, None
        self._heard.go_back(snapshot)
        self._recall = None
        self._score, self._stems = None, {}

    def clear(self) -> None:
        self._here, self._last = self._here.after_clear(), None
        self._heard.forget()

    @property
    def score(self) -> ScoreInfo | None:
        """Score of the last block; None after `restore`, until the next one."""
        return self._score
