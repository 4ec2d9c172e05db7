"""How fast a frame is on a CPU against what memory allows, and what eight bits do. Offline.

    python -m models.magenta_rt2.checkpoint.random_weights --size small --out FOLDER
    python -m models.magenta_rt2.bench.cpu FOLDER/checkpoints/mrt2_small.safetensors [--frames 60]

For a CUDA device see `measure_cuda.py`. In one run, so that the figures belong together: the
bandwidth of reading memory, the time of a frame of the depthformer in each precision and the bound
that the bandwidth sets to it, and what recording the frame does, alone and beside a thread that
works as a window's does; the whole engine, codec and all, as it plays (`whole`: the codec in a
thread beside, a knob at rest and one that moves at every block) and with one after the other in
one thread or two; the codec alone, its weights packed and not; and how far the eight-bit
distributions of the codes are from the float32 ones (mean Kullback-Leibler divergence, and how
often the likeliest code is another) on a history that float32 played. With random weights the last
is what the noise of rounding does, not what music loses.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

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

ROUNDS: Final = 4
SWITCH_SECONDS: Final = 0.001
"""How long a thread may keep Python's lock where another waits for it, as the window sets it."""


def bandwidth(megabytes: int = 512, passes: int = 8) -> float:
    """GB/s of reading an array that no cache holds, the best of some passes.

    A matrix times a vector: what a frame does, at the speed of this torch and its threads.
    """
    rows = megabytes * 250_000 // 4096
    matrix, vector = torch.ones(4096, rows), torch.ones(1, 4096)
    return matrix.nbytes / _best_seconds(lambda: vector @ matrix, passes) / 1e9


def copy_bandwidth(megabytes: int = 256, passes: int = 8) -> float:
    """GB/s of a copy, what is read and what is written taken together."""
    source = torch.ones(megabytes * 250_000)
    target = torch.empty_like(source)
    return 2 * source.nbytes / _best_seconds(lambda: target.copy_(source), passes) / 1e9


def _best_seconds(work: Callable[[], object], passes: int) -> float:
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
    row = torch.from_numpy(condition_tokens(np.arange(12), Controls(), DEFAULT_GUIDANCE))
    history: list[Tensor] = []
    truth: Tensor | None = None
    for precision in PRECISIONS:
        if precision == "bfloat16":  # slower than float32 on every CPU that was tried
            continue
        model = load_depthformer(checkpoint, size_config(size))
        if precision != "float32":
            quantize(model, precision)
        stepper = FrameStepper(model)
        trace_frame(stepper)  # as the engine plays it
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
        every, once = (temporal + depth) / 1e9, (temporal + depth / RVQ_LEVELS) / 1e9
        entry = {
            "frame_ms": {"min": min(times), "p50": p50, "p99": p99},
            "real_time_factor": 1000 * FRAME_SECONDS / p50,
            "megabytes_read": 1000 * every,
            "bound_real_time_factor": FRAME_SECONDS * speed / every,
            "bound_if_depth_stays_in_cache": FRAME_SECONDS * speed / once,
        }
        entry["recorded"] = measure_traced(stepper, row, frames, threads)
        stepper.load(stepper.empty_context())
        logits = torch.stack([stepper.teacher_force(row, tokens) for tokens in history[:24]])
        if truth is None:
            truth = logits
        else:
            p = (truth / DEFAULT_TEMPERATURE).log_softmax(-1)
            q = (logits / DEFAULT_TEMPERATURE).log_softmax(-1)
            entry["divergence_nats"] = (p.exp() * (p - q)).sum(-1).mean()
            entry["other_likeliest_code"] = (truth.argmax(-1) != logits.argmax(-1)).float().mean()
        figures[precision] = _rounded(entry)
    return figures


