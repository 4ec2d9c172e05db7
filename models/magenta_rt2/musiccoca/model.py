"""MusicCoCa: joint embedding of text and audio, and its tokens.

Called when a prompt changes, never while a block is rendered. Yu et al., CoCa, 2022 (arXiv
2205.01917) and Huang et al., MuLan, 2022 (arXiv 2208.12415), as Magenta RealTime combines them
(arXiv 2508.04651). The networks are released as TFLite files only (`style_network.py`); the
preprocessing (lower case, first token, padding, ten-second clips) follows `magenta_rt.musiccoca` of
magenta-rt 2.0.3 (Apache-2.0); the code is our own.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.command import FROZEN, PROGRAM_NAME, install_hint
from models.errors import SegueError
from models.magenta_rt2.checkpoint.files import MUSICCOCA, folder_of
from models.magenta_rt2.depthformer.config import CODEBOOK_SIZE, STYLE_DIM, STYLE_TOKENS
from models.magenta_rt2.musiccoca.style_network import StyleNetwork, Values
from models.magenta_rt2.tflite.flatbuffer import DamagedFileError
from models.magenta_rt2.tflite.kernels.call import UnknownOperatorError

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

SAMPLE_RATE: Final = 16_000
CLIP_SAMPLES: Final = 160_000  # ten seconds
MAX_TEXT_TOKENS: Final = 128
START_TOKEN: Final = 1  # before every text

Vector: TypeAlias = NDArray[np.float32]


class MusicCoCa:
    """Style model of an installed engine; networks are opened on first use. Thread-safe."""

    def __init__(self, name: str, folder: Path | None = None) -> None:
        """name: of the engine; folder: its files; None for the installed engine's."""
        self._name = name
        self._folder = folder_of(name) if folder is None else folder
        self._networks: dict[str, StyleNetwork] = {}
        self._words: SentencePieceProcessor | None = None
        self._lock = threading.Lock()

    @property
    def has_mapper(self) -> bool:
        """Whether the mapper is there; the first release came without it."""
        return (self._folder / MUSICCOCA / "mapper.tflite").is_file()

    def embed_text(self, text: str, use_mapper: bool | None = None, seed: int = 0) -> Vector:
        """Embedding of text, float32 (768,), truncated to 127 tokens.

        use_mapper: map it to a unit-length embedding of audio with that description; `seed` selects
        one of many. None: where the mapper is there, with seed 0, as the published front ends do.
        SegueError where a file or a package is missing.
        """
        if use_mapper is None:
            use_mapper = self.has_mapper
        with self._lock:
            words = self._vocabulary().EncodeAsIds(text.lower())[: MAX_TEXT_TOKENS - 1]
            ids = np.zeros(MAX_TEXT_TOKENS, dtype=np.int32)
            ids[: len(words) + 1] = [START_TOKEN, *words]
            padding = np.ones(MAX_TEXT_TOKENS, dtype=np.float32)
            padding[: len(words) + 1] = 0.0
            network = self._network("text_encoder")
            by_type: dict[np.dtype[np.generic], Values] = {ids.dtype: ids, padding.dtype: padding}
            kinds = [info.type for info in network.inputs]
            if sorted(by_type, key=str) != sorted(kinds, key=str):
                raise self._damaged("text_encoder")
            vector = self._run("text_encoder", *(by_type[kind] for kind in kinds))
            if use_mapper:
                vector = self._apply_mapper(vector, seed)
            return self._checked(vector, "mapper" if use_mapper else "text_encoder")

    def embed_audio(self, samples: NDArray[np.floating], rate: int) -> Vector:
        """Embedding of samples (n,) or (n, channels) at `rate` Hz, float32 (768,).

        Channels are averaged. Clips of ten seconds are embedded separately, the last one padded
        with silence; the embedding is their plain mean, as in the reference. SegueError for empty
        audio, and where a file or a package is missing.
        """
        audio = np.asarray(samples, dtype=np.float32)
        if audio.ndim == 2:
            audio = audio.mean(axis=1)
        if audio.ndim != 1 or not len(audio) or rate <= 0:
            raise SegueError("the audio prompt holds no samples: give another one.")
        if rate != SAMPLE_RATE:
            import soxr

            audio = soxr.resample(audio, rate, SAMPLE_RATE).astype(np.float32)
        clips = np.zeros((-(-len(audio) // CLIP_SAMPLES), CLIP_SAMPLES), dtype=np.float32)
        clips.reshape(-1)[: len(audio)] = audio
        with self._lock:
            vectors = [self._embed_clip(clip) for clip in clips]
        return self._checked(np.mean(vectors, axis=0), "music_encoder")

    def tokenize(self, vector: NDArray[np.floating]) -> NDArray[np.int32]:
        """Tokens int32 (12,), coarse to fine, of an embedding (768,), such as a mix of prompts."""
        point = np.asarray(vector, dtype=np.float32)
        if point.shape != (STYLE_DIM,):
            raise SegueError(f"a style of MusicCoCa has {STYLE_DIM} numbers, not {point.shape}.")
        name = "pretrained_vector_quantizer"
        with self._lock:
            codes = self._run(name, point)[:STYLE_TOKENS]
        if len(codes) < STYLE_TOKENS or codes.min() < 0 or codes.max() >= CODEBOOK_SIZE:
            raise self._damaged(name)
        return codes.astype(np.int32)

    def _embed_clip(self, clip: Vector) -> Values:
        vector = self._run("music_encoder", self._run("audio_preprocessor", clip))
        if len(vector) != STYLE_DIM:
            raise self._damaged("music_encoder")
        return vector

    def _apply_mapper(self, vector: Values, seed: int) -> Vector:
        # RandomState, so that seeds give the same embeddings as in the reference.
        noise = np.random.RandomState(seed).randn(STYLE_DIM).astype(np.float32)
        mapped = self._run("mapper", vector, noise)
        length = float(np.linalg.norm(mapped))
        if not length:
            raise self._damaged("mapper")
        return np.asarray(mapped / length, np.float32)

    def _run(self, name: str, *inputs: Values) -> Values:
        """The first output of a network, flat."""
        network = self._network(name)
        try:
            return network.run(inputs).reshape(-1)
        except UnknownOperatorError as error:
            raise self._unknown(name, error) from None
        except DamagedFileError:
            raise self._damaged(name) from None

    def _checked(self, vector: Values, name: str) -> Vector:
        point = np.asarray(vector, dtype=np.float32).reshape(-1)
        if point.shape != (STYLE_DIM,) or not np.isfinite(point).all():
            raise self._damaged(name)
        return point

    def _network(self, name: str) -> StyleNetwork:
        if name not in self._networks:
            path = self._file(f"{name}.tflite")
            try:
                self._networks[name] = StyleNetwork(path)
            except UnknownOperatorError as error:
                raise self._unknown(name, error) from None
            except DamagedFileError:
                raise self._damaged(name) from None
        return self._networks[name]

    def _vocabulary(self) -> SentencePieceProcessor:
        if self._words is None:
            path = self._file("spm.model")
            import sentencepiece

            vocabulary = sentencepiece.SentencePieceProcessor()
            try:
                vocabulary.Load(str(path))
            except (OSError, RuntimeError):
                raise self._damaged("spm.model") from None
            self._words = vocabulary
        return self._words

    def _file(self, file: str) -> Path:
        path = self._folder / MUSICCOCA / file
        if not path.is_file():
            raise SegueError(
                f"{file} of {self._name} is missing from {path.parent}: "
                f"run {PROGRAM_NAME} models fetch {self._name}."
            )
        return path

    def _unknown(self, name: str, error: UnknownOperatorError) -> SegueError:
        remedy = install_hint("ai-edge-litert", FROZEN, sys.executable)
        return SegueError(
            f"{name}.tflite of {self._name} uses operators that Segue does not know ({error}): "
            f"{remedy}."
        )

    def _damaged(self, name: str) -> SegueError:
        file = name if "." in name else f"{name}.tflite"
        return SegueError(
            f"{file} of {self._name} is damaged or of another version: "
            f"run {PROGRAM_NAME} models verify {self._name}."
        )
