"""Accompanist: hears a context piece by piece, and plays the windows that are asked for.

One stream plays on through all windows, so that answers join, and is steered by *Follow* as the
plan of the instrument is: at each block its tempo, chord and density are those that the context,
as far as it was heard, will have when the block sounds. Where windows step back, as when the
look-ahead is made shorter, what was played is given again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from app.session.accompaniment.context import (
    GRID,
    PAD,
    RATE,
    ContextTrack,
    Samples,
    converted,
    to_48k,
)
from app.session.follow_send import FollowEars, FollowSettings, band_position, follow, seconds_of
from app.session.style_send import audible
from models.engine.controls import Controls
from models.engine.interface import Audio, Engine, Stream, Style, block_fault
from models.engine.parts import PartControls
from models.errors import SegueError
from models.music.score import PARTS, SAMPLE_RATE

RING: Final = 2**20
"""Frames of 48 kHz that are kept of what was played."""
HEARD: Final = 8.0
"""Seconds of context after which its style is taken on, where no prompt is given."""
LEAP: Final = 8.0
"""Seconds that are played through to come to a window; one further off begins there."""
ASKED_FOR: Final = {"guitar": "clean_guitar", "piano": "piano"}
"""Instruments of the stems that are asked for by their name."""
OTHERWISE: Final = {"drums": "acoustic", "bass": "precision_bass"}
"""Kit and instrument where the style has none."""


SLOWLY: Final = 0.05
"""Share of a block in the level that is followed."""
MOST_GAIN: Final = 8.0
ENERGY: Final = 1.0
DENSITY: Final = 0.5


def players(stems: Sequence[str]) -> dict[str, str]:
    """The part that plays each stem wanted. The guitar leads where the piano has the chords."""
    found = {"bass": "bass", "drums": "drums", "piano": "chords", "guitar": "chords"}
    if {"piano", "guitar"} <= set(stems):
        found["guitar"] = "lead"
    return {stem: found[stem] for stem in stems}


class WindowAccompanist:
    """Plays along. Used by one thread at a time.

    Args:
        engine: whose stream plays; it must have *Follow*, and parts that can be heard apart.
        controls: what is set by hand.
        follow_settings: how it follows.
        seed: of the stream.

    Raises:
        SegueError: an engine that cannot.

    """

    def __init__(
        self,
        engine: Engine,
        controls: Controls,
        follow_settings: FollowSettings | None = None,
        seed: int = 0,
    ) -> None:
        info = engine.info
        if "follow" not in info.sends or not {"parts", "mute"} & info.controls:
            raise SegueError(
                f"{info.name} cannot accompany with a single stem: choose an engine with parts, "
                "such as segue."
            )
        self._engine, self._controls, self._seed = engine, controls, seed
        self._settings = follow_settings or FollowSettings(1.0, answer=False)
        self._apart = bool(info.parts) and not controls.dream
        self._columns = info.parts if self._apart else ("mix",)
        self._lead = info.stems_lead if self._apart else 0
        self.reset()

    def reset(self) -> None:
        """Forget what was heard and begin afresh."""
        self.context = ContextTrack()
        self._ears = FollowEars()
        self._heard = 0  # frames of 48 kHz
        self._style: Style | None = None
        self._stream: Stream = self._engine.start(self._seed)
        self._ring = np.zeros((RING, len(self._columns)), np.float32)
        self._set: tuple[tuple[object, ...], Controls] | None = None  # what is asked, and for whom
        self._power = np.zeros(2)  # of stems and mix, lately
        self._gain = 1.0
        self._missing: set[str] = set()  # stems that the style has no instrument for
        self._begun: int | None = None  # frame of 48 kHz at which the stream begins
        self._played = 0  # and up to which it is played

    @property
    def bpm(self) -> float:
        """Tempo that is heard; 0 where none is."""
        return self._ears.understood.pulse.bpm

    def hear(self, samples: Samples, missing: Sequence[tuple[int, int]] = ()) -> int:
        """Take context in.

        Args:
            samples: float32 (n,) at 44.1 kHz.
            missing: (start, stop) of the samples that were lost.

        Returns:
            Samples of the context so far.

        """
        beat = round(60.0 / self.bpm * RATE) if self.bpm > 0 else 0
        self.context.append(samples, missing, beat)
        end = to_48k(max(0, self.context.end - PAD * GRID[0]))
        if end > self._heard:
            self._ears.hear(self.context.at_48k(self._heard, end))
            self._heard = end
        self._take_style()
        return self.context.end

    def _take_style(self) -> None:
        """Take on the context's style once it has been heard for a while."""
        if self._style is not None or self._controls.style is not None:
            return
        if self.context.end < HEARD * RATE:
            return
        line = self.context.read(self.context.end - round(HEARD * RATE), self.context.end)
        try:
            sound = audible(np.stack([line, line], axis=1))
            if len(sound) >= HEARD / 2 * RATE:
                self._style = self._engine.embed_audio(sound, RATE)
                self._missing.clear()
        except SegueError:
            pass  # silence so far

    def window(self, start: int, stop: int, stems: Sequence[str]) -> dict[str, Samples]:
        """What is played from `start` to `stop`.

        Args:
            start: sample of the context's time, 44.1 kHz.
            stop: sample after the last.
            stems: of "bass", "drums", "guitar", "piano".

        Returns:
            float32 (stop - start,) of each stem; the same of all where the sound is one, as when
            it dreams.

        """
        parts = players(stems)
        margin = PAD * GRID[1]
        first, last = to_48k(start) - margin, to_48k(stop) + 2 * margin
        if self._begun is None or first - self._played > LEAP * SAMPLE_RATE:
            self._begun = self._played = first
        while self._played < last:
            self._play(parts)
        if self._apart:
            columns = {stem: self._columns.index(part) for stem, part in parts.items()}
        else:
            columns = dict.fromkeys(stems, 0)
        return {stem: self._cut(column, start, stop) for stem, column in columns.items()}

    def _cut(self, column: int, start: int, stop: int) -> Samples:
        begun = self._begun or 0
        oldest = max(begun, self._played - RING)

        def read(first: int, last: int) -> Samples:
            found = np.zeros(last - first, np.float32)
            low, high = max(first, oldest), min(last, self._played)
            if low < high:
                places = np.arange(low, high) % RING
                found[low - first : high - first] = self._ring[places, column]
            return found

        return converted(read, start, stop, to_48=False)

    def _play(self, parts: Mapping[str, str]) -> None:
        """Play the next block."""
        info, at = self._engine.info, self._played
        size = info.block_frames
        score = self._stream.score
        band = band_position(score, at, size, seconds_of)
        if score is not None:
            self._missing |= {s for s in parts if s in OTHERWISE and s not in score.instruments}
        wanted = (tuple(parts), self._style is None, *sorted(self._missing))
        if self._set is None or self._set[0] != wanted:
            self._set = (wanted, self._asked(parts))
        controls = self._set[1]
        understood = self._ears.understood
        begin, end = seconds_of(at), seconds_of(at + size)
        controls = follow(controls, self._settings, understood, band, begin, end)
        block = self._stream.render(controls)
        if block_fault(block, info) is not None:
            block = np.zeros_like(block)
        self._keep(at, block)
        self._played = at + size

    def _keep(self, at: int, block: Audio) -> None:
        if self._apart:
            stems = self._stream.stems
            lines = [stems[part].mean(axis=1) for part in self._columns]
        else:
            lines = [self._louder(block.mean(axis=1))]
        places = np.arange(at + self._lead, at + self._lead + len(block)) % RING
        self._ring[places] = np.stack(lines, axis=1)

    def _louder(self, line: Samples) -> Samples:
        """The mix of a block as loud as its stems are: the master leaves room for the parts that
        are silent.
        """
        stems = self._stream.stems
        if not stems:
            return line
        dry = np.sum([stem.mean(axis=1) for stem in stems.values()], axis=0)
        now = np.array([np.mean(np.square(dry)), np.mean(np.square(line))])
        self._power += SLOWLY * (now - self._power)
        before = self._gain
        if self._power.min() > 1e-8:
            self._gain = float(np.clip(np.sqrt(self._power[0] / self._power[1]), 1.0, MOST_GAIN))
        return np.asarray(line * np.linspace(before, self._gain, len(line)), np.float32)

    def _instrument(self, stem: str) -> str | None:
        """Instrument of a stem; None where the style has one."""
        if stem in OTHERWISE:
            return OTHERWISE[stem] if stem in self._missing else None
        return ASKED_FOR[stem]

    def _asked(self, parts: Mapping[str, str]) -> Controls:
        """Controls that let the stems sound that are wanted."""
        controls, info = self._controls, self._engine.info
        if controls.style is None and self._style is not None:
            controls = controls.with_(style=self._style)
        # Whoever is asked for plays, and goes on playing: the form has no rests.
        changes: dict[str, object] = {}
        for name, value in (("energy", ENERGY), ("density", DENSITY)):
            if name in info.controls and getattr(controls, name) is None:
                changes[name] = value
        if "parts" in info.controls:
            chosen = {parts[s]: PartControls(instrument=self._instrument(s)) for s in parts}
            silent = set(info.parts or PARTS) - set(parts.values())
            changes["parts"] = chosen | dict.fromkeys(silent, PartControls(mute=True))
        elif parts:
            other = {"piano", "guitar"} & set(parts)
            kept = ({"bass", "drums"} & set(parts)) | ({"other"} if other else set())
            changes["mute"] = frozenset({"bass", "drums", "other"} - kept)
        return controls.with_(**changes) if changes else controls
