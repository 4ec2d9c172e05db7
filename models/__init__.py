"""The streaming generators and how they are trained; knows nothing of Qt, nothing of `app`.

Runs in every lane: importing it is cheap. torch is imported only when an engine is opened.
"""

from models.engine.interface import STEMS, Controls, Engine, EngineInfo, Snapshot, Stream, blend
from models.errors import SegueError
from models.registry import engine_names, open_engine, register_engine

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