def measure_traced(
    stepper: FrameStepper, row: Tensor, frames: int, threads: int
) -> dict[str, float]:
    """Median ms of a frame, recorded and called from Python one operation after another, in turns;
    each alone and beside a thread that works 4 of every 16 ms in Python, as a window's does."""
    recorded = stepper.replay
    spent: dict[str, list[float]] = {}

    def play(way: str) -> None:
        torch.set_num_threads(threads)
        for _ in range(-(-frames // ROUNDS)):
            noise = gumbel_noise(0, 0, stepper.frame)
            began = time.perf_counter()
            stepper.step(row, noise, DEFAULT_TEMPERATURE, DEFAULT_TOP_K)
            spent.setdefault(way, []).append(1000 * (time.perf_counter() - began))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        for _ in range(ROUNDS):
            for way, replay in (("plain", None), ("recorded", recorded)):
                stepper.replay = replay
                play(way)
                playing = threading.Thread(target=play, args=(way + "_beside_window",))
                playing.start()
                while playing.is_alive():
                    began = time.perf_counter()
                    while time.perf_counter() - began < 0.004:
                        pass
                    time.sleep(0.012)
    finally:
        sys.setswitchinterval(interval)
        stepper.replay = recorded
    return {way: float(np.median(times)) for way, times in spent.items()}


@torch.inference_mode()
def measure_codec(checkpoint: Path, passes: int = 12) -> dict[str, Any]:
    """ms of a frame of the decoder in blocks as they are played, in one thread."""
    torch.set_num_threads(1)
    codes = torch.zeros(1, FRAMES_PER_BLOCK, RVQ_LEVELS, dtype=torch.long)
    figures = {}
    for kind in (torch.float32, torch.bfloat16):
        codec = SpectroStream(SpectroStreamConfig(levels=RVQ_LEVELS))
        tensors = codec_tensors(checkpoint, checkpoint.name)
        load_spectrostream(codec, tensors, ("quantizer", "decoder"), source=checkpoint.name)
        codec.decoder.to(kind)
        for way in ("plain", "packed"):
            if way == "packed":
                codec.pack_weights(FRAMES_PER_BLOCK)
            state = codec.initial_decoder_state()
            best = _best_seconds(lambda c=codec, s=state: c.decode_step(codes, s), passes)  # type: ignore[misc]
            figures[f"{str(kind)[6:]}_{way}_ms"] = 1000 * best / FRAMES_PER_BLOCK
    return figures


def measure_engine(checkpoint: Path, size: str, blocks: int) -> dict[str, Any]:
    """Real-time factors of the engine in its own precision, median over blocks."""
    engine = MagentaEngine(size, "cpu", checkpoint.parent.parent)
    alone = BlockGenerator(engine.stepper, engine.codec, codec_thread=False)
    beside = BlockGenerator(engine.stepper, engine.codec, codec_thread=True)
    own = torch.get_num_threads()
    ways: dict[str, tuple[BlockGenerator, int, bool]] = {
        "beside": (beside, own, False),
        "beside_knob_moving": (beside, own, True),
        "one_thread": (alone, 1, False),
        "two_threads": (alone, 2, False),
    }
    spent: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(3):  # in turns, as the machine may be busier at one time than at another
        for way, (generator, threads, moves) in ways.items():
            torch.set_num_threads(threads)
            engine.generator = generator
            stream = engine.start(1)
            for number in range(blocks // 3 + 2):
                controls = Controls(chaos=0.5 + 0.001 * number * moves)
                began = time.perf_counter()
                stream.render(controls)
                if number >= 2:
                    spent[way].append(time.perf_counter() - began)
    torch.set_num_threads(own)
    beside.close()
    engine.close()
    real = engine.info.block_seconds
    return {way: real / float(np.median(times)) for way, times in spent.items()}


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
    parser.add_argument("--only-whole", action="store_true", help="only codec and whole engine")
    chosen = parser.parse_args()
    if chosen.only_whole:
        figures: dict[str, Any] = {"matrix_vector_gb_per_s": round(bandwidth(), 1)}
    else:
        figures = measure(chosen.checkpoint, chosen.size, chosen.frames, chosen.threads)
    figures["codec"] = _rounded(measure_codec(chosen.checkpoint))
    whole = measure_engine(chosen.checkpoint, chosen.size, chosen.frames)
    figures["whole_real_time_factor"] = _rounded(whole)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
