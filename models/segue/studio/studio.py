"""Studio: renders a block of score as a block of sound and the parts' stems.

`Studio` holds instruments and caches only; the state of a stream is `StudioState`, immutable and
small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.music.score import PARTS, SAMPLE_RATE
from models.segue.studio.bank import Bank
from models.segue.studio.block import BLOCK, Planes
from models.segue.studio.dynamics import line
from models.segue.studio.master import TARGET, MasterState, master
from models.segue.studio.production import AMBIENCE, MixParameters, glide_towards
from models.segue.studio.rooms import RoomSpec, warm_up
from models.segue.studio.space import LONGEST_ECHO, SENDERS, Echo, Space, SpaceState, advance_room
from models.segue.studio.strips import BALANCE, KICK, Pump, Strip, play_part, pump_gain
from models.segue.studio.voices import Motion, NoteLike, SamplerVoice, Tones, follow, scramble

SEND: Final = (0.5, 0.12, 1.0, 1.1, 1.2)
"""How much of each part goes into the room, as in the corpus."""
ROOM_LEVEL: Final = 1.1
SLICES: Final = 4
"""Slices of a block whose levels are told."""
NO_KICK: Final = Pump()
NO_ECHO: Final = Echo()


class Score(NamedTuple):
    """Score of a block: the arranger's notes, which instrument or kit each part has
    ('none' for nobody), the tempo, and where the beat is.
    """

    notes: tuple[NoteLike, ...]
    sounds: tuple[str, ...]  # by PARTS
    bpm: float
    motion: Motion
    user: tuple[str, ...] = ("",) * len(PARTS)
    """Instruments of the performer's own, by PARTS; "" for none."""


class MixRequest(NamedTuple):
    """Mix of a block: the production and room of the style, the gain of each part (0 is
    exact silence), and a tilt in dB for brightness.
    """

    production: MixParameters = MixParameters()
    room: RoomSpec = RoomSpec()
    gains: tuple[float, ...] = (1.0,) * len(PARTS)
    brightness: float = 0.0


@dataclass(frozen=True)
class StudioState:
    """State that a stream's sound depends on; immutable, a few kilobytes of its own."""

    seed: int = 0
    block: int = 0
    voices: tuple[SamplerVoice, ...] = ()
    strips: tuple[Strip, ...] = (Strip(),) * len(PARTS)
    pump: Pump = NO_KICK
    space: SpaceState = field(default_factory=SpaceState)
    echo: Echo = NO_ECHO
    production: MixParameters | None = None
    gains: tuple[float, ...] | None = None
    sends: tuple[float, ...] = (0.0,) * len(PARTS)
    master: MasterState = field(default_factory=MasterState)


class StudioBlock(NamedTuple):
    """Block of sound: `mix` (2, BLOCK) mastered, `dry` sound of each part that has any, what the
    stems need, and all `voices` that sounded.
    """

    mix: Planes
    before_master: Planes
    dry: Mapping[str, Planes]
    pump: NDArray[np.float32] | None
    gains: tuple[tuple[float, ...], tuple[float, ...]]
    echoes: tuple[Echo, Echo]
    amounts: tuple[float, float]
    space: SpaceState
    voices: tuple[SamplerVoice, ...]


