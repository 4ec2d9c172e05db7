"""Comparison of SpectroStream at its released size with the reference.

Run by hand on a folder that `make_fixtures.py --full DIR` wrote:

    python -m tests.models.magenta_rt2.compare_full_size DIR
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from models.magenta_rt2.spectrostream.codec import SpectroStream
from models.magenta_rt2.spectrostream.weights import load_spectrostream


def error(ours: Tensor, theirs: Tensor) -> str:
    return f"{float((ours - theirs).abs().max() / theirs.abs().max()):.2g}"


def main(folder: Path) -> None:
    codec = SpectroStream()
    load_spectrostream(codec, load_file(folder / "spectrostream_weights.safetensors"))
    reference = load_file(folder / "spectrostream_results.safetensors")
    samples, codes = reference["samples"], reference["codes"]

    embeddings = codec.embed(samples)
    print("encoder, offline:  relative error", error(embeddings, reference["embeddings"]))
    ours, theirs = codec.encode(samples), reference["codes_of_samples"].long()
    print(f"codes, offline:    {int((ours != theirs).sum())} of {theirs.numel()} differ")
    print(
        "decoder, offline:  relative error",
        error(codec.decode(codes), reference["sound_of_codes"]),
    )
    state = codec.initial_decoder_state()
    pieces, seconds = [], []
    for frame in codes.split(1, dim=1):
        began = time.perf_counter()
        sound, state = codec.decode_step(frame, state)
        seconds.append(time.perf_counter() - began)
        pieces.append(sound)
    print(
        "decoder, streamed: relative error",
        error(torch.cat(pieces, dim=1), reference["streamed_sound"]),
        f"(median {1e3 * sorted(seconds)[len(seconds) // 2]:.1f} ms a frame of 40 ms)",
    )
    size = sum(tensor.numel() * tensor.element_size() for tensor in state)
    print(f"decoder's state:   {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
