"""The streaming generators and how they are trained; knows nothing of Qt, nothing of `app`.

Runs in every lane: importing it is cheap. torch is imported only when an engine is opened.
"""

from models.engine.interface import (
    STEMS,
    Controls,
    Engine,
    EngineInfo,
    Snapshot,
    Stream,
    blend,
    engine_names,
    open_engine,
    register_engine,
)
from models.errors import SegueError

__all__ = [
    "STEMS",
    "Controls",
    "Engine",
    "EngineInfo",
    "SegueError",
    "Snapshot",
    "Stream",
    "blend",
    "engine_names",
    "open_engine",
    "register_engine",
]
