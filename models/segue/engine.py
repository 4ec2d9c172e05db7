"""Engine `segue`: the arranger generates the score, the studio plays it with instruments.

A block of 80 ms: the arranger writes every step that begins in it, under the controls of that
moment; the studio plays the notes. Nothing is written further ahead, so a held key sounds at the
next step. Everything a stream remembers is in one immutable value of a few kilobytes.

Where `dream` is above 0, the renderer hears the studio and makes its sound anew
(`models.segue.dream`). Its block takes three of the studio's and some samples more, so a second
playhead runs ahead: `Dreaming.lead` plays up to four blocks earlier what the stream plays next.
What it played is kept beside the state and used again; what is heard does not depend on it.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from models.engine.hearing import Hearing
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
)
from models.engine.parts import PART_CONTROLS
from models.engine.prompt_checks import check_prompt_audio
from models.music.score import (
    PARTS,
    SAMPLE_RATE,
)
from models.runtime.threads import use_one_thread
from models.segue.arranger.arranger import ARRANGER_CONTROLS, Arranger
from models.segue.arranger.block_score import score_info
from models.segue.arranger.conditions import GUIDANCE, GUIDANCE_RANGE
from models.segue.arranger.idiom.sounds import SoundIdioms
from models.segue.arranger.memory.recollection import HeardMusic, heard_music
from models.segue.block_player import FRAMES, BlockPlayer
from models.segue.continuation import arranger_after, stereo_48k
from models.segue.dream.balance import crossfade_share
from models.segue.dream.dreamer import GUIDE, WEIGHTS_USED, Dreamer
from models.segue.dream.knob import AWAKE, DREAMING, LISTENING, dream_setting
from models.segue.echo import echo_block, echo_reach
from models.segue.echo_renderer import EchoRenderer
from models.segue.guide import frames_for, guide_of
from models.segue.lead_player import LeadPlayer
from models.segue.renderer.guidance import guidance_weight
from models.segue.stream_state import (
    Dreaming,
    LeadEntry,
    PlayedBlock,
    StudioStreamState,
    checked_state,
)
from models.segue.studio.bank import FOLDER, Bank
from models.segue.studio.block import BLOCK
from models.segue.studio.dynamics import AHEAD
from models.segue.studio.production import MixTable
from models.segue.studio.studio import Studio, StudioBlock, StudioState
from models.segue.studio.user.library import user_instruments
from models.segue.style import StyleModel
from models.segue.style.axes import AXES, StyleAxes
from models.segue.style.terms import NAMES
from models.sounds.library import SoundLibrary
from models.storage.serialisation import PackedState, pack, unpack_state
from models.storage.weights import WEIGHTS, identity

CONTEXT_WEIGHTS: Final = ("arranger.safetensors",)
"""Weights that a snapshot depends on."""


class SegueEngine(Engine):
    """Arranger and studio as one engine. It always runs on the CPU."""

    def __init__(
        self, device: str = "auto", weights: Path = WEIGHTS, instruments: Path = FOLDER
    ) -> None:
        self.device = "cpu"
        self.weights = weights
        use_one_thread()
        self.bank = Bank(instruments, user_instruments())
        self.studio = Studio(self.bank)
        # The rooms are made while the rest loads; whoever needs one sooner makes it itself.
        rooms = threading.Thread(target=self.studio.warm_up, name="rooms", daemon=True)
        rooms.start()
        self.style = StyleModel.load()
        self.sounds = SoundLibrary(weights=weights)
        idioms = SoundIdioms(self.sounds)
        self.arranger = Arranger.load(weights / "arranger.safetensors", idioms)
        self.axes = StyleAxes(self.style.anchors)
        self.productions = MixTable(self.style.anchors, NAMES, instruments)
        self.player = BlockPlayer(
            self.arranger, self.studio, self.bank, self.productions, self.sounds
        )
        self.dreams = all((weights / name).is_file() for name in WEIGHTS_USED)
        self._dreamer_lock = threading.Lock()
        self.echo = EchoRenderer(lambda: self.dreamer)
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
            controls=ARRANGER_CONTROLS
            | {"parts", "reroll", *AXES, *(DREAMING if self.dreams else ())},
            device=self.device,
            ranges={"guidance": GUIDANCE_RANGE},
            defaults={"guidance": GUIDANCE},
            sends=SENDS if self.dreams else SENDS - {"echo"},
            parts=PARTS,
            part_controls=frozenset(PART_CONTROLS) - (set() if self.dreams else {"dry"}),
            stems_lead=AHEAD,
            continues_audio=True,
            user_instruments=True,
        )

    def embed_text(self, text: str) -> Style:
        return self.sounds.embed(text, self.style.embed_text)

    def embed_audio(self, samples: Samples, sample_rate: int) -> Style:
        return self.style.embed_audio(check_prompt_audio(samples, sample_rate), sample_rate)

    def nearest_terms(self, style: Style, count: int) -> tuple[str, ...]:
        return tuple(name for name, _ in self.style.rank_terms(style)[:count])

    def start(self, seed: int = 0) -> Stream:
        return SegueStream(self, seed)

    def snapshot_after(self, samples: Samples, sample_rate: int, seed: int = 0) -> Snapshot:
        """As of `Engine`: tempo and key for the arranger, and for a stream that dreams the sound
        as its renderer's context.
        """
        audio = stereo_48k(samples, sample_rate)
        style = self.style.embed_audio(audio, SAMPLE_RATE)
        arranger = arranger_after(self.arranger, audio, style, seed)
        state = StudioStreamState(arranger, StudioState(seed=seed & 0xFFFFFFFF))
        if not self.dreams:
            return state
        return replace(state, dream=Dreaming(state, self.dreamer.start_after(audio, seed)))

    @cached_property
    def _loaded_dreamer(self) -> Dreamer:
        return Dreamer.load(self.weights, self.sounds)

    @property
    def dreamer(self) -> Dreamer:
        """Renderer and codec, loaded when they are first asked for; a second then."""
        with self._dreamer_lock:
            return self._loaded_dreamer

    @cached_property
    def checksum(self) -> str:
        """Checksum of the weights that a snapshot depends on."""
        return identity(CONTEXT_WEIGHTS, self.weights)

    @cached_property
    def weights_identity(self) -> str:
        return identity(("arranger.safetensors", "style.safetensors"), self.weights)

    @cached_property
    def dream_checksum(self) -> str:
        """Checksum of the weights that a snapshot of a stream that dreams depends on."""
        guide = (GUIDE,) if (self.weights / GUIDE).is_file() else ()
        return identity((*CONTEXT_WEIGHTS, *WEIGHTS_USED, *guide), self.weights)

    def moment_of(self, snapshot: Snapshot) -> Snapshot:
        state = checked_state(snapshot)
        return state if state.echo is None else replace(state, echo=None)  # seconds of sound

    def pack(self, snapshot: Snapshot) -> PackedState:
        state = replace(checked_state(snapshot), echo=None)  # nothing of the input is in files
        checksum = self.checksum if state.dream is None else self.dream_checksum
        return PackedState(self.info.name, checksum, *pack(state))

    def unpack(self, packed: PackedState) -> Snapshot:
        known = self.checksum
        if packed.weights != known:  # seldom, and more to read
            known = self.dream_checksum
        return unpack_state(packed, StudioStreamState, self.info.name, known, {})

    @property
    def echo_dry(self) -> bool:
        return self.echo.dry

    def notices(self) -> tuple[tuple[str, str], ...]:
        return self.echo.take_notices()

    def close(self) -> None:
        self.echo.close()
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
        self._hearing: Hearing | None = None
        self._heard: Hearing | None = None
        self._lead = LeadPlayer(engine.player.play)
        self._ahead: deque[PlayedBlock] = deque()
        """What the lead played of the end of `Dreaming.pending`, since the last `restore`."""

    @property
    def score(self) -> ScoreInfo | None:
        """Score of the last block; `bars_at` and events include the limiter's look-ahead."""
        score = score_info(self.state.info, self.state.arranger, AHEAD)
        if score is None:
            return None
        levels = {} if self._played is None else self.engine.studio.levels(self._played)
        return replace(score, events=self._events, held=self._held, levels=levels)

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

    def hear(self, hearing: Hearing | None) -> None:
        self._hearing = hearing

    @property
    def heard(self) -> Hearing | None:
        return self._heard

    def render(self, controls: Controls) -> Audio:
        engine, state = self.engine, self.state
        controls = engine.axes.steered(controls)
        # The echo is of what sounds, and no part of how it goes on.
        self.state = replace(state, echo=None) if state.echo is not None else state
        audio = self._music(self.state, controls)
        controls = engine.player.pieces.with_style(controls, state.arranger)
        audio, echo = echo_block(
            state.echo, audio, self._hearing, controls, state.arranger, engine.echo
        )
        self._heard = None
        if echo is not None and self._hearing is not None:
            self.state = replace(self.state, echo=echo)
            reach = echo_reach(echo, controls)
            self._heard = replace(self._hearing, live=False, echoed=echo.taken, reach=reach)
        return audio

    def _music(self, state: StudioStreamState, controls: Controls) -> Audio:
        """The next block without what comes back of the input."""
        engine = self.engine
        if engine.dreams and (controls.dream or state.dream is not None):
            return self._dream(state, controls)
        heard = heard_music(self._hearing, controls, state.arranger, AHEAD)
        played = engine.player.play(state, LeadEntry(controls, clear=False), heard)
        self._show(played)
        self.state = played.state
        return np.ascontiguousarray(played.studio.mix.T)

    def _show(self, played: PlayedBlock) -> None:
        """Tell score and stems of a block."""
        self._played, self._stems = played.studio, None
        self._events, self._held = played.events, played.held

    def _dream(self, state: StudioStreamState, controls: Controls) -> Audio:
        """The next block of a stream that dreams, awakes or falls asleep."""
        dreamer = self.engine.dreamer
        dreaming = state.dream
        if dreaming is None:
            seed = state.studio.seed + 104_729 * (state.studio.block + 1)
            dreaming = Dreaming(replace(state, dream=None), dreamer.start(seed))
            self._ahead.clear()
        setting = dream_setting(controls.dream or 0.0)
        heard = heard_music(self._hearing, controls, state.arranger, AHEAD)
        while len(dreaming.sound.audio) < BLOCK:
            dreaming = self._look_ahead(dreamer, dreaming, controls, setting.sigma, heard)
        entry, *pending = dreaming.pending
        # The lead's state is that of the stream and what is pending, so that the stream gets there.
        if self._ahead and self._ahead[0].entry is entry:
            played = self._ahead.popleft()
        else:
            played = self._lead.replay(replace(state, dream=None), entry)
        self._show(played)
        dry = np.ascontiguousarray(played.studio.mix.T)
        wet, sound = dreamer.take(dreaming.sound, BLOCK)
        audio, balance = dry, dreaming.balance
        if dreaming.age >= LISTENING:
            angle = setting.angle if dreaming.age >= AWAKE else 0.0
            audio, balance = crossfade_share(dry, entry.guide, wet, angle, balance)
        dreaming = replace(
            dreaming, sound=sound, pending=tuple(pending), balance=balance, age=dreaming.age + 1
        )
        if not controls.dream:
            self._ahead.clear()
            self._lead.drop()
        self.state = replace(played.state, dream=dreaming if controls.dream else None)
        return audio

    def _look_ahead(
        self,
        dreamer: Dreamer,
        dreaming: Dreaming,
        controls: Controls,
        sigma: float,
        heard: HeardMusic | None,
    ) -> Dreaming:
        """The state after the lead has played one more block and the dreamer has heard it."""
        entry = LeadEntry(controls, dreaming.clear)
        played = self._lead.play(dreaming.lead, entry, heard)
        entry = played.entry
        if heard is not None and played.state.info is not None:
            # The stream gets there later, when something else is heard.
            entry = entry._replace(written=(played.state.arranger, played.state.info))
            played = played._replace(entry=entry)
        guide, split = guide_of(self.engine.studio, played, dreaming.split)
        if guide is not None:
            entry = entry._replace(guide=guide)
            played = played._replace(entry=entry)
        self._ahead.append(played)
        sound = dreamer.forget(dreaming.sound) if dreaming.clear else dreaming.sound
        sound = dreamer.feed(
            sound,
            played.studio.mix.T if guide is None else guide,
            frames_for(played, FRAMES),
            self.engine.player.pieces.style(controls, played.state.arranger),
            sigma,
            guidance_weight(dreamer.renderer.sampler, controls.guidance),
            controls.sounds,
        )
        return replace(
            dreaming,
            lead=played.state,
            sound=sound,
            pending=(*dreaming.pending, entry),
            clear=False,
            split=split,
        )

    def snapshot(self) -> Snapshot:
        return self.state

    def restore(self, snapshot: Snapshot) -> None:
        self.state = checked_state(snapshot)
        self._played = self._stems = None
        self._events = self._held = ()
        self._ahead.clear()
        self._lead.drop()

    def clear(self) -> None:
        state = self.state
        if state.dream is None:
            self.state = self.engine.player.cleared(state)
        else:  # the lead begins afresh, and the stream when it gets there
            self.state = replace(state, dream=replace(state.dream, clear=True))
