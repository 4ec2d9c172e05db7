"""Fixtures of the depthformer's tests, made with the reference implementation.

Run by hand from the repository's root, in an environment of its own with the reference in it, never
Segue's; torch is not needed:

    python -m venv VENV
    VENV/bin/pip install "magenta-rt[jax]==2.0.3"
    VENV/bin/python tests/models/magenta_rt2/make_depthformer_fixtures.py \\
        tests/models/magenta_rt2/data

writes depthformer_small.safetensors and depthformer_base.safetensors, which the tests read. With
`--full CHECKPOINT` it writes full_small_expected.safetensors instead, for `check_full_size.py`: the
results of `small` at full size with the weights of a file that
`models.magenta_rt2.checkpoint.random_weights` wrote.

The fixtures' models are the released ones scaled down, keeping their differences: in `small` the
depth body is narrower than the temporal one and the conditioning narrower still; in `base` the
conditioning has the depth body's width. The weights are drawn from their keys
(`fixture_weights.py`), so only the reference's float32 results are written: logits of a sequence,
and greedy tokens of 200 frames streamed under changing conditioning.
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
from magenta_rt.config import ModelSpec
from magenta_rt.jax import model as reference
from safetensors.numpy import load_file, save_file
from sequence_layers import jax as sl  # vendored by magenta_rt, which must be imported first

sys.path.insert(0, str(Path(__file__).parent))
from fixture_weights import weights

FRAMES, GIVEN_FRAMES = 200, 12


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
    """Conditioning tokens (frames, 144), offset, that change every nine frames."""
    rng = np.random.default_rng(seed)
    rows = []
    for start in range(0, frames, 9):
        style = rng.integers(0, 1024, 12)
        style[rng.integers(0, 13) :] = -1
        notes = rng.integers(-1, 4, 128)
        rest = [rng.integers(-1, 2), rng.integers(0, 41), rng.integers(0, 41), rng.integers(0, 9)]
        if start == 9:  # the highest guidance indexes the next channel's row
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
    rows = conditions(frames, seed)
    rngs = {"params": jax.random.PRNGKey(1), "random": jax.random.PRNGKey(2)}
    constants = {"temperature": jnp.array([0.0]), "top_k": jnp.array([40], jnp.int32)}
    spec = sl.ShapeDType((rows.shape[1],), jnp.int32)

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
    for row in rows:
        output, state = step(params, state, jnp.asarray(row))
        tokens.append(np.asarray(output.values)[0, 0])

    def offline(mod, source, target):  # type: ignore[no-untyped-def]
        return offline_logits(mod, source, target)

    # Other tokens than the greedy ones, so that the logits are those of given tokens.
    rng = np.random.default_rng(seed + 1)
    given = 6 + 1024 * np.arange(12) + rng.integers(0, 1024, (min(frames, GIVEN_FRAMES), 12))
    whole = jax.jit(lambda p, s, t: former.apply(p, s, t, rngs=rngs, method=offline))(
        params,
        sl.Sequence.from_values(jnp.asarray(rows[: len(given)])[None]),
        sl.Sequence.from_values(jnp.asarray(given, jnp.int32)[None]),
    )
    logits = np.asarray(whole)[0]
    return {
        "conditions": rows.astype(np.int16),
        "tokens": np.stack(tokens).astype(np.int16),
        "given": given.astype(np.int16),
        # Every eighth logit of each level's own codes, to keep the file small.
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
    # EncoderDecoder.encode calls encoder.layer, which does not exist; streaming uses the body.
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
        expected = shapes(former, kind().input_num_channels)
        made = run(former, parameters(weights(expected, seed)), seed=seed + 10, frames=FRAMES)
        save_file(
            made,
            chosen.out / f"depthformer_{name}.safetensors",
            metadata={"shapes": json.dumps(expected), "seed": str(seed)},
        )


if __name__ == "__main__":
    main()