class Studio:
    """Instruments, mixer and rooms."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self.tones = Tones(bank)
        self.space = Space()

    def warm_up(self) -> None:
        """Compute the rooms beforehand; may be called by any thread."""
        warm_up()

    def block(
        self, state: StudioState, score: Score, request: MixRequest
    ) -> tuple[StudioBlock, StudioState]:
        """The next BLOCK samples of a score, and the state after them."""
        start = state.block * BLOCK
        goal = request.production
        before = state.production or goal
        production = glide_towards(before, goal, BLOCK / SAMPLE_RATE)
        amounts = (ROOM_LEVEL * before.reverb_amount, ROOM_LEVEL * production.reverb_amount)
        gains = (state.gains or request.gains, request.gains)
        sounds = {i: name for i, name in enumerate(score.sounds) if name != "none"}
        user = {i: name for i, name in enumerate(score.user) if name}
        voices = follow(
            state.voices, score.notes, sounds, self.bank, start, BLOCK, state.seed, user
        )
        current = self.sounding(score)
        kicks = sorted(
            v.start for v in voices if v.part == 0 and v.pitch == KICK and v.start >= start
        )
        pump, pump_state = pump_gain(
            kicks, state.pump, (min(0.92, before.pump), min(0.92, production.pump)),
            0.62 * 60 / score.bpm, start,
        )  # fmt: skip
        dry: dict[str, Planes] = {}
        strips = list(state.strips)
        sends = np.zeros((len(SENDERS), BLOCK), np.float32)
        levels = list(state.sends)
        for part, name in enumerate(PARTS):
            if gains[0][part] == 0.0 == gains[1][part]:
                strips[part] = strips[part]._replace(channels=(), past=None, sweep=None)
                continue
            own = [v for v in voices if v.part == part]
            side = 1.0 if scramble(state.seed, part, 11) & 1 else -1.0
            sound, strips[part] = play_part(
                part, own, strips[part], self.tones, production, start, score.motion,
                current[part], side,
            )  # fmt: skip
            wet = SEND[part] if part else drums_send(production)
            if part and current[part] != "none":
                wet *= self.bank.instrument(current[part]).wet
            level, levels[part] = levels[part], wet
            if sound is None:
                continue
            if part and pump is not None:
                sound = sound * pump
            if gains[0][part] != 1.0 or gains[1][part] != 1.0:
                sound = sound * _line(gains[0][part], gains[1][part])
            dry[name] = sound
            if part in SENDERS:
                middle = (sound[0] + sound[1]) * np.float32(0.5)
                sends[SENDERS.index(part)] = middle * _line(level or wet, wet)
        space = advance_room(state.space, request.room)
        echo = echo_of(production, score.bpm)
        space = self.space.write(sends, space, echo)
        echoes = (state.echo, echo)
        wet_sound = self._wet(space, gains, echoes, amounts, None)
        mix = np.zeros((2, BLOCK), np.float32)
        for sound in dry.values():
            mix += sound
        if wet_sound is not None:
            mix += wet_sound if pump is None else wet_sound * pump
        target = TARGET + _fader_loss_db(gains[1], sounds)
        out, master_state = master(
            mix, state.master, production, request.brightness, target, start, state.seed
        )
        alive = tuple(v for v in voices if not self.tones.ended(v, start + BLOCK))
        played = StudioBlock(out, mix, dry, pump, gains, echoes, amounts, space, voices)
        return played, replace(
            state,
            block=state.block + 1,
            voices=alive,
            strips=tuple(strips),
            pump=pump_state,
            space=space,
            echo=echo,
            production=production,
            gains=gains[1],
            sends=tuple(levels),
            master=master_state,
        )

    def sounding(self, score: Score) -> tuple[str, ...]:
        """What each part plays with: the performer's own where it is loaded."""
        return tuple(
            own if own and self.bank.has(own, part) else sound
            for part, (sound, own) in enumerate(zip(score.sounds, score.user, strict=True))
        )

    @staticmethod
    def levels(played: StudioBlock) -> dict[str, tuple[float, ...]]:
        """Peaks of the parts that sound, before the room, in SLICES slices of a block."""
        peaks = {
            part: np.abs(sound).max(axis=0).reshape(SLICES, -1).max(axis=1)
            for part, sound in played.dry.items()
        }
        return {part: tuple(map(float, own)) for part, own in peaks.items()}

    def stems(self, played: StudioBlock) -> dict[str, Planes]:
        """The parts of a block with their share of room and echo, (2, BLOCK) each; they sum to
        `before_master`.
        """
        stems = {}
        for part, name in enumerate(PARTS):
            stem = np.zeros((2, BLOCK), np.float32)
            if name in played.dry:
                stem += played.dry[name]
            if part in SENDERS:
                wet = self._wet(played.space, played.gains, played.echoes, played.amounts, part)
                if wet is not None:
                    stem += wet if played.pump is None else wet * played.pump
            stems[name] = stem
        return stems

    def _wet(
        self, space: SpaceState, gains: tuple[tuple[float, ...], tuple[float, ...]],
        echoes: tuple[Echo, Echo], amounts: tuple[float, float], only: int | None,
    ) -> Planes | None:  # fmt: skip
        """Room and echo of all parts, or of one; a fader moves what it sent before as well."""

        def opened(faders: tuple[float, ...]) -> tuple[float, ...]:
            # The line holds what the faders let through; a part that is shut off loses its tail.
            return tuple(1.0 if faders[p] > 0.0 and only in (None, p) else 0.0 for p in SENDERS)

        def answer(senders: tuple[float, ...]) -> Planes:
            return self.space.answer(space, senders, echoes, amounts)

        then, now = (opened(faders) for faders in gains)
        if then == now:
            return answer(now) if any(now) else None
        return answer(now) * _line(0.0, 1.0) + answer(then) * _line(1.0, 0.0)


def _line(begin: float, end: float) -> NDArray[np.float32] | np.float32:
    """(BLOCK,) from one gain to another, which holds from a quarter of the block on; a number where
    they are the same.
    """
    if begin == end:
        return np.float32(begin)
    out = np.full(BLOCK, end, np.float32)
    out[: BLOCK // 4] = line(begin, end, BLOCK // 4)
    return out


def _fader_loss_db(gains: tuple[float, ...], sounds: Mapping[int, str]) -> float:
    """Change of the target loudness in dB where faders are down."""
    power = [10 ** (BALANCE[p] / 10) for p in range(len(PARTS))]
    whole = sum(power[p] for p in sounds) or 1.0
    left = sum(power[p] * min(gains[p], 1.0) ** 2 for p in sounds)
    return 10.0 * float(np.log10(max(left / whole, 0.05))) if left < whole else 0.0


def drums_send(production: MixParameters) -> float:
    """How much of the drums goes into the room: what the style asks for. The touch of hall that
    every mix gets would blur their strokes.
    """
    own = max(production.reverb_amount - AMBIENCE, 0.0)
    return SEND[0] * own / max(production.reverb_amount, 1e-9)


def echo_of(production: MixParameters, bpm: float) -> Echo:
    """The delay in time with the music; none under a hundredth."""
    if production.delay <= 0.02:
        return Echo()
    seconds = production.delay_beats * 60.0 / bpm
    while seconds > LONGEST_ECHO - 0.1:
        seconds /= 2
    delay = max(BLOCK // 2 + 16, round(seconds * SAMPLE_RATE / 2))
    feedback = min(0.75, production.delay_feedback) * min(1.0, production.delay / 0.25)
    return Echo(delay, round(0.9 * production.delay, 3), round(feedback, 3))
