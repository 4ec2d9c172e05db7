"""Memory that the instrument's long-lived parts hold, and the heap's free parts: what grows."""

from __future__ import annotations

import ctypes
import sys
import types
from typing import Any, Final

import numpy as np

LEAVES: Final = (
    str, bytes, int, float, bool, complex, type(None), type, types.ModuleType,
    types.FunctionType, types.BuiltinFunctionType, types.MethodType,
)  # fmt: skip


def sizes(window: Any, worker: Any) -> dict[str, float]:
    """Megabytes of each part; what two of them share counts for the first."""
    planner = worker._planner
    engine = planner.source.engine
    parts = {
        "capture": window.playback.capture.capture,
        "moments": planner.moments,
        "renders": worker.renders._past,
        "places": worker.renders._places,
        "performance": worker.performance,
        "scores": worker.scores,
        "echo": getattr(getattr(engine, "echo", None), "_made", None),
        "plan": planner.plan,
    }
    seen: set[int] = {id(window), id(worker)}
    seen.add(id(engine))  # comes last
    found = {name: held(part, seen) for name, part in parts.items()}
    seen.remove(id(engine))
    found |= {"engine": held(engine, seen)} | heap()
    return {name: round(size / 1e6, 1) for name, size in found.items()}


class _MallInfo(ctypes.Structure):
    """`struct mallinfo2` of malloc.h."""

    _fields_ = tuple((name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
        "fordblks", "keepcost",
    ))  # fmt: skip


def heap() -> dict[str, int]:
    """Bytes of glibc's heap in use, free in it, and mapped; nothing elsewhere."""
    try:
        ask = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError, TypeError):
        return {}
    ask.restype = _MallInfo
    info = ask()
    return {"heap_used": info.uordblks, "heap_free": info.fordblks, "heap_mapped": info.hblkhd}


def held(root: object, seen: set[int]) -> int:
    """Bytes of the Python objects, arrays and tensors that are reached from an object."""
    total, waiting = 0, [root]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, np.ndarray):
            if part.base is None:
                total += part.nbytes
            else:
                waiting.append(part.base)
            continue
        if hasattr(part, "untyped_storage"):
            if getattr(part, "is_mkldnn", False):  # its storage cannot be looked at
                total += part.numel() * part.element_size()  # type: ignore[attr-defined]
                continue
            storage = part.untyped_storage()
            if storage.data_ptr() not in seen:
                seen.add(storage.data_ptr())
                total += storage.nbytes()
            continue
        total += sys.getsizeof(part, 0)
        if not isinstance(part, LEAVES):
            waiting += _inside(part)
    return total


def _inside(part: object) -> list[object]:
    if isinstance(part, dict):
        return [*part.keys(), *part.values()]
    if isinstance(part, list | tuple | set | frozenset) or type(part).__name__ == "deque":
        return list(part)  # type: ignore[call-overload, no-any-return]
    found = list(vars(part).values()) if hasattr(part, "__dict__") else []
    for kind in type(part).__mro__:
        names = getattr(kind, "__slots__", ())
        found += [getattr(part, n) for n in names if n != "__weakref__" and hasattr(part, n)]
    return found
