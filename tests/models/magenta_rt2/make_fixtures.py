"""Fixtures of SpectroStream's tests, made with the reference implementation.

Run by hand in an environment of its own with the reference in it, never Segue's:

    pip install "magenta-rt[jax]==2.0.3"
    python tests/models/magenta_rt2/make_fixtures.py            the narrow model of the fixtures
    python tests/models/magenta_rt2/make_fixtures.py --full DIR the released sizes, for one check

Writes random weights in the released file's layout, and the reference's float32 results for a
signal and for codes, offline and streamed. `--full` writes the same at full size into a folder
(about 250 MB), for `python -m tests.models.magenta_rt2.compare_full_size DIR` in Segue's own
environment.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import flax.linen as nn
import flax.traverse_util as traverse
import jax
import jax.numpy as jnp
import numpy as np
from magenta_rt.jax import spectrostream
from safetensors.numpy import save_file
from sequence_layers import jax as sl  # vendored by magenta_rt, which must be imported first

DATA = Path(__file__).parent / "data"
FRAMES = 7  # latent frames
FRAME = 1920


def config(full: bool) -> Any:
    """The released configuration, or a narrow one with the same layers, strides and STFT."""
    released = spectrostream.stft_spectrostream_40ms_generic_48khz_stereo_config()
    if full:
        return released
    return dataclasses.replace(
        released,
        encoder_base_conv_depth=4,
        decoder_base_conv_depth=4,
        num_features=16,
        quantizer=dataclasses.replace(
            released.quantizer, num_quantizers=8, num_embeddings=32, embedding_dim=16
        ),
    )


def random_weights(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, np.ndarray]:
    """Random weights that keep signals at about their level, with biases that have an effect."""
    random = np.random.default_rng(seed)
    weights: dict[str, np.ndarray] = {}
    for key in sorted(shapes):
        shape = shapes[key]
        values = random.standard_normal(shape)
        if key.endswith("kernel"):
            values *= np.prod(shape[:-1]) ** -0.5
        elif key.endswith("bias"):
            values *= 0.1
        else:  # codebooks: each level finer than the one before
            values *= 0.7 ** np.arange(shape[0])[:, None, None]
        weights[key] = values.astype(np.float32)
    return weights


def signal(seed: int) -> np.ndarray:
    """Tones and noise, different in the two channels: float32 (frames * 1920, 2)."""
    random = np.random.default_rng(seed)
    seconds = np.arange(FRAMES * FRAME) / 48000
    left = 0.3 * np.sin(2 * np.pi * 220 * seconds) + 0.1 * np.sin(2 * np.pi * 5230 * seconds)
    right = 0.3 * np.sin(2 * np.pi * 331 * seconds**1.1)
    noise = 0.05 * random.standard_normal((FRAMES * FRAME, 2))
    return (np.stack([left, right], axis=1) + noise).astype(np.float32)


def build(full: bool) -> tuple[Any, dict[str, np.ndarray], dict[str, Any]]:
    """The reference's module, its weights by key, and nested as flax needs them."""
    module = config(full).make()
    wave = sl.Sequence.from_values(jnp.zeros((1, 4 * FRAME, 2), jnp.float32))
    shapes = jax.eval_shape(lambda: module.init(jax.random.PRNGKey(0), wave, training=False))
    flat = traverse.flatten_dict(nn.meta.unbox(shapes), sep="/")
    weights = random_weights({key: tuple(leaf.shape) for key, leaf in flat.items()}, seed=1)
    nested = traverse.unflatten_dict(
        {tuple(k.split("/")): jnp.asarray(v) for k, v in weights.items()}
    )
    return module, weights, nested


def stepped(module: Any, params: Any, name: str, inputs: np.ndarray, size: int) -> list[Any]:
    """Outputs of a layer of the module for steps of `size`: values and validity of each."""
    layer_of = {"codes": "get_waveform_to_codes_layer", "waveform": "get_codes_to_waveform_layer"}

    def start(mod: Any) -> Any:
        layer = getattr(mod, layer_of[name])()
        spec = sl.ShapeDType(inputs.shape[2:], inputs.dtype)
        return layer.get_initial_state(1, spec, training=False)

    def step(mod: Any, x: Any, state: Any) -> Any:
        layer = getattr(mod, layer_of[name])()
        y, state = layer.step(x, state, training=False)
        return y.mask_invalid().values, y.mask, state

    state = module.apply(params, method=start)
    advance = jax.jit(lambda x, state: module.apply(params, x, state, method=step))
    results = []
    for position in range(0, inputs.shape[1], size):
        x = sl.Sequence.from_values(jnp.asarray(inputs[:, position : position + size]))
        values, mask, state = advance(x, state)
        results.append((np.asarray(values), np.asarray(mask)))
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", metavar="DIR", type=Path)
    chosen = parser.parse_args()
    full = chosen.full is not None
    folder = chosen.full if full else DATA
    folder.mkdir(parents=True, exist_ok=True)

    module, weights, params = build(full)
    quantizer = config(full).quantizer
    levels, codes_of = quantizer.num_quantizers, quantizer.num_embeddings
    samples = signal(seed=2)[None]
    codes = np.random.default_rng(3).integers(0, codes_of, (1, FRAMES, levels)).astype(np.int32)

    def run(method: Any, values: np.ndarray) -> np.ndarray:
        x = sl.Sequence.from_values(jnp.asarray(values))
        apply = jax.jit(lambda x: module.apply(params, x, training=False, method=method).values)
        return np.asarray(apply(x))

    kind = type(module)
    silence = np.zeros_like(samples[:, :FRAME])  # streamed codes come one frame late
    streamed_codes = stepped(
        module, params, "codes", np.concatenate([samples, silence], axis=1), FRAME
    )
    streamed_sound = stepped(module, params, "waveform", codes, 1)
    results = {
        "samples": samples,
        "embeddings": run(kind.waveform_to_embeddings, samples),
        "codes_of_samples": run(kind.waveform_to_codes, samples),
        "codes": codes,
        "sound_of_codes": run(kind.codes_to_waveform, codes),
        "streamed_codes": np.concatenate([values for values, _ in streamed_codes], axis=1),
        "streamed_codes_valid": np.concatenate([mask for _, mask in streamed_codes], axis=1),
        "streamed_sound": np.concatenate([values for values, _ in streamed_sound], axis=1),
        "streamed_sound_valid": np.concatenate([mask for _, mask in streamed_sound], axis=1),
    }
    for key, values in results.items():
        print(
            f"{key:<22} {values.shape!s:<18} rms {np.sqrt(np.mean(values.astype(float) ** 2)):.3g}"
        )
    released = {key.replace("params/", "params/soundstream/", 1): w for key, w in weights.items()}
    save_file(released, folder / "spectrostream_weights.safetensors")
    save_file(
        {key: np.ascontiguousarray(values) for key, values in results.items()},
        folder / "spectrostream_results.safetensors",
    )


if __name__ == "__main__":
    main()
