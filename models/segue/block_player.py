"""A block of the studio engine: the arranger writes its steps, the studio plays them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from models.engine.controls import Controls, Style
from models.engine.interface import NoteEvent
from models.music.score import FRAME_SAMPLES, INSTRUMENTS, KITS, PARTS, SAMPLE_RATE
from models.segue.arranger.arranger import Arranger
from models.segue.arranger.conditions import GUIDANCE
from models.segue.arranger.memory.recollection import HeardMusic
from models.segue.arranger.parts.sketches import with_course
from models.segue.arranger.setting import SettingNoise
from models.segue.learned_mix import STUDIO, LearnedMixes
from models.segue.learned_pieces import LearnedPieces, turn_of
from models.segue.stream_state import (
    LeadEntry,
    PlayedBlock,
    StudioStreamState,
    part_gains,
    score_of,
)
from models.segue.studio.bank import Bank
from models.segue.studio.block import BLOCK
from models.segue.studio.note_events import note_events
from models.segue.studio.production import MixTable
from models.segue.studio.studio import MixRequest, Studio
from models.sounds.pieces import KeptSounds

FRAMES: Final = BLOCK // FRAME_SAMPLES
BRIGHTEST: Final = 5.0  # dB of tilt at the ends of the control


class BlockPlayer:
    """Plays the block after a state; what is heard depends on state and controls alone."""

    def __init__(
        self,
        arranger: Arranger,
        studio: Studio,
        bank: Bank,
        productions: MixTable,
        sounds: KeptSounds,
    ) -> None:
        self.arranger = arranger
        self.studio = studio
        self.bank = bank
        self.productions = productions
        self.learned_mixes = LearnedMixes(sounds, STUDIO)
        self.pieces = LearnedPieces(sounds)
        self._prefetched: bytes | None = None

    def play(
        self, state: StudioStreamState, entry: LeadEntry, heard: HeardMusic | None = None
    ) -> PlayedBlock:
        """The block after a state, as the studio plays it, and what the performer played in."""
        controls = with_course(entry.controls, state.arranger)
        if entry.clear:
            state = self.cleared(state)
        style, turn = self.pieces.style(controls, state.arranger), turn_of(state.arranger)
        self.prefetch(style, controls, state.arranger.seed)
        arranger, info = entry.written or self.arranger.write(
            state.arranger, style, controls, FRAMES, heard
        )
        start = state.studio.block * BLOCK / SAMPLE_RATE
        score = score_of(arranger, start, controls.part_map)
        self.bank.prepare(score.sounds[1:], score.sounds[:1])
        production, room = self.productions.of(style)
        change = self.learned_mixes(controls.sounds, turn)
        if change is not None:
            production = change.of_production(production)
        bright = 0.0 if controls.brightness is None else 2.0 * controls.brightness - 1.0
        request = MixRequest(
            production,
            room,
            part_gains(controls),
            BRIGHTEST * bright * controls.strength_of("brightness"),
        )
        played, studio = self.studio.block(state.studio, score, request)
        audible = [gain > 0.0 for gain in request.gains]
        held = tuple(NoteEvent(0, PARTS[n.part], n.pitch, n.velocity) for n in state.started)
        events, started = note_events(
            played.voices, audible, state.started, state.studio.block * BLOCK
        )
        after = StudioStreamState(arranger, studio, info, started)
        return PlayedBlock(after, played, events, held, entry)

    def cleared(self, state: StudioStreamState) -> StudioStreamState:
        """A state whose arranger begins afresh; the studio goes on, so what sounds rings out."""
        seed = state.studio.seed + 7919 * (state.studio.block + 1)
        return replace(state, arranger=self.arranger.start(seed, state.arranger))

    def prefetch(self, style: Style | None, controls: Controls, seed: int) -> None:
        """Decode the instruments of a new style ahead of the arranger, which takes them on with the
        next beat. What is played does not depend on it.
        """
        name = b"" if style is None else style.tobytes()
        given = [controls.part_map.of(part).instrument or "none" for part in PARTS]
        self.bank.prepare(given[1:], given[:1])
        if name == self._prefetched:
            return
        self._prefetched = name

        def prepare() -> None:
            if name == self._prefetched:  # no newer style has come
                noise = SettingNoise.of(seed)
                guidance = GUIDANCE if controls.guidance is None else controls.guidance
                setting = self.arranger.setting(style, noise, guidance)
                names = [INSTRUMENTS[index] for index in setting.instruments]
                self.bank.prepare(names, [KITS[setting.kit]])

        self.bank.submit(prepare)
