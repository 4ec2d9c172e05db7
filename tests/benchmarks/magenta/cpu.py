"""Benchmark on a CPU: speed of frames, codec and engine, and the error of eight-bit weights.

    python -m models.magenta_rt2.checkpoint.random_weights --size small --out FOLDER
    python -m tests.benchmarks.magenta.cpu FOLDER/checkpoints/mrt2_small.safetensors [--frames 60]

For a CUDA device see `cuda.py`. Measured in one run, so that the figures are comparable:

* memory bandwidth; the time of a depthformer frame in each precision, and the bound that the
  bandwidth sets; the effect of tracing the frame, alone and with a busy second Python thread;
* the engine with the codec in a thread of its own (constant controls, also beside a busy window,
  and a control that changes at every block), and without that thread, with one or two threads of
  computation;
* the codec alone, with its weights packed and not;
* the error of eight-bit weights on frames that float32 generated: mean Kullback-Leibler divergence
  of the codes' distributions, and how often the most likely code differs. With random weights this
  is the effect of rounding noise, not the loss in music.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from models.engine.controls import Controls
from models.magenta_rt2.block_generator import FRAMES_PER_BLOCK, BlockGenerator
from models.magenta_rt2.checkpoint.weights import codec_tensors, load_depthformer
from models.magenta_rt2.conditioning import DEFAULT_GUIDANCE, condition_tokens
from models.magenta_rt2.depthformer.config import FRAME_SECONDS, RVQ_LEVELS, size_config
from models.magenta_rt2.depthformer.quantize import PRECISIONS, quantize, read_bytes
from models.magenta_rt2.depthformer.sampling import DEFAULT_TEMPERATURE, DEFAULT_TOP_K, gumbel_noise
from models.magenta_rt2.depthformer.stepper import FrameStepper
from models.magenta_rt2.depthformer.traced_frame import trace_frame
from models.magenta_rt2.engine import MagentaEngine
from models.magenta_rt2.spectrostream.codec import SpectroStream, SpectroStreamConfig
from models.magenta_rt2.spectrostream.weights import load_spectrostream
from models.storage.json_types import JsonObject
from tests.benchmarks.magenta import rounded

ROUNDS: Final = 4
BUSY: Final = "codec_thread_busy_gui"
SWITCH_SECONDS: Final = 0.001
"""The GIL's switch interval, as the instrument sets it."""


def bandwidth(megabytes: int = 512, passes: int = 8) -> float:
    """Read bandwidth in GB/s of a matrix-vector product that exceeds the caches; best of passes."""
    rows = megabytes * 250_000 // 4096
    matrix, vector = torch.ones(4096, rows), torch.ones(1, 4096)
    return float(matrix.nbytes / _best_seconds(lambda: vector @ matrix, passes) / 1e9)


def copy_bandwidth(megabytes: int = 256, passes: int = 8) -> float:
    """Bandwidth in GB/s of a copy, reads plus writes."""
    source = torch.ones(megabytes * 250_000)
    target = torch.empty_like(source)
    return float(2 * source.nbytes / _best_seconds(lambda: target.copy_(source), passes) / 1e9)


def _best_seconds(work: Callable[[], object], passes: int) -> float:
    work()
    spent = []
    for _ in range(passes):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return min(spent)


@torch.inference_mode()
def measure(checkpoint: Path, size: str, frames: int, threads: int) -> JsonObject:
    """Figures of the depthformer by precision; times in ms, factors relative to real time."""
    torch.set_num_threads(threads)
    speed = bandwidth()
    figures: JsonObject = {
        "size": size,
        "threads": threads,
        "matrix_vector_gb_per_s": round(speed, 1),
        "copy_gb_per_s": round(copy_bandwidth(), 1),
    }
    row = torch.from_numpy(condition_tokens(np.arange(12), Controls(), DEFAULT_GUIDANCE))
    history: list[Tensor] = []
    truth: Tensor | None = None
    for precision in PRECISIONS:
        if precision == "bfloat16":  # slower than float32 on CPUs
            continue
        model = load_depthformer(checkpoint, size_config(size))
        if precision != "float32":
            quantize(model, precision)
        stepper = FrameStepper(model)
        trace_frame(stepper)  # as the engine does
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
        uncached, cached = (temporal + depth) / 1e9, (temporal + depth / RVQ_LEVELS) / 1e9
        entry: JsonObject = {
            "frame_ms": {"min": min(times), "p50": p50, "p99": p99},
            "real_time_factor": 1000 * FRAME_SECONDS / p50,
            "megabytes_read": 1000 * uncached,
            "bound_real_time_factor": FRAME_SECONDS * speed / uncached,
            "bound_if_depth_stays_in_cache": FRAME_SECONDS * speed / cached,
        }
        entry["traced"] = measure_traced(stepper, row, frames, threads)
        stepper.load(stepper.empty_context())
        logits = torch.stack([stepper.teacher_force(row, tokens) for tokens in history[:24]])
        if truth is None:
            truth = logits
        else:
            p = (truth / DEFAULT_TEMPERATURE).log_softmax(-1)
            q = (logits / DEFAULT_TEMPERATURE).log_softmax(-1)
            entry["divergence_nats"] = (p.exp() * (p - q)).sum(-1).mean()
            entry["argmax_differs"] = (truth.argmax(-1) != logits.argmax(-1)).float().mean()
        figures[precision] = rounded(entry)
    return figures


