"""Generative models of music: engines, their networks and their training.

Imports neither Qt nor `app`; importing this package is cheap, since torch is imported only when an
engine is opened.
"""

from models.engine.interface import STEMS, Controls, Engine, EngineInfo, Snapshot, Stream, blend
from models.errors import SegueError
from models.registry import engine_names, open_engine, register_engine

__all__ = [
    "STEMS", "Controls", "Engine", "EngineInfo", "SegueError", "Snapshot", "Stream", "blend",
    "engine_names", "open_engine", "register_engine",
]  # fmt: skip
