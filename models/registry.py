"""Engine registry: engines by name, opened with `open_engine`.

Importing this module imports no torch; opening an engine does, through its factory.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from models.engine.interface import Engine
from models.errors import SegueError

DEVICES: Final = ("auto", "cpu", "cuda", "mps")
DEFAULT_ENGINE: Final = "segue"
REMOTE: Final = "remote://"
"""How the address of an engine on another machine begins (models.remote.protocol.address)."""

ELSEWHERE: Final = ("lyria-realtime",)
"""Engines that are services: they need the network."""

EngineFactory: TypeAlias = Callable[[str], Engine]
"""Opens an engine on a device of DEVICES; raises SegueError if it cannot."""


@dataclass(frozen=True)
class _RegisteredEngine:
    summary: str
    factory: EngineFactory


def _lazy(target: str) -> EngineFactory:
    """A factory that imports 'package.module:Class' only when the engine is opened."""

    def make(device: str) -> Engine:
        module, _, name = target.partition(":")
        engine: Engine = getattr(importlib.import_module(module), name)(device=device)
        return engine

    return make


def _embedded(target: str) -> EngineFactory:
    """A factory for an engine of the embedded weights, whose checksums are verified first."""

    def make(device: str) -> Engine:
        from models.storage.weights import check_files

        check_files("segue")
        return _lazy(target)(device)

    return make


def _magenta(size: str) -> EngineFactory:
    def make(device: str) -> Engine:
        from models.magenta_rt2.engine import MagentaEngine

        # Precision of the weights; the engine's choice for the device if unset.
        return MagentaEngine(size, device, precision=os.environ.get("SEGUE_MRT2_PRECISION"))

    return make


_REGISTRY: dict[str, _RegisteredEngine] = {
    "segue": _RegisteredEngine(
        "our arranger's score, played by instruments; all of it comes with Segue",
        _embedded("models.segue.engine:SegueEngine"),
    ),
    "segue-diffusion": _RegisteredEngine(
        "our own live music diffusion model; its weights come with Segue",
        _embedded("models.segue.diffusion_engine:DiffusionEngine"),
    ),
    "magenta-rt2-small": _RegisteredEngine(
        "Magenta RealTime 2, the small one, in PyTorch", _magenta("small")
    ),
    "magenta-rt2-base": _RegisteredEngine(
        "Magenta RealTime 2, the large one, in PyTorch", _magenta("base")
    ),
    "lyria-realtime": _RegisteredEngine(
        "Lyria RealTime, Google's service, for those with a key; needs the network",
        _lazy("models.lyria.engine:LyriaEngine"),
    ),
}


def register_engine(name: str, factory: EngineFactory, summary: str = "") -> None:
    """Register an engine, replacing one of the same name.

    Args:
        name: for `open_engine` and the command line.
        factory: called with a device of DEVICES; heavy imports belong inside it.
        summary: a few words for lists of engines.

    """
    _REGISTRY[name] = _RegisteredEngine(summary, factory)


def unregister_engine(name: str) -> None:
    """Remove an engine; no error if there is none of that name."""
    _REGISTRY.pop(name, None)


def engine_names() -> tuple[str, ...]:
    """The names that `open_engine` knows, the embedded engine first."""
    return tuple(_REGISTRY)


def engine_summary(name: str) -> str:
    """Description of an engine in a few words. SegueError for an unknown name."""
    return _entry(name).summary


def _entry(name: str) -> _RegisteredEngine:
    try:
        return _REGISTRY[name]
    except KeyError:
        known = ", ".join(engine_names())
        raise SegueError(f"there is no engine '{name}': choose from {known}.") from None


def open_engine(name: str = DEFAULT_ENGINE, device: str = "auto") -> Engine:
    """Open an engine: load its weights, which takes seconds.

    Args:
        name: one of `engine_names`, or remote://HOST:PORT/NAME for one on another machine.
        device: one of DEVICES; an engine elsewhere has its own.

    Raises:
        SegueError: unknown name or device, a device that this machine lacks, weights that are
            missing or damaged, or a server that does not answer.

    """
    if name.startswith(REMOTE):
        from models.remote.client.engine import RemoteEngine

        return RemoteEngine(name)
    entry = _entry(name)
    if device not in DEVICES:
        raise SegueError(f"there is no device '{device}': choose from {', '.join(DEVICES)}.")
    return entry.factory(device)
