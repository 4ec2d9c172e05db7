"""Guides: songs of the corpus played by the live studio, for the training of the renderer.

The renderer learns to make the corpus' sound out of the studio's, so a guide has the clip's notes
but another recipe and another production; it is dry in part, and now and then one of its parts has
another instrument of the same family.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.corpus.sound.presets import SOUNDS
from models.music.general_midi import program_of
from models.music.score import INSTRUMENTS, KITS, PITCHED, SAMPLE_RATE
from models.music.song import Song
from models.segue.studio.bank import Bank
from models.segue.studio.block import BLOCK
from models.segue.studio.dynamics import AHEAD
from models.segue.studio.production import MixTable
from models.segue.studio.studio import MixRequest, Score, Studio, StudioState
from models.segue.studio.voices import Motion
from models.segue.style import anchors
from models.segue.style.terms import NAMES

OTHER_SHARE: Final = 0.1
"""Share of guides in which a part has another instrument."""
DRY_SHARE: Final = 0.5
"""Share of guides without room and echo; the others have a random share of the style's."""
FAMILY: Final = 8
"""General MIDI programs of a family."""
RING: Final = 0.2  # seconds for which a note that is over is still told to the studio


class GuideNote(NamedTuple):
    """Note for the studio: seconds, index into PARTS, pitch or drum, velocity."""

    on: float
    off: float
    part: int
    pitch: int
    velocity: int
    open: bool = False


class GuidePlayer:
    """Live studio that plays songs of the corpus; offline."""

    def __init__(self, bank: Bank | None = None) -> None:
        self.bank = bank or Bank()
        self.studio = Studio(self.bank)
        self.anchors = anchors.load()
        self.mixes = MixTable(self.anchors, NAMES)

    def play(self, song: Song, seconds: float, rng: np.random.Generator) -> NDArray[np.float32]:
        """The first `seconds` of a song, float32 (n, 2) at 48 kHz, in time with the corpus' mix.

        Args:
            song: its notes within the compass of its instruments.
            seconds: of sound.
            rng: chooses production and instruments.

        """
        events = song.events()
        events = events[events["on"] < seconds]
        notes = [
            GuideNote(float(on), float(off), int(part), int(pitch), int(velocity))
            for on, off, part, pitch, velocity in events
        ]
        request = self._request(song, rng)
        sounds = chosen_sounds(song, rng)
        state = StudioState(seed=int(rng.integers(1 << 32)))
        blocks = []
        beats_a_second = song.bpm / 60.0
        ahead = AHEAD  # the look-ahead of the limiter, by which the sound is late
        for block in range(-(-(round(seconds * SAMPLE_RATE) + ahead) // BLOCK)):
            start, end = block * BLOCK / SAMPLE_RATE, (block + 1) * BLOCK / SAMPLE_RATE
            near = tuple(note for note in notes if note.off > start - RING and note.on < end)
            motion = Motion(start * beats_a_second, beats_a_second / SAMPLE_RATE)
            played, state = self.studio.block(state, Score(near, sounds, song.bpm, motion), request)
            blocks.append(played.mix.T)
        return np.concatenate(blocks)[ahead : ahead + round(seconds * SAMPLE_RATE)]

    def _request(self, song: Song, rng: np.random.Generator) -> MixRequest:
        production, room = self.mixes.of(anchors.mixture(song.terms))
        wet = 0.0 if rng.random() < DRY_SHARE else float(rng.random())
        tilt = float(rng.normal(0.0, 1.5))
        return MixRequest(
            production._replace(
                reverb_amount=wet * production.reverb_amount,
                delay=wet * production.delay,
                tilt_db=production.tilt_db + tilt,
            ),
            room,
        )


def chosen_sounds(song: Song, rng: np.random.Generator) -> tuple[str, ...]:
    """Kit and instruments of a guide by PARTS: the song's, now and then one of them another."""
    sounds = [song.kit, *(song.instruments.get(part, "none") for part in PITCHED)]
    playing = [index for index, sound in enumerate(sounds) if sound != "none"]
    if playing and rng.random() < OTHER_SHARE:
        index = playing[int(rng.integers(len(playing)))]
        others = relatives(sounds[index], drums=index == 0)
        if others:
            sounds[index] = others[int(rng.integers(len(others)))]
    return tuple(sounds)


def relatives(sound: str, drums: bool) -> list[str]:
    """Other kits; or instruments of the same family whose compass holds that of `sound`."""
    if drums:
        return [kit for kit in KITS if kit not in (sound, "none")]
    own, family = SOUNDS[sound], program_of(sound) // FAMILY
    return [
        other
        for other in INSTRUMENTS
        if other not in (sound, "none")
        and program_of(other) // FAMILY == family
        and SOUNDS[other].low <= own.low
        and SOUNDS[other].high >= own.high
    ]
