"""Benchmark on a CUDA device: speed of frames and blocks, eager and as a CUDA graph.

    python -m tests.benchmarks.magenta.cuda [--sizes small,base] [--frames 300] [--out FILE]

Needs torch, numpy and safetensors only, and no weights: it writes random ones of the released size
into a temporary folder (1.4 GB for `small`, 10 GB for `base`) and opens the engine on them.

For each size, as JSON on the output and in FILE:

* `frame_ms`: one depthformer frame from the call to its tokens on the host, with kernels launched
  one by one (`eager`) and as a CUDA graph (`graph`): p50, p99, max, and the real-time factor of the
  mean. Required: `small` at 10 or more with p99 under 6 ms, `base` above 1.
* `device_ms`: mean time of it on the device, by CUDA events.
* `same_tokens`: whether eager and graph generate the same tokens over all frames, and again after
  restoring a snapshot; `first_difference` is the first frame that differs.
* `block_ms`: `Stream.render`, with conditioning, codec and copy to the host.
* `bound_ms`: time to read the weights once at the copy bandwidth of this run.

The exit code is 1 where tokens differ.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from models.engine.controls import Controls
from models.magenta_rt2.checkpoint import random_weights
from models.magenta_rt2.conditioning import DEFAULT_GUIDANCE, condition_tokens
from models.magenta_rt2.depthformer import cuda_graphs
from models.magenta_rt2.depthformer.config import FRAME_SECONDS, SIZES
from models.magenta_rt2.depthformer.quantize import read_bytes
from models.magenta_rt2.depthformer.sampling import DEFAULT_TEMPERATURE, DEFAULT_TOP_K, gumbel_noise
from models.magenta_rt2.depthformer.stepper import FrameStepper
from models.magenta_rt2.engine import MagentaEngine
from models.storage.json_types import JsonObject
from tests.benchmarks.magenta import rounded

WARM_UP: Final = 20
SEED: Final = 7


def generate_frames(stepper: FrameStepper, count: int) -> Tensor:
    """Codes (count, 12) from the empty context, under conditioning that changes."""
    stepper.load(stepper.empty_context())
    frames = []
    for number in range(count):
        notes = (48, 60) if number % 100 >= 50 else ()
        row = torch.from_numpy(
            condition_tokens(np.arange(12), Controls(notes=notes), DEFAULT_GUIDANCE)
        )
        noise = gumbel_noise(SEED, 0, number)
        frames.append(stepper.step(row, noise, DEFAULT_TEMPERATURE, DEFAULT_TOP_K))
    return torch.stack(frames).cpu()


def repeats_after_restore(stepper: FrameStepper, count: int) -> bool:
    """Whether the frames after a restored context are the same as before."""
    half = count // 2
    generate_frames(stepper, half)
    context, runs = stepper.context(), []
    row = torch.from_numpy(condition_tokens(np.arange(12), Controls(), DEFAULT_GUIDANCE))
    for _ in range(2):
        stepper.load(context)
        for number in range(half, count):
            noise = gumbel_noise(SEED, 0, number)
            runs.append(stepper.step(row, noise, DEFAULT_TEMPERATURE, DEFAULT_TOP_K))
    return bool(torch.equal(torch.stack(runs[: count - half]), torch.stack(runs[count - half :])))


def frame_times(stepper: FrameStepper, count: int) -> dict[str, float]:
    """Milliseconds per frame, with the host waiting for the tokens of each."""
    row = torch.from_numpy(condition_tokens(np.arange(12), Controls(), DEFAULT_GUIDANCE))
    stepper.load(stepper.empty_context())
    host, device = [], []
    for number in range(WARM_UP + count):
        noise = gumbel_noise(SEED, 0, number)
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        began = time.perf_counter()
        begin.record()
        codes = stepper.step(row, noise, DEFAULT_TEMPERATURE, DEFAULT_TOP_K)
        end.record()
        codes.cpu()
        host.append(1000.0 * (time.perf_counter() - began))
        torch.cuda.synchronize()
        device.append(begin.elapsed_time(end))
    return {
        **quantiles(host[WARM_UP:], 1000.0 * FRAME_SECONDS),
        "device_ms": float(np.mean(device[WARM_UP:])),
    }


def block_times(engine: MagentaEngine, count: int) -> dict[str, float]:
    """Milliseconds per block of `Stream.render`."""
    stream = engine.start(SEED)
    style = engine.embed_text("anything")
    spent = []
    for number in range(WARM_UP + count):
        controls = Controls(style=style, guidance=3.0 if number % 20 < 10 else 4.0)
        began = time.perf_counter()
        stream.render(controls)
        spent.append(1000.0 * (time.perf_counter() - began))
    return quantiles(spent[WARM_UP:], 1000.0 * engine.info.block_seconds)


def quantiles(spent: list[float], audio_ms: float) -> dict[str, float]:
    """Quantiles of times in ms, and the real-time factor for this duration of audio."""
    p50, p99 = np.percentile(spent, [50, 99])
    return {
        "p50": float(p50),
        "p99": float(p99),
        "max": max(spent),
        "real_time_factor": audio_ms / float(np.mean(spent)),
    }


def copy_bandwidth(megabytes: int = 2048, passes: int = 10) -> float:
    """Bandwidth in GB/s of a copy on the device, reads plus writes."""
    source = torch.empty(megabytes * 1_000_000, dtype=torch.uint8, device="cuda").zero_()
    target = torch.empty_like(source)
    best = 0.0
    for _ in range(passes):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        target.copy_(source)
        end.record()
        torch.cuda.synchronize()
        best = max(best, 2 * source.nbytes / begin.elapsed_time(end) / 1e6)
    return best


def measure(size: str, folder: Path, frames: int) -> JsonObject:
    """Figures of one size."""
    began = time.perf_counter()
    random_weights.write(folder, size)
    written = time.perf_counter()
    with_graph, cuda_graphs.enabled = cuda_graphs.enabled, lambda device: False
    try:
        engine = MagentaEngine(size, "cuda", folder)
    finally:
        cuda_graphs.enabled = with_graph
    stepper = engine.stepper
    torch.cuda.synchronize()
    opened = time.perf_counter()
    speed = copy_bandwidth()
    temporal, depth = read_bytes(engine.model, "bfloat16")
    figures: JsonObject = {
        "write_seconds": written - began,
        "load_seconds": opened - written,
        "copy_gb_per_s": speed,
        "bound_ms": (temporal + depth) / speed / 1e6,
        "frame_ms": {"eager": frame_times(stepper, frames)},
        "block_ms": {"eager": block_times(engine, frames // 3)},
    }
    eager = generate_frames(stepper, frames)
    capturing = time.perf_counter()
    cuda_graphs.capture(stepper)
    torch.cuda.synchronize()
    figures["capture_seconds"] = time.perf_counter() - capturing
    figures["frame_ms"]["graph"] = frame_times(stepper, frames)
    figures["block_ms"]["graph"] = block_times(engine, frames // 3)
    replayed = generate_frames(stepper, frames)
    differing = (eager != replayed).any(dim=1).nonzero().flatten().tolist()
    figures["same_tokens"] = not differing and repeats_after_restore(stepper, frames)
    figures["first_difference"] = differing[0] if differing else None
    figures["distinct_tokens"] = int(replayed.unique().numel())
    figures["peak_device_gb"] = torch.cuda.max_memory_allocated() / 1e9
    engine.close()
    return figures


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="small,base", help="with commas between")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--out", type=Path, help="a file for the figures, besides the output")
    chosen = parser.parse_args(arguments)
    sizes = chosen.sizes.split(",")
    if not set(sizes) <= set(SIZES) or chosen.frames < 60:
        parser.error(f"sizes are of {', '.join(SIZES)}, frames 60 or more")
    if not torch.cuda.is_available():
        print("bench.cuda: torch finds no CUDA device here.", file=sys.stderr)
        return 2
    report: JsonObject = {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "frames": chosen.frames,
    }
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            report[size] = rounded(measure(size, Path(folder), chosen.frames))
        text = json.dumps(report, indent=2)
        if chosen.out is not None:
            chosen.out.write_text(text + "\n", encoding="utf-8")  # after each size
        print(text, flush=True)
        torch.cuda.empty_cache()
    return 0 if all(report[size]["same_tokens"] for size in sizes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
