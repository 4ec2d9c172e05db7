"""Makes the depthformer's fixtures with the reference's own code. Offline, by hand; needs JAX.

Run it from the repository's root in an environment that has jax, flax, optax, einops, safetensors
and the reference (package magenta-rt 2.0.3, Apache-2.0, on PYTHONPATH), with no need for torch:

    python tests/models/magenta_rt2/make_depthformer_fixtures.py tests/models/magenta_rt2/data

Both released models are scaled down, keeping what makes them different: `small` has a depth stack
narrower than the temporal one and a conditioning narrower still; in `base` the conditioning has the
depth stack's width. The weights are drawn from their keys (`fixture_weights.py`), so only what the
reference made of them in float32 is written: the logits of a sequence, and the greedy tokens of 200
frames streamed under changing conditioning. `--full FILE` does the same for `small` at full size
with the weights of a file (`models.magenta_rt2.checkpoint.random_weights` writes one).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import flax.linen as nn
import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
import sequence_layers.jax as sl
from magenta_rt.config import ModelSpec
from magenta_rt.jax import model as reference
from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(Path(__file__).parent))
from fixture_weights import weights

FRAMES, HEARD = 200, 12


class TinySmall(reference.MagentaRT2ModelSmall):
    encoder_size = ModelSpec(1, 16, 32, 2, 8, ffn_use_gated_activation=False)
    decoder_temporal_size = ModelSpec(3, 32, 64, 2, 16, ffn_use_gated_activation=False)
    decoder_depth_size = ModelSpec(2, 24, 48, 3, 8, ffn_use_gated_activation=False)
    decoder_temporal_self_attention_max_past_horizon = 7
    decoder_temporal_cross_attention_max_past_horizon = 7


class TinyBase(reference.MagentaRT2ModelBase):
    encoder_size = ModelSpec(1, 16, 32, 2, 8, ffn_use_gated_activation=False)
    decoder_temporal_size = ModelSpec(4, 24, 40, 3, 8, ffn_use_gated_activation=False)
    decoder_depth_size = ModelSpec(3, 16, 32, 2, 8, ffn_use_gated_activation=False)
    decoder_temporal_self_attention_max_past_horizon = 5
    decoder_temporal_cross_attention_max_past_horizon = 5


def conditions(frames: int, seed: int) -> np.ndarray:
    """Conditioning (frames, 144) in the reference's numbers, offset, that changes now and then."""
    rng = np.random.default_rng(seed)
    rows = []
    for start in range(0, frames, 9):
        style = rng.integers(0, 1024, 12)
        style[rng.integers(0, 13) :] = -1
        notes = rng.integers(-1, 4, 128)
        rest = [rng.integers(-1, 2), rng.integers(0, 41), rng.integers(0, 41), rng.integers(0, 9)]
        if start == 9:  # the highest guidance falls on a neighbour's row
            rest[1:] = [40, 40, 8]
        row = np.concatenate([style, notes, rest]) + 7
        rows += [row] * min(9, frames - start)
    return np.asarray(rows, np.int32)


def build(kind: type) -> object:
    kind.compute_dtype = jnp.float32
    kind.dropout_prob = 0.0
    return kind().depthformer_config().make()


