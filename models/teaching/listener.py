"""Listener of a course: codec, ears and style model turn the pieces of a file into studies."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.music.score import FRAME_SAMPLES, SAMPLE_RATE
from models.music.tracking.weights import EarWeights, load_ear_weights
from models.segue.codec import Codec, bands
from models.segue.learned_mix import measures
from models.segue.room import contrasts
from models.segue.studio.warmth import lean
from models.segue.style import StyleModel
from models.teaching.lesson import Study
from models.teaching.material import Passage
from models.teaching.notes.network import NoteNetwork
from models.teaching.picture import picture_of
from models.teaching.store import EncodedFile
from models.teaching.transcription import HeardScore, transcribe

MINUTE = 60 * SAMPLE_RATE


class Listener:
    """Networks that listen, each loaded when it is first needed; weights: their folder."""

    def __init__(self, weights: Path) -> None:
        self._weights = weights

    @cached_property
    def codec(self) -> Codec:
        return Codec.load(self._weights / "codec.safetensors")

    @cached_property
    def _style(self) -> StyleModel:
        return StyleModel.load()

    @cached_property
    def _ears(self) -> EarWeights:
        return load_ear_weights()

    @cached_property
    def _notes(self) -> NoteNetwork:
        return NoteNetwork.load()

    def heard(self, audio: NDArray[np.float32]) -> HeardScore:
        """Transcription of audio (n, 2) at 48 kHz."""
        return transcribe(self._ears, self._notes, audio, len(audio) // FRAME_SAMPLES)

    def encode(self, name: str, pieces: Sequence[Passage]) -> EncodedFile:
        """The studies, styles and measures of a file's pieces, one at least."""
        studies, styles, mixes, rows = [], [], [], []
        for piece in pieces:
            heard_bands, image = bands.analyse(piece.audio)
            # Who plays the latents gives them the tilt of the mixes; the files have theirs.
            latents = self.codec.encode_bands(lean(heard_bands), image)
            heard = transcribe(self._ears, self._notes, piece.audio, len(latents))
            studies.append(Study(latents, heard))
            styles += self._styles(piece.audio)
            mixes.append(measures(piece.audio))
            rows.append(contrasts(heard_bands))
        seconds = sum(piece.seconds for piece in pieces)
        mix, ringing = np.concatenate(mixes), np.concatenate(rows)
        return EncodedFile(name, tuple(studies), np.stack(styles), seconds, mix, ringing)

    def _styles(self, audio: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Style (128,) of each minute; the style model takes no more at once."""
        starts = range(0, max(1, len(audio) - MINUTE // 4), MINUTE)
        parts = [audio[start : start + MINUTE] for start in starts]
        return [self._style.embed_audio(part, SAMPLE_RATE) for part in parts]

    @staticmethod
    def picture(piece: Passage) -> NDArray[np.uint8]:
        """Picture of a piece's first minute."""
        shown, _ = bands.analyse(piece.audio[:MINUTE])
        return picture_of(shown)

    def terms(self, style: NDArray[np.float32], count: int = 3) -> str:
        """The nearest prompts of the style model, as a list in words."""
        return ", ".join(name for name, _ in self._style.rank_terms(style)[:count])
