"""Styles of prompts for Magenta RealTime 2: the style model, and the tokens of its styles."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.engine.interface import Style
from models.engine.prompt_checks import check_prompt_audio, check_prompt_text
from models.errors import SegueError
from models.magenta_rt2.checkpoint import files
from models.magenta_rt2.checkpoint.weights import file_metadata
from models.magenta_rt2.depthformer.config import STYLE_DIM

MAX_TOKENS: Final = 256
"""Styles whose tokens are cached."""


class StyleEmbedder(Protocol):
    """The style model that the engine needs: `MusicCoCa`, or `RandomStyle` for measuring."""

    @property
    def has_mapper(self) -> bool: ...

    def embed_text(self, text: str, /) -> NDArray[np.float32]: ...

    def embed_audio(self, samples: NDArray[np.floating], rate: int, /) -> NDArray[np.float32]: ...

    def tokenize(self, style: NDArray[np.float32], /) -> NDArray[np.integer]: ...


def open_style_model(name: str, folder: Path, checkpoint: Path) -> StyleEmbedder:
    """Style model of an engine; random styles where the checkpoint holds random weights.

    Raises:
        SegueError: its files are missing or damaged.

    """
    if "segue" in file_metadata(checkpoint, name):
        from models.magenta_rt2.musiccoca.random_style import RandomStyle

        print(
            f"segue: {checkpoint.name} holds random weights, so prompts are given random "
            "styles: what plays is noise, fit for measuring only.",
            file=sys.stderr,
        )
        return RandomStyle()
    from models.magenta_rt2.musiccoca.model import MusicCoCa

    return MusicCoCa(name, folder)


class PromptStyles:
    """Embeds prompts, and gives the tokens of their styles. Safe to use from several threads."""

    def __init__(self, model: StyleEmbedder, name: str) -> None:
        """name: of the engine, for messages."""
        self.model = model
        self._name = name
        self._tokens: dict[bytes, NDArray[np.integer]] = {}
        self._mapper_missed = False
        self._notices: tuple[tuple[str, str], ...] = ()

    def embed_text(self, text: str) -> Style:
        """Style of a text (STYLE_DIM,); SegueError where it is none."""
        if not self.model.has_mapper and not self._mapper_missed:
            self._mapper_missed = True
            self._notices = (("info", files.MAPPER_MISSING.format(name=self._name)),)
        return np.asarray(self.model.embed_text(check_prompt_text(text)), np.float32)

    def embed_audio(self, samples: NDArray[np.floating], sample_rate: int) -> Style:
        """Style of samples (n,) or (n, channels); SegueError where they are too short."""
        audio = check_prompt_audio(samples, sample_rate)
        return np.asarray(self.model.embed_audio(audio, sample_rate), np.float32)

    def tokens(self, style: Style | None) -> NDArray[np.integer] | None:
        """MusicCoCa tokens of a style, cached; SegueError for another engine's style."""
        if style is None:
            return None
        if style.shape != (STYLE_DIM,):
            raise SegueError(
                f"the style has {len(style)} numbers, this engine's have {STYLE_DIM}: embed the "
                "prompt with this engine."
            )
        key = style.tobytes()
        if key not in self._tokens:
            if len(self._tokens) >= MAX_TOKENS:
                self._tokens.clear()
            self._tokens[key] = self.model.tokenize(style)
        return self._tokens[key]

    def take_notices(self) -> tuple[tuple[str, str], ...]:
        """(level, sentence) that the performer has not been told yet."""
        notices, self._notices = self._notices, ()
        return notices
