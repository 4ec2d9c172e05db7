"""Small networks of MusicCoCa's kinds, written by TensorFlow's own converter.

Run by hand from the repository's root, in an environment with `tensorflow==2.21.0`:

    PYTHONPATH=. python tests/models/magenta_rt2/tflite/make_networks.py

The released networks cannot be had on every machine. These have their inputs and outputs and what
such networks are made of: a transformer over text, a spectrogram, a transformer over its patches, a
loop, a residual quantizer. Weights are random. Each encoder is written three times: with float32,
float16 and dynamic-range int8 weights.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

FOLDER = Path(__file__).parent / "data"
STYLE, CODES, LEVELS = 768, 6, 12
TEXT_TOKENS, VOCABULARY, WIDTH, HEADS, LAYERS = 128, 200, 32, 4, 2
CLIP, FRAME, STEP, MELS = 160_000, 512, 640, 32
RANDOM = np.random.default_rng(21)


def weights(*shape: int, scale: float = 1.0) -> Any:
    return tf.constant(
        (scale * RANDOM.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)
    )


def layer_norm(x: Any) -> Any:
    centred = x - tf.reduce_mean(x, -1, keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), -1, keepdims=True)
    return centred * tf.math.rsqrt(variance + 1e-6) * (1 + weights(WIDTH)) + weights(WIDTH)


def dense(x: Any, outputs: int) -> Any:
    return tf.einsum("btd,de->bte", x, weights(x.shape[-1], outputs)) + weights(outputs)


def attention(x: Any, bias: Any) -> Any:
    def heads(y: Any) -> Any:
        return tf.reshape(y, (1, -1, HEADS, WIDTH // HEADS))

    q, k, v = (heads(dense(x, WIDTH)) for _ in range(3))
    scores = tf.einsum("bqhd,bkhd->bhqk", q, k) / np.sqrt(WIDTH / HEADS).astype(np.float32)
    mixed = tf.einsum("bhqk,bkhd->bqhd", tf.nn.softmax(scores + bias), v)
    return dense(tf.reshape(mixed, (1, -1, WIDTH)), WIDTH)


def transformer(x: Any, bias: Any, approximate: bool) -> Any:
    for _ in range(LAYERS):
        x = x + attention(layer_norm(x), bias)
        hidden = tf.nn.gelu(dense(layer_norm(x), 2 * WIDTH), approximate=approximate)
        x = x + dense(hidden, WIDTH)
    return layer_norm(x)


def unit(x: Any) -> Any:
    return tf.math.l2_normalize(x, axis=-1)


def text_encoder(ids: Any, paddings: Any) -> Any:
    x = tf.gather(weights(VOCABULARY, WIDTH, scale=10.0), tf.minimum(ids, VOCABULARY - 1))
    x = x + weights(TEXT_TOKENS, WIDTH)
    x = transformer(x, -1e9 * paddings[:, tf.newaxis, tf.newaxis, :], approximate=True)
    kept = (1 - paddings)[..., tf.newaxis]
    mean = tf.reduce_sum(x * kept, 1) / tf.reduce_sum(kept, 1)
    return unit(tf.matmul(mean, weights(WIDTH, STYLE)))


def audio_preprocessor(clip: Any) -> Any:
    frames = tf.signal.frame(clip, FRAME, STEP, pad_end=True)
    spectrum = tf.abs(tf.signal.rfft(frames * tf.signal.hann_window(FRAME)))
    mel = tf.signal.linear_to_mel_weight_matrix(MELS, FRAME // 2 + 1, 16_000)
    return tf.math.log(tf.tensordot(spectrum, mel, 1) + 1e-3)[..., tf.newaxis]


def music_encoder(features: Any) -> Any:
    patches = tf.nn.conv2d(features, weights(16, 8, 1, WIDTH, scale=0.3), (16, 8), "VALID")
    x = tf.reshape(patches, (1, -1, WIDTH))
    x = tf.concat([tf.tile(weights(1, 1, WIDTH), (1, 1, 1)), x], axis=1)
    x = transformer(x, tf.zeros((1, 1, 1, 1)), approximate=False)
    return unit(tf.matmul(x[:, 0], weights(WIDTH, STYLE)))


def mapper(vector: Any, noise: Any) -> Any:
    first, second = weights(STYLE, WIDTH), weights(WIDTH, STYLE)

    def step(time: Any, x: Any) -> Any:
        hidden = tf.nn.silu(tf.matmul(x + vector, first) + tf.cast(time, tf.float32))
        return time + 1, x - 0.1 * tf.matmul(hidden, second)

    return tf.while_loop(lambda time, x: time < 4, step, (tf.constant(0), noise))[1]


def quantizer(vector: Any) -> Any:
    rest, codes = vector, []
    for level in range(LEVELS):
        table = weights(CODES, STYLE, scale=0.3 * 0.8**level)
        distance = tf.reduce_sum(tf.square(table), 1) - 2 * tf.matmul(rest, table, transpose_b=True)
        code = tf.argmin(distance, 1, output_type=tf.int32)
        rest = rest - tf.gather(table, code)
        codes.append(code)
    return tf.stack(codes, 1)


def write(name: str, function: Callable[..., Any], *inputs: tuple[tuple[int, ...], Any]) -> None:
    global RANDOM
    variants = ("float32", "float16", "int8") if name.endswith("_encoder") else ("float32",)
    for variant in variants:
        RANDOM = np.random.default_rng(21)
        signature = [tf.TensorSpec(shape, kind) for shape, kind in inputs]
        concrete = tf.function(function).get_concrete_function(*signature)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
        if variant != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if variant == "float16":
            converter.target_spec.supported_types = [tf.float16]
        data = converter.convert()
        (FOLDER / variant).mkdir(parents=True, exist_ok=True)
        (FOLDER / variant / f"{name}.tflite").write_bytes(data)
        print(f"{variant}/{name}: {len(data)} bytes")


if __name__ == "__main__":
    frames = -(-CLIP // STEP)
    write("text_encoder", text_encoder, ((1, 128), tf.int32), ((1, 128), tf.float32))
    write("audio_preprocessor", audio_preprocessor, ((1, CLIP), tf.float32))
    write("music_encoder", music_encoder, ((1, frames, MELS, 1), tf.float32))
    write("mapper", mapper, ((1, STYLE), tf.float32), ((1, STYLE), tf.float32))
    write("pretrained_vector_quantizer", quantizer, ((1, STYLE), tf.float32))
