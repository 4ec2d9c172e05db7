"""How fast a frame is against what memory allows, and what eight bits do. Offline.

    python -m models.magenta_rt2.measure CHECKPOINT [--size small] [--frames 60]

In one run, so that the figures belong together: the bandwidth of reading memory, the time of a
frame of the depthformer in each precision and the bound that the bandwidth sets to it, the codec's
share, and how far the eight-bit distributions of the codes are from the float32 ones (mean
Kullback-Leibler divergence, and how often the likeliest code is another) on a history that float32
played. With random weights the last is what the noise of rounding does, not what music loses.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.controls import Controls
from models.magenta_rt2.conditioning import GUIDANCE, condition_tokens
from models.magenta_rt2.config import FRAME_SECONDS, LEVELS, size_config
from models.magenta_rt2.quantize import PRECISIONS, quantize, read_bytes
from models.magenta_rt2.sampling import DEFAULT_TEMPERATURE, DEFAULT_TOP_K, gumbel_noise
from models.magenta_rt2.stepper import FrameStepper
from models.magenta_rt2.weights import load_depthformer


def bandwidth(megabytes: int = 512, passes: int = 8) -> float:
    """GB/s of reading an array that no cache holds, the best of some passes.

    A matrix times a vector: what a frame does, at the speed of this torch and its threads.
    """
    rows = megabytes * 250_000 // 4096
    matrix, vector = torch.ones(4096, rows), torch.ones(1, 4096)
    return matrix.nbytes / _best(lambda: vector @ matrix, passes) / 1e9


def copy_bandwidth(megabytes: int = 256, passes: int = 8) -> float:
    """GB/s of a copy, what is read and what is written taken together."""
    source = torch.ones(megabytes * 250_000)
    target = torch.empty_like(source)
    return 2 * source.nbytes / _best(lambda: target.copy_(source), passes) / 1e9


def _best(work: Callable[[], object], passes: int) -> float:
    work()
    spent = []
    for _ in range(passes):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return min(spent)


@torch.inference_mode()
def measure(checkpoint: Path, size: str, frames: int, threads: int) -> dict[str, Any]:
    """The figures; see the module's docstring. Times in ms, factors against real time."""
    torch.set_num_threads(threads)
    speed = bandwidth()
    figures: dict[str, Any] = {
        "size": size,
        "threads": threads,
        "matrix_vector_gb_per_s": round(speed, 1),
        "copy_gb_per_s": round(copy_bandwidth(), 1),
    }
    row = torch.from_numpy(condition_tokens(np.arange(12), Controls(), GUIDANCE))
    history: list[Tensor] = []
    truth: Tensor | None = None
    for precision in PRECISIONS:
        if precision == "bfloat16":  # slower than float32 on every CPU that was tried
            continue
        model = load_depthformer(checkpoint, size_config(size))
        if precision != "float32":
            quantize(model, precision)
        stepper = FrameStepper(model)
        times = []
        for number in range(frames):
            noise = gumbel_noise(0, 0, number)
            began = time.perf_counter()
            codes = stepper.step(row, noise, DEFAULT_TEMPERATURE, DEFAULT_TOP_K)
            times.append(1000 * (time.perf_counter() - began))
            if precision == "float32":
                history.append(codes + stepper.offsets)
        p50, p99 = np.percentile(times, [50, 99])
        temporal, depth = read_bytes(model, precision)
        every, once = (temporal + depth) / 1e9, (temporal + depth / LEVELS) / 1e9
        entry = {
            "frame_ms": {"min": min(times), "p50": p50, "p99": p99},
            "real_time_factor": 1000 * FRAME_SECONDS / p50,
            "megabytes_read": 1000 * every,
            "bound_real_time_factor": FRAME_SECONDS * speed / every,
            "bound_if_depth_stays_in_cache": FRAME_SECONDS * speed / once,
        }
        stepper.load(stepper.fresh())
        logits = torch.stack([stepper.force(row, tokens) for tokens in history[:24]])
        if truth is None:
            truth = logits
        else:
            p = (truth / DEFAULT_TEMPERATURE).log_softmax(-1)
            q = (logits / DEFAULT_TEMPERATURE).log_softmax(-1)
            entry["divergence_nats"] = (p.exp() * (p - q)).sum(-1).mean()
            entry["other_likeliest_code"] = (truth.argmax(-1) != logits.argmax(-1)).float().mean()
        figures[precision] = _rounded(entry)
    return figures


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return float(f"{float(value):.4g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--size", default="small")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = parser.parse_args()
    figures = measure(chosen.checkpoint, chosen.size, chosen.frames, chosen.threads)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