def run(former: object, params: dict, seed: int, frames: int) -> dict[str, np.ndarray]:
    """Greedy tokens (frames, 12) of the streaming reference, and its logits of the first frames."""
    asked = conditions(frames, seed)
    rngs = {"params": jax.random.PRNGKey(1), "random": jax.random.PRNGKey(2)}
    constants = {"temperature": jnp.array([0.0]), "top_k": jnp.array([40], jnp.int32)}
    spec = sl.ShapeDType((asked.shape[1],), jnp.int32)

    def start(mod):  # type: ignore[no-untyped-def]
        return mod.sampler.get_initial_state(1, spec, training=False, constants={})

    @jax.jit
    def step(params, state, row):  # type: ignore[no-untyped-def]
        def one(mod, state):  # type: ignore[no-untyped-def]
            return mod.sampler.step(
                sl.Sequence.from_values(row[None, None]), state, training=False,
                constants=constants,
            )  # fmt: skip

        return former.apply(params, state, rngs=rngs, method=one)

    state = former.apply(params, rngs=rngs, method=start)
    tokens = []
    for row in asked:
        output, state = step(params, state, jnp.asarray(row))
        tokens.append(np.asarray(output.values)[0, 0])
    heard = np.stack(tokens).astype(np.int32)

    def offline(mod, source, target):  # type: ignore[no-untyped-def]
        return offline_logits(mod, source, target)

    # Other tokens than the greedy ones, so that the logits are those of a given history.
    rng = np.random.default_rng(seed + 1)
    given = 6 + 1024 * np.arange(12) + rng.integers(0, 1024, (min(frames, HEARD), 12))
    whole = jax.jit(lambda p, s, t: former.apply(p, s, t, rngs=rngs, method=offline))(
        params,
        sl.Sequence.from_values(jnp.asarray(asked[: len(given)])[None]),
        sl.Sequence.from_values(jnp.asarray(given, jnp.int32)[None]),
    )
    logits = np.asarray(whole)[0]
    return {
        "conditions": asked.astype(np.int16),
        "tokens": heard.astype(np.int16),
        "given": given.astype(np.int16),
        # A level's logits are those of its own codes and the neighbours' first: enough, and small.
        "logits": np.stack(
            [logits[:, k, 6 + 1024 * k : 6 + 1024 * (k + 1)] for k in range(12)], axis=1
        )[:, :, ::8].astype(np.float32),
        "reserved_logits": logits[:, :, :6].astype(np.float32),
        "spread": np.asarray([logits.std()], np.float32),
    }


def parameters(flat: dict[str, np.ndarray]) -> dict:
    prefix = "params/depthformer/"
    ours = {
        ("params", *key.removeprefix(prefix).split("/")): jnp.asarray(value, jnp.float32)
        for key, value in flat.items()
        if key.startswith(prefix)
    }
    return flax.traverse_util.unflatten_dict(ours)


def offline_logits(mod, source, target):  # type: ignore[no-untyped-def]
    # EncoderDecoder.encode asks for an encoder.layer that is not there; its body is what streams.
    encoded = mod.encoder.body.layer(source, training=False)
    constants = {"source": encoded}
    logits, _ = mod.decoder.layer_with_emits(target, training=False, constants=constants)
    return logits.values


def shapes(former: object, channels: int) -> dict[str, tuple[int, ...]]:
    """Every tensor of the reference by its released key."""
    rngs = {"params": jax.random.PRNGKey(0), "random": jax.random.PRNGKey(0)}
    source = sl.Sequence.from_values(jnp.zeros((1, 2, channels), jnp.int32))
    target = sl.Sequence.from_values(jnp.zeros((1, 2, 12), jnp.int32))
    made = jax.eval_shape(lambda: former.init(rngs, source, target, method=offline_logits))
    flat = flax.traverse_util.flatten_dict(nn.meta.unbox(made)["params"], sep="/")
    return {f"params/depthformer/{key}": tuple(value.shape) for key, value in flat.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--full", type=Path, help="a file of random weights of `small`")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    if chosen.full is not None:
        former = build(reference.MagentaRT2ModelSmall)
        made = run(former, parameters(load_file(chosen.full)), seed=9, frames=FRAMES)
        save_file(made, chosen.out / "full_small_expected.safetensors")
        return
    for seed, (name, kind) in enumerate({"small": TinySmall, "base": TinyBase}.items()):
        former = build(kind)
        wanted = shapes(former, kind().input_num_channels)
        made = run(former, parameters(weights(wanted, seed)), seed=seed + 10, frames=FRAMES)
        save_file(
            made,
            chosen.out / f"depthformer_{name}.safetensors",
            metadata={"shapes": json.dumps(wanted), "seed": str(seed)},
        )


if __name__ == "__main__":
    main()
