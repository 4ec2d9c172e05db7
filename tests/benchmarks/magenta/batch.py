"""Benchmark of several streams in one step of Magenta's depthformer, against one after another.

    python -m tests.benchmarks.magenta.batch [--size small] [--device cpu] [--frames 12]

Random weights, as large as the released ones, float32 on a CPU and bfloat16 on CUDA; contexts are
full. Numbers of streams take turns frame by frame, and the fastest quarter of the frames counts, so
that what else the machine does weighs little. Prints JSON: milliseconds of a step, of it for each
stream, and that as a share of a step of one stream.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Final

import numpy as np
import torch

from models.engine.controls import Controls
from models.magenta_rt2.conditioning import DEFAULT_GUIDANCE, condition_tokens
from models.magenta_rt2.depthformer.batch_stepper import BatchStepper
from models.magenta_rt2.depthformer.config import FRAME_SECONDS, size_config
from models.magenta_rt2.depthformer.network import Depthformer
from models.magenta_rt2.depthformer.sampling import DEFAULT_TEMPERATURE, DEFAULT_TOP_K, gumbel_noise
from models.storage.json_types import JsonObject

STREAMS: Final = (1, 2, 4, 8)


def measure(size: str, device: str, frames: int) -> JsonObject:
    """Figures of each number of streams."""
    torch.manual_seed(0)
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    model = Depthformer(size_config(size)).to(dtype).to_empty(device=device).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.02)
    model.finalize(fuse=device != "cpu")
    steppers = {count: BatchStepper(model, count) for count in STREAMS}
    for stepper in steppers.values():  # all that the context may hold, whatever it is
        stepper.bias.zero_()
    conditions = torch.from_numpy(condition_tokens(None, Controls(), DEFAULT_GUIDANCE))
    noise = gumbel_noise(0, 0, 0)
    taken: dict[int, list[float]] = {count: [] for count in STREAMS}
    for frame in range(frames + 2):
        for count, stepper in steppers.items():
            began = time.perf_counter()
            stepper.step(
                conditions.expand(count, -1), noise.expand(count, *noise.shape),
                [DEFAULT_TEMPERATURE] * count, [DEFAULT_TOP_K] * count,
            )  # fmt: skip
            if device == "cuda":
                torch.cuda.synchronize()
            if frame >= 2:
                taken[count].append(time.perf_counter() - began)
    best = {c: float(np.mean(np.sort(t)[: max(1, len(t) // 4)])) for c, t in taken.items()}
    return {
        "size": size,
        "device": device,
        "threads": torch.get_num_threads(),
        "parameters_millions": round(sum(p.numel() for p in model.parameters()) / 1e6),
        "frame_ms": 1e3 * FRAME_SECONDS,
        "streams": {
            str(count): {
                "step_ms": round(1e3 * best[count], 2),
                "per_stream_ms": round(1e3 * best[count] / count, 2),
                "share_of_one": round(best[count] / count / best[1], 3),
            }
            for count in STREAMS
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="small")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--frames", type=int, default=12)
    chosen = parser.parse_args()
    print(json.dumps(measure(chosen.size, chosen.device, chosen.frames), indent=2))


if __name__ == "__main__":
    main()
