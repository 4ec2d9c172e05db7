"""State of a `segue` stream: immutable, so that a snapshot is a reference. Names of classes and
fields are stored in files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from models.engine.controls import Controls
from models.engine.interface import Audio, NoteEvent, Snapshot
from models.engine.parts import PartMap
from models.errors import SegueError
from models.music.score import INSTRUMENTS, KITS, PARTS, SAMPLE_RATE, STEM_OF_PART
from models.music.user_instruments import is_user_instrument
from models.segue.arranger.block_score import ArrangerInfo
from models.segue.arranger.clock import phases
from models.segue.arranger.state import State as ArrangerState
from models.segue.dream.balance import BalanceState
from models.segue.dream.dreamer import DreamSound
from models.segue.dream.split import SplitState
from models.segue.echo import EchoState
from models.segue.studio.block import BLOCK
from models.segue.studio.note_events import StartedNote
from models.segue.studio.studio import Score, StudioBlock, StudioState
from models.segue.studio.voices import Motion


class LeadEntry(NamedTuple):
    """Block that the lead has played and the stream has not: its controls, and whether the
    arranger began afresh before it; what the arranger wrote, where it heard the performer; the
    share of the dreaming parts in its sound (BLOCK, 2), where not all dream.
    """

    controls: Controls
    clear: bool
    written: tuple[ArrangerState, ArrangerInfo] | None = None
    guide: Audio | None = None


@dataclass(frozen=True)
class Dreaming:
    """State of a stream that dreams. lead: the stream's state, some blocks ahead; pending: these
    blocks; clear: whether the next of them begins afresh; age: blocks since it awoke; split: of the
    parts that dream from those that do not.
    """

    lead: StudioStreamState
    sound: DreamSound
    pending: tuple[LeadEntry, ...] = ()
    balance: BalanceState = field(default_factory=BalanceState)
    clear: bool = False
    age: int = 0
    split: SplitState | None = None


@dataclass(frozen=True)
class StudioStreamState:
    """State of a `segue` stream; immutable. dream: None while the renderer is asleep. echo: of what
    the performer plays in, which is in no file.
    """

    arranger: ArrangerState
    studio: StudioState = field(default_factory=StudioState)
    info: ArrangerInfo | None = None
    started: tuple[StartedNote, ...] = ()  # notes that are on at the block's end
    dream: Dreaming | None = None
    echo: EchoState | None = None


class PlayedBlock(NamedTuple):
    """Block as the studio plays it: the state after it, its sound, what begins and ends in it, what
    was held before; and the entry that it was played from.
    """

    state: StudioStreamState
    studio: StudioBlock
    events: tuple[NoteEvent, ...]
    held: tuple[NoteEvent, ...]
    entry: LeadEntry


def score_of(state: ArrangerState, start: float, parts: PartMap) -> Score:
    """Score for the studio in the block that begins at `start` seconds; `parts` tells which have
    instruments of the performer's own.
    """
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
        user=tuple(
            name if is_user_instrument(name := parts.of(part).instrument or "") else ""
            for part in PARTS
        ),
    )


def part_gains(controls: Controls) -> tuple[float, ...]:
    """Gain of each of PARTS: of the strips, and 0 where its stem is muted."""
    return tuple(
        0.0 if STEM_OF_PART[part] in controls.mute else gain
        for part, gain in zip(PARTS, controls.part_map.gains(), strict=True)
    )


def checked_state(snapshot: Snapshot) -> StudioStreamState:
    """A snapshot as a state. SegueError where it is another engine's."""
    if not isinstance(snapshot, StudioStreamState):
        raise SegueError("this moment belongs to another engine: choose that engine first.")
    return snapshot
