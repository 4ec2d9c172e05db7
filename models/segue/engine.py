"""Engine `segue`: the arranger generates the score, the studio plays it with instruments.

A block of 80 ms: the arranger writes every step that begins in it, under the controls of that
moment; the studio plays the notes. Nothing is written further ahead, so a held key sounds at the
next step. Everything a stream remembers is in one immutable value of a few kilobytes.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from models.engine.interface import (
    SENDS,
    Audio,
    Controls,
    Engine,
    EngineInfo,
    NoteEvent,
    Samples,
    ScoreInfo,
    Snapshot,
    Stream,
    Style,
    check_prompt_audio,
    check_prompt_text,
)
from models.engine.parts import PART_CONTROLS
from models.errors import SegueError
from models.music.score import FRAME_SAMPLES, INSTRUMENTS, KITS, PARTS, SAMPLE_RATE, STEM_OF_PART
from models.runtime.threads import use_one_thread
from models.segue.arranger.arranger import ARRANGER_CONTROLS, Arranger
from models.segue.arranger.block_score import ArrangerInfo, score_info
from models.segue.arranger.clock import phases
from models.segue.arranger.conditions import GUIDANCE, GUIDANCE_RANGE
from models.segue.arranger.setting import SettingNoise, choose_setting
from models.segue.arranger.state import State as ArrangerState
from models.segue.studio.bank import FOLDER, Bank
from models.segue.studio.block import BLOCK
from models.segue.studio.dynamics import AHEAD
from models.segue.studio.note_events import StartedNote, note_events
from models.segue.studio.production import MixTable
from models.segue.studio.studio import MixRequest, Score, Studio, StudioBlock, StudioState
from models.segue.studio.voices import Motion
from models.segue.style import StyleModel
from models.segue.style import anchors as style_anchors
from models.segue.style.terms import NAMES
from models.storage.serialisation import PackedState, pack, unpack_state
from models.storage.weights import WEIGHTS, identity

FRAMES: Final = BLOCK // FRAME_SAMPLES
CONTEXT_WEIGHTS: Final = ("arranger.safetensors",)
"""Weights that a snapshot depends on."""
BRIGHTEST: Final = 5.0  # dB of tilt at the ends of the control


@dataclass(frozen=True)
class StudioStreamState:
    """State of a `segue` stream; immutable."""

    arranger: ArrangerState
    studio: StudioState = field(default_factory=StudioState)
    info: ArrangerInfo | None = None
    started: tuple[StartedNote, ...] = ()  # notes that are on at the block's end


class SegueEngine(Engine):
    """Arranger and studio as one engine. It always runs on the CPU."""

    def __init__(
        self, device: str = "auto", weights: Path = WEIGHTS, instruments: Path = FOLDER
    ) -> None:
        self.device = "cpu"
        self.weights = weights
        use_one_thread()
        self.bank = Bank(instruments)
        self.studio = Studio(self.bank)
        # The rooms are made while the rest loads; whoever needs one sooner makes it itself.
        rooms = threading.Thread(target=self.studio.warm_up, name="rooms", daemon=True)
        rooms.start()
        self.arranger = Arranger.load(weights / "arranger.safetensors")
        self.style = StyleModel.load()
        self.productions = MixTable(style_anchors.load(), NAMES, instruments)
        self._prefetched: bytes | None = None
        rooms.join()

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(
            name="segue",
            sample_rate=SAMPLE_RATE,
            channels=2,
            block_frames=BLOCK,
            context_seconds=60.0,
            style_dim=self.arranger.net.config.style_dim,
            controls=ARRANGER_CONTROLS | {"parts", "reroll"},
            device=self.device,
            ranges={"guidance": GUIDANCE_RANGE},
            defaults={"guidance": GUIDANCE},
            sends=SENDS,
            parts=PARTS,
            part_controls=frozenset(PART_CONTROLS),
            stems_lead=AHEAD,
        )

    def embed_text(self, text: str) -> Style:
        return self.style.embed_text(check_prompt_text(text))

    def embed_audio(self, samples: Samples, sample_rate: int) -> Style:
        return self.style.embed_audio(check_prompt_audio(samples, sample_rate), sample_rate)

    def nearest_terms(self, style: Style, count: int) -> tuple[str, ...]:
        return tuple(name for name, _ in self.style.rank_terms(style)[:count])

    def start(self, seed: int = 0) -> Stream:
        return SegueStream(self, seed)

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
                setting = choose_setting(self.arranger.setting_net, style, noise, guidance)
                names = [INSTRUMENTS[index] for index in setting.instruments]
                self.bank.prepare(names, [KITS[setting.kit]])

        self.bank.submit(prepare)

    @cached_property
    def checksum(self) -> str:
        """Checksum of the weights that a snapshot depends on."""
        return identity(CONTEXT_WEIGHTS, self.weights)

    @cached_property
    def weights_identity(self) -> str:
        return identity(("arranger.safetensors", "style.safetensors"), self.weights)

    def pack(self, snapshot: Snapshot) -> PackedState:
        return PackedState(self.info.name, self.checksum, *pack(_checked(snapshot)))

    def unpack(self, packed: PackedState) -> Snapshot:
        return unpack_state(packed, StudioStreamState, self.info.name, self.checksum, {})

    def close(self) -> None:
        self.bank.close()


class SegueStream(Stream):
    """Stream of arranger and studio."""

    def __init__(self, engine: SegueEngine, seed: int) -> None:
        self.engine = engine
        self.state = StudioStreamState(
            engine.arranger.start(seed), StudioState(seed=seed & 0xFFFFFFFF)
        )
        self._played: StudioBlock | None = None
        self._stems: dict[str, Audio] | None = None
        self._events: tuple[NoteEvent, ...] = ()
        self._held: tuple[NoteEvent, ...] = ()

    @property
    def score(self) -> ScoreInfo | None:
        """Score of the last block; `bars_at` and events include the limiter's look-ahead. After
        `restore` there are no events.
        """
        score = score_info(self.state.info, self.state.arranger, AHEAD)
        return None if score is None else replace(score, events=self._events, held=self._held)

    @property
    def stems(self) -> dict[str, Audio]:
        """{part: float32 (block_frames, 2)} of the last block; they sum to the mix before the
        master, which the block's sound follows `EngineInfo.stems_lead` samples later.
        """
        if self._played is None:
            return {}
        if self._stems is None:
            planes = self.engine.studio.stems(self._played)
            self._stems = {part: np.ascontiguousarray(x.T) for part, x in planes.items()}
        return dict(self._stems)

    @property
    def before_master(self) -> Audio | None:
        """float32 (block_frames, 2) of the last block: the mix that the stems sum to."""
        if self._played is None:
            return None
        return np.ascontiguousarray(self._played.before_master.T)

    def render(self, controls: Controls) -> Audio:
        engine, state = self.engine, self.state
        style = controls.style
        if style is not None and style.shape != (engine.arranger.net.config.style_dim,):
            raise SegueError(
                f"the style has {len(style)} numbers, this engine's have "
                f"{engine.arranger.net.config.style_dim}: embed the prompt with this engine."
            )
        engine.prefetch(style, controls, state.arranger.seed)
        arranger, info = engine.arranger.write(state.arranger, style, controls, FRAMES)
        start = state.studio.block * BLOCK / SAMPLE_RATE
        score = score_of(arranger, start)
        engine.bank.prepare(score.sounds[1:], score.sounds[:1])
        production, room = engine.productions.of(style)
        bright = 0.0 if controls.brightness is None else 2.0 * controls.brightness - 1.0
        request = MixRequest(
            production,
            room,
            tuple(
                0.0 if STEM_OF_PART[part] in controls.mute else gain
                for part, gain in zip(PARTS, controls.part_map.gains(), strict=True)
            ),
            BRIGHTEST * bright * controls.strength_of("brightness"),
        )
        played, studio = engine.studio.block(state.studio, score, request)
        audible = [gain > 0.0 for gain in request.gains]
        self._held = tuple(NoteEvent(0, PARTS[n.part], n.pitch, n.velocity) for n in state.started)
        self._events, started = note_events(
            played.voices, audible, state.started, state.studio.block * BLOCK
        )
        self.state = StudioStreamState(arranger, studio, info, started)
        self._played, self._stems = played, None
        return np.ascontiguousarray(played.mix.T)

    def snapshot(self) -> Snapshot:
        return self.state

    def restore(self, snapshot: Snapshot) -> None:
        self.state = _checked(snapshot)
        self._played = self._stems = None
        self._events = self._held = ()

    def clear(self) -> None:
        # The studio goes on, so what still sounds rings out instead of being cut.
        state = self.state
        seed = state.studio.seed + 7919 * (state.studio.block + 1)
        self.state = replace(state, arranger=self.engine.arranger.start(seed, state.arranger))


def score_of(state: ArrangerState, start: float) -> Score:
    """Score for the studio in the block that begins at `start` seconds."""
    setting = state.timbres[-1]
    times = np.array([start, start + BLOCK / SAMPLE_RATE])
    _, beats, _ = phases(state.ticks, times)
    # From block to block without a leap, swing or not.
    step = float(beats[1] - beats[0]) / BLOCK
    return Score(
        notes=state.voices.notes,
        sounds=(KITS[setting.kit], *(INSTRUMENTS[i] for i in setting.instruments)),
        bpm=state.ticks[-1].bpm,
        motion=Motion(float(beats[0]), step),
    )


def _checked(snapshot: Snapshot) -> StudioStreamState:
    if not isinstance(snapshot, StudioStreamState):
        raise SegueError("this moment belongs to another engine: choose that engine first.")
    return snapshot
