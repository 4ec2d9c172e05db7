"""`python main.py bench`: speed of an engine on this machine."""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import Namespace
from pathlib import Path

import numpy as np

from app.cli.render import check_seconds
from app.cli.rendering import blocks, progress
from app.performance.file import Performance, PerformanceChange
from app.performance.player import PerformancePlayer
from models.engine.prompts import Prompt, PromptEmbedder
from models.registry import open_engine
from models.storage.json_types import JsonObject

# Changes of style, tempo and keys, as they may cost more than going on.
PIECE = (
    PerformanceChange(0.0, {}, (Prompt(text="minimal techno"),)),
    PerformanceChange(
        5.0, {"bpm": 124.0}, (Prompt(text="minimal techno"), Prompt(text="flute", weight=0.5))
    ),
    PerformanceChange(10.0, {"key": "A minor", "notes": (57, 60, 64)}),
    PerformanceChange(15.0, {"density": 0.8, "brightness": 0.3}, (Prompt(text="jazz trio"),)),
)


def bench(chosen: Namespace) -> int:
    """Print the figures as text or JSON."""
    figures = measure(
        getattr(chosen, "engine", "segue"),
        getattr(chosen, "device", "auto"),
        check_seconds(chosen.seconds),
    )
    print(json.dumps(figures, indent=2) if chosen.json else as_text(figures))
    return 0


def measure(name: str, device: str, seconds: float) -> JsonObject:
    """Figures of an engine that plays `seconds` of PIECE."""
    opening = time.perf_counter()
    engine = open_engine(name, device)
    load_seconds = time.perf_counter() - opening
    info = engine.info
    try:
        began = time.perf_counter()
        player = PerformancePlayer(
            Performance(PIECE), PromptEmbedder(engine).mix, info.block_seconds
        )
        stream = blocks(engine, player, seed=0)
        next(stream)
        first_block = time.perf_counter() - began
        since_start = seconds_since_process_start()
        times = []
        with progress(seconds, "s", "bench") as bar:
            for _ in range(max(1, round(seconds / info.block_seconds))):
                began = time.perf_counter()
                next(stream)
                times.append(time.perf_counter() - began)
                bar.update(min(info.block_seconds, seconds - bar.n))
    finally:
        engine.close()
    spent = 1000.0 * np.array(times)
    quantiles = np.percentile(spent, [50, 95, 99])
    return {
        "engine": info.name,
        "device": info.device,
        "block_seconds": round(info.block_seconds, 6),
        "blocks": len(times),
        "real_time_factor": round(float(info.block_seconds * len(times) / sum(times)), 3),
        "block_ms": {
            **{f"p{p}": round(float(q), 3) for p, q in zip((50, 95, 99), quantiles, strict=True)},
            "max": round(float(spent.max()), 3),
        },
        "first_block_ms": round(1000.0 * first_block, 1),
        "load_seconds": round(load_seconds, 3),
        "start_to_first_block_seconds": None if since_start is None else round(since_start, 2),
        "peak_rss_mb": peak_rss_mb(),
        "cpu_count": os.cpu_count(),
        "torch_threads": _torch_threads(),
    }


def as_text(figures: JsonObject) -> str:
    """Figures as text."""
    times = figures["block_ms"]
    since_start = figures["start_to_first_block_seconds"]
    lines = [
        f"{figures['engine']} on {figures['device']}: "
        f"{figures['real_time_factor']:.2f} times real time",
        f"a block of {1000 * figures['block_seconds']:.0f} ms takes {times['p50']:.0f} ms (half), "
        f"{times['p95']:.0f} (95 %), {times['p99']:.0f} (99 %), {times['max']:.0f} (the worst)",
        f"loading took {figures['load_seconds']:.1f} s, "
        f"prompt and first block {figures['first_block_ms']:.0f} ms",
    ]
    if since_start is not None:
        lines.append(f"from the start of the process to the first block {since_start:.1f} s")
    if figures["peak_rss_mb"] is not None:
        lines.append(f"at most {figures['peak_rss_mb']:.0f} MB of memory")
    return "\n".join(lines)


def peak_rss_mb() -> float | None:
    """Peak resident memory in MB of 10^6 bytes; None where it is unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else 1024) / 1e6, 1)


def seconds_since_process_start() -> float | None:
    """Age of this process, interpreter start included; None where there is no /proc."""
    try:
        # Field 22, counted after the command, which stands in brackets and may hold spaces.
        stat = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace")
        began = int(stat.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - began
    except (OSError, AttributeError, ValueError, IndexError):
        return None


def _torch_threads() -> int | None:
    """Number of torch's threads; None where torch was not imported."""
    torch = sys.modules.get("torch")
    return None if torch is None else int(torch.get_num_threads())
