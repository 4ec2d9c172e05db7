"""Fixtures of MusicCoCa's tests, made with the reference implementation.

Run by hand from the repository's root, in an environment with `magenta-rt[jax]==2.0.3` as for
make_fixtures.py:

    PYTHONPATH=. python tests/models/magenta_rt2/make_musiccoca_fixtures.py

The reference runs small networks of the released form (tflite_models.py) with a small vocabulary.
Its embeddings and tokens are written, and the vocabulary.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
import sentencepiece
from magenta_rt import audio, musiccoca
from safetensors.numpy import save_file

from tests.models.magenta_rt2.tflite_models import write_models

DATA = Path(__file__).parent / "data"
TEXTS = ["Minimal Techno", "a flute over slow strings", "", "drum " * 200]
SENTENCES = (
    "minimal techno with a deep kick and a dub chord",
    "a solo flute over slow strings in a large hall",
    "fast drum and bass with a rolling break",
    "warm house piano, a walking bass and brushed drums",
)


def vocabulary() -> bytes:
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(SENTENCES),
        model_writer=written,
        vocab_size=60,
        model_type="unigram",
        normalization_rule_name="identity",
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return written.getvalue()


def clips() -> list[np.ndarray]:
    """Clips at 16 kHz, which need no resampling: short, ten seconds in stereo, twenty seconds, and
    one that ends in the middle of a clip of the model.
    """
    random = np.random.default_rng(12)
    shapes = [(30_000, 1), (160_000, 2), (320_000, 1), (200_000, 2)]
    return [(0.2 * random.standard_normal(shape)).astype(np.float32) for shape in shapes]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_models(folder)
        (folder / "spm.model").write_bytes(vocabulary())
        model = musiccoca.MusicCoCa(resource_dir=folder)
        text = np.stack([model.embed(words) for words in TEXTS])
        mapped = np.stack([model.embed(words, use_mapper=True, seed=3) for words in TEXTS])
        # As the front ends call it (mlx/generate.py).
        prompts = np.stack([model.embed(words, use_mapper=True) for words in TEXTS])
        sound = np.stack([model.embed(audio.Waveform(clip, 16_000)) for clip in clips()])
        tokens = np.stack([model.tokenize(vector) for vector in (*text, *mapped, *prompts, *sound)])
        (DATA / "musiccoca_spm.model").write_bytes((folder / "spm.model").read_bytes())
    results = {
        "text": text, "mapped": mapped, "prompts": prompts, "sound": sound, "tokens": tokens,
    }  # fmt: skip
    save_file(results, DATA / "musiccoca_results.safetensors")
    print({key: (values.shape, float(np.abs(values).max())) for key, values in results.items()})


if __name__ == "__main__":
    main()
