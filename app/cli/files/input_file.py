"""A file as the performer's input, for `render --input`: heard at the time at which it plays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from app.session.follow_send import (
    FollowEars,
    FollowSettings,
    band_position,
    follow,
    seconds_of,
)
from app.session.style_send import LISTEN_SECONDS, SendTimer, audible, mixed, settled
from models.engine.audio_file import read_audio
from models.engine.controls import Controls, Style
from models.engine.hearing import PlayedSound
from models.engine.interface import Audio, Engine, Stream
from models.errors import SegueError
from models.music.score import SAMPLE_RATE

BEFORE: Final = round(0.15 * SAMPLE_RATE)
"""Frames before a block is heard at which it is written, as it is live at the earliest."""


class FileInput:
    """Input from a file, and the sends that it has.

    Args:
        path: audio file; silence follows it.
        sends: amount of each send, 0 to 1, by name.

    """

    def __init__(self, path: Path, sends: Mapping[str, float]) -> None:
        self.sends = dict(sends)
        self._sound = load_input(path)
        self._played = PlayedSound(self._sound)
        self._timer = SendTimer()
        self._heard: Style | None = None
        self._follow = FollowSettings(self.sends.get("follow", 0.0))
        self._ears = FollowEars() if self._follow.amount > 0.0 else None
        self._listened = 0

    def check(self, engine: Engine) -> None:
        """SegueError for a send that this engine does not have."""
        info = engine.info
        missing = sorted(set(self.sends) - info.sends)
        if missing:
            known = ", ".join(sorted(info.sends)) or "none"
            raise SegueError(
                f"{info.name} has no send '{missing[0]}': it has {known}; choose another engine."
            )

    def steer(self, engine: Engine, controls: Controls, stream: Stream, position: int) -> Controls:
        """Controls of the block at `position` (frames), with what was heard before it."""
        sent = {name: self.sends[name] for name in ("memory", "echo") if name in self.sends}
        controls = controls.with_(**sent) if sent else controls
        listens = controls.memory or controls.echo
        stream.hear(self._played.at(position) if listens else None)
        return self._accompany(
            engine, self._styled(engine, controls, stream, position), stream, position
        )

    def _styled(
        self, engine: Engine, controls: Controls, stream: Stream, position: int
    ) -> Controls:
        """Controls with the style of what was heard."""
        amount = self.sends.get("style", 0.0)
        if amount <= 0.0:
            return controls
        score = stream.score
        bar = None if score is None or score.bars is None else int(score.bars)
        if self._timer.due(position / SAMPLE_RATE, bar):
            start = max(0, position - round(LISTEN_SECONDS * SAMPLE_RATE))
            try:
                heard = audible(self._sound[start:position])
                self._heard = settled(self._heard, engine.embed_audio(heard, SAMPLE_RATE))
            except SegueError:
                pass  # nothing was played yet, or too little: what was heard before stays
        if self._heard is None:
            return controls
        return controls.with_(style=mixed(controls.style, self._heard, amount))

    def _accompany(
        self, engine: Engine, controls: Controls, stream: Stream, position: int
    ) -> Controls:
        """Controls that accompany what was heard."""
        if self._ears is None:
            return controls
        now, size = max(self._listened, position - BEFORE), engine.info.block_frames
        known = self._sound[self._listened : now]
        silence = np.zeros((now - self._listened - len(known), 2), np.float32)
        understood = self._ears.hear(np.concatenate([known, silence]))
        self._listened = now
        band = band_position(stream.score, position, size, seconds_of)
        begin, end = seconds_of(position), seconds_of(position + size)
        return follow(controls, self._follow, understood, band, begin, end)


def load_input(path: Path) -> Audio:
    """All of an audio file as float32 (n, 2) at 48 kHz. SegueError where it cannot be read."""
    import soxr

    samples, rate = read_audio(path)
    samples = np.nan_to_num(samples[:, :2], nan=0.0, posinf=0.0, neginf=0.0)
    if samples.shape[1] == 1:
        samples = np.repeat(samples, 2, axis=1)
    if rate != SAMPLE_RATE and len(samples):
        samples = soxr.resample(samples, rate, SAMPLE_RATE)
    return np.asarray(samples, np.float32)
