"""State of a stream of Magenta RealTime 2, and a block of it before it is generated."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from models.engine.loudness import LevelState
from models.magenta_rt2.batch_generator import BlockJob
from models.magenta_rt2.depthformer.stepper import DepthformerContext
from models.magenta_rt2.injection import InjectionState
from models.magenta_rt2.silence_watch import SilenceWatch


@dataclass(frozen=True, eq=False)
class StreamState:
    """State of a stream; immutable.

    model: name of the engine. epoch: how often the context was cleared. codec: the decoder's state.
    held: keys that were held in the last block. injection: while the memory send is open.
    """

    model: str
    seed: int
    epoch: int
    context: DepthformerContext
    codec: tuple[Tensor, ...]
    level: LevelState = field(default_factory=LevelState)
    watch: SilenceWatch = field(default_factory=SilenceWatch)
    held: tuple[int, ...] = ()
    injection: InjectionState | None = None


@dataclass(frozen=True, eq=False)
class PreparedBlock:
    """A block before it is generated. requested: guidance; held: keys in it."""

    job: BlockJob
    injection: InjectionState | None
    requested: float
    held: tuple[int, ...]