def beside_window(work: Callable[[], None]) -> None:
    """Run in a thread beside one that computes 4 of every 16 ms in Python, as a window's does."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        while thread.is_alive():
            began = time.perf_counter()
            while time.perf_counter() - began < 0.004:
                pass
            time.sleep(0.012)
    finally:
        sys.setswitchinterval(interval)


def measure_traced(
    stepper: FrameStepper, row: Tensor, frames: int, threads: int
) -> dict[str, float]:
    """Median ms of a frame, traced and eager in turns.

    Each alone and beside a busy window.
    """
    traced = stepper.replay
    spent: dict[str, list[float]] = {}

    def generate(variant: str) -> None:
        torch.set_num_threads(threads)
        for _ in range(-(-frames // ROUNDS)):
            noise = gumbel_noise(0, 0, stepper.frame)
            began = time.perf_counter()
            stepper.step(row, noise, DEFAULT_TEMPERATURE, DEFAULT_TOP_K)
            spent.setdefault(variant, []).append(1000 * (time.perf_counter() - began))

    try:
        for _ in range(ROUNDS):
            for variant, replay in (("eager", None), ("traced", traced)):
                stepper.replay = replay
                generate(variant)
                beside_window(partial(generate, variant + "_busy_gui"))
    finally:
        stepper.replay = traced
    return {variant: float(np.median(times)) for variant, times in spent.items()}


@torch.inference_mode()
def measure_codec(checkpoint: Path, passes: int = 12) -> JsonObject:
    """Milliseconds per frame of the decoder in one thread, by dtype, packed and not."""
    torch.set_num_threads(1)
    codes = torch.zeros(1, FRAMES_PER_BLOCK, RVQ_LEVELS, dtype=torch.long)
    figures = {}
    for dtype in (torch.float32, torch.bfloat16):
        codec = SpectroStream(SpectroStreamConfig(levels=RVQ_LEVELS))
        tensors = codec_tensors(checkpoint, checkpoint.name)
        load_spectrostream(codec, tensors, ("quantizer", "decoder"), source=checkpoint.name)
        codec.decoder.to(dtype)
        for weights in ("unpacked", "packed"):
            if weights == "packed":
                codec.pack_weights(FRAMES_PER_BLOCK)
            state = codec.initial_decoder_state()
            best = _best_seconds(lambda c=codec, s=state: c.decode_step(codes, s), passes)  # type: ignore[misc]
            figures[f"{str(dtype)[6:]}_{weights}_ms"] = 1000 * best / FRAMES_PER_BLOCK
    return figures


def measure_engine(checkpoint: Path, size: str, blocks: int) -> JsonObject:
    """Real-time factors of the engine in its default precision, median over blocks."""
    engine = MagentaEngine(size, "cpu", checkpoint.parent.parent)
    sequential = BlockGenerator(engine.stepper, engine.codec, codec_thread=False)
    parallel = BlockGenerator(engine.stepper, engine.codec, codec_thread=True)
    default = torch.get_num_threads()
    variants: dict[str, tuple[BlockGenerator, int, bool]] = {
        "codec_thread": (parallel, default, False),
        BUSY: (parallel, default, False),
        "codec_thread_controls_change": (parallel, default, True),
        "one_thread": (sequential, 1, False),
        "two_threads": (sequential, 2, False),
    }
    spent: dict[str, list[float]] = {variant: [] for variant in variants}

    def play(variant: str, threads: int, controls_change: bool) -> None:
        torch.set_num_threads(threads)
        stream = engine.start(1)
        for number in range(blocks // 3 + 2):
            controls = Controls(chaos=0.5 + 0.001 * number * controls_change)
            began = time.perf_counter()
            stream.render(controls)
            if number >= 2:
                spent[variant].append(time.perf_counter() - began)

    for _ in range(3):  # in turns, as the machine's load varies
        for variant, (generator, threads, controls_change) in variants.items():
            engine.generator = generator
            run = partial(play, variant, threads, controls_change)
            if variant == BUSY:
                beside_window(run)
            else:
                run()
    torch.set_num_threads(default)
    parallel.close()
    engine.close()
    block_seconds = engine.info.block_seconds
    return {variant: block_seconds / float(np.median(times)) for variant, times in spent.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--size", default="small")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--only-whole", action="store_true", help="measure only the codec and the engine"
    )
    chosen = parser.parse_args()
    if chosen.only_whole:
        figures: JsonObject = {"matrix_vector_gb_per_s": round(bandwidth(), 1)}
    else:
        figures = measure(chosen.checkpoint, chosen.size, chosen.frames, chosen.threads)
    figures["codec"] = rounded(measure_codec(chosen.checkpoint))
    factors = measure_engine(chosen.checkpoint, chosen.size, chosen.frames)
    figures["engine_real_time_factor"] = rounded(factors)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
