"""Guidance in the renderer: how far it moves the sound of one and the same score. Offline.

The control acts in the arranger as well, where it chooses instruments and notes. Here the score is
held: true scores of held-out songs are rendered with the same noise at the least, the usual and the
most guidance that the weights were taught, and once more with other noise, to compare with.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from models.engine.interface import Engine
from models.errors import SegueError
from models.evaluation.codec import compare
from models.evaluation.ladder.rungs import corpus_audio, render_score, song_of
from models.music.score import SAMPLE_RATE
from models.segue.codec import Codec
from models.segue.renderer.loading import load_inference
from models.segue.style.anchors import mixture
from models.storage.json_types import JsonObject
from models.storage.weights import WEIGHTS

SONGS: Final = 12
FIRST_SONG: Final = 650_000
SETTLE: Final = 1.0


def guidance(engine: Engine, seconds: float = 8.0) -> JsonObject:
    """Mel distance between least and most guidance, and likeness to the prompt.

    Args:
        engine: Whose audio tower says how alike sound and prompt are.
        seconds: Of each clip.

    Returns:
        `moved_db` and `other_noise_db`: mean mel distance in dB of least against most guidance, and
        of one noise against another; `similarity`: mean cosine to the prompt at least, usual and
        most; `rises`: share of songs in which it is higher at most than at least.

    Raises:
        SegueError: The weights were not taught guidance.

    """
    player = load_inference(WEIGHTS / "renderer.safetensors")
    codec = Codec.load(WEIGHTS / "codec.safetensors")
    taught = player.sampler.guidance
    if taught is None:
        raise SegueError("the renderer's weights were not taught guidance: nothing to measure.")
    weights = (taught.least, taught.usual, taught.most)
    cases = []
    for index in range(SONGS):
        song = song_of(FIRST_SONG + index)
        clip = corpus_audio(FIRST_SONG + index, seconds)
        prompt = mixture(song.terms)
        made = [render_score(player, codec, song, clip, index, weight) for weight in weights]
        other = render_score(player, codec, song, clip, SONGS + index, taught.usual)
        start = round(SETTLE * SAMPLE_RATE)
        heard = [engine.embed_audio(audio[start:], SAMPLE_RATE) for audio in made]
        cases.append(
            {
                "terms": [name for name, _ in song.terms],
                "moved_db": compare(made[0], made[2])["mel_db"],
                "other_noise_db": compare(made[1], other)["mel_db"],
                "similarity": [_cosine(style, prompt) for style in heard],
            }
        )
    similarity = np.array([case["similarity"] for case in cases])
    return {
        "moved_db": float(np.mean([case["moved_db"] for case in cases])),
        "other_noise_db": float(np.mean([case["other_noise_db"] for case in cases])),
        "similarity": similarity.mean(axis=0).tolist(),
        "rises": float(np.mean(similarity[:, 2] > similarity[:, 0])),
        "weights": list(weights),
        "cases": cases,
    }


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-9))
