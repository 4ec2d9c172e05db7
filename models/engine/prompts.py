"""Prompts: text or audio with a weight, audio files, and the blended style.

Files are read by `audio_file`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Final

from models.engine.audio_file import read_audio
from models.engine.controls import Style, blend
from models.engine.interface import Audio, Engine
from models.engine.prompt_checks import check_prompt_audio, check_prompt_text
from models.engine.sounds import check_amount, is_sound, sound_name
from models.errors import SegueError

AUDIO_SUFFIXES: Final = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".opus")
PROMPT_SECONDS: Final = 60.0
"""Length of an audio prompt; the rest of the file is ignored."""
ENDING_SECONDS: Final = 12.0
"""Length of a file's end that is read to continue it."""
_DECIMAL_COMMA: Final = re.compile(r"[+-]?\d*,\d+")


@dataclass(frozen=True)
class Prompt:
    """Prompt: text, or the path of an audio file, with a weight of 0 or more.

    A text `sound:NAME` means a learned sound; `amount`, 0 to 1.5, is how much of what it learned
    acts besides its style.

    Raises:
        SegueError: both or none given, empty, no name of a sound, an amount out of range, or a
            weight that is negative or not finite.

    """

    text: str | None = None
    audio: str | None = None
    weight: float = 1.0
    amount: float = 1.0

    def __post_init__(self) -> None:
        if (self.text is None) == (self.audio is None):
            raise SegueError("a prompt is either text or audio: give one of the two.")
        for what in (self.text, self.audio):
            if what is not None and not isinstance(what, str):
                raise SegueError(f"{what!r} is no prompt: write it in quotes.")
        if self.text is not None:
            check_prompt_text(self.text)
            sound_name(self.text)
        if self.audio is not None and not self.audio.strip():
            raise SegueError("the audio prompt names no file: give its path, or remove it.")
        weight: object = self.weight
        number = isinstance(weight, Real) and not isinstance(weight, bool)
        if not number or not math.isfinite(self.weight) or self.weight < 0:
            raise SegueError(
                f"the weight of '{self.name}' is {self.weight}: give a number of 0 or more."
            )
        object.__setattr__(self, "weight", float(self.weight))
        object.__setattr__(self, "amount", check_amount(self.amount, f"'{self.name}'"))

    @property
    def name(self) -> str:
        """The text, or the path of the file."""
        return str(self.text if self.text is not None else self.audio)


def parse_prompt(argument: str) -> Prompt:
    """Prompt of a command-line argument: 'minimal techno', 'flute=0.5' or 'loop.wav=2'.

    What follows the last '=' is the weight if it is a number, else part of the text. A name with
    one of AUDIO_SUFFIXES is an audio prompt. 'sound:NAME' is a learned sound, 'sound:NAME@0.6' with
    that amount.

    Raises:
        SegueError: as `Prompt`, and for a weight with a decimal comma.

    """
    text, equals, number = argument.rpartition("=")
    weight = 1.0
    if equals:
        try:
            weight = float(number)
        except ValueError:
            if _DECIMAL_COMMA.fullmatch(number.strip()):
                point = f"{text}={number.strip().replace(',', '.')}"
                raise SegueError(
                    f"'{argument}' has a comma in its weight: write a point, '{point}'."
                ) from None
            text = argument
    else:
        text = argument
    if text.strip().lower().endswith(AUDIO_SUFFIXES):
        return Prompt(audio=text.strip(), weight=weight)
    if is_sound(text) and "@" in text:
        text, _, number = text.rpartition("@")
        try:
            return Prompt(text=text, weight=weight, amount=float(number))
        except ValueError as error:
            if isinstance(error, SegueError):
                raise
            raise SegueError(f"'{argument}' has no number after its @: give 0 to 1.5.") from None
    return Prompt(text=text, weight=weight)


def load_audio(path: Path) -> tuple[Audio, int]:
    """The first PROMPT_SECONDS of a WAV, FLAC, Ogg or MP3 file.

    Returns:
        float32 (n, channels), and the sample rate in Hz.

    Raises:
        SegueError: no such file, not readable as audio, or refused by `check_prompt_audio`.

    """
    return _load(path, PROMPT_SECONDS, ending=False)


def load_ending(path: Path) -> tuple[Audio, int]:
    """The last ENDING_SECONDS of an audio file, to continue it; otherwise as `load_audio`."""
    return _load(path, ENDING_SECONDS, ending=True)


def _load(path: Path, seconds: float, *, ending: bool) -> tuple[Audio, int]:
    samples, rate = read_audio(path, seconds, ending=ending)
    try:
        return check_prompt_audio(samples, rate), rate
    except SegueError as error:
        raise SegueError(f"{path}: {error}") from None


class PromptEmbedder:
    """Cached styles of prompts; each text or file is embedded once."""

    def __init__(self, engine: Engine, folder: Path | None = None) -> None:
        """Relative audio paths are resolved against `folder`, the working directory if None."""
        self.engine = engine
        self.folder = folder
        self._styles: dict[tuple[str | None, str | None], Style] = {}

    def style(self, prompt: Prompt) -> Style:
        """Style of one prompt, float32 (style_dim,), regardless of its weight."""
        key = (prompt.text, prompt.audio)
        if key not in self._styles:
            if prompt.audio is not None:
                path = Path(prompt.audio).expanduser()
                samples, rate = load_audio(path if self.folder is None else self.folder / path)
                self._styles[key] = self.engine.embed_audio(samples, rate)
            else:
                self._styles[key] = self.engine.embed_text(prompt.text or "")
        return self._styles[key]

    def mix(self, prompts: Iterable[Prompt]) -> Style | None:
        """Blend of the styles, float32 (style_dim,); None for no prompts. SegueError if all weights
        are zero.
        """
        chosen: Sequence[Prompt] = list(prompts)
        if not chosen:
            return None
        check_weights(chosen)
        # Prompts of weight 0 are not embedded, which takes time.
        weighted = [prompt for prompt in chosen if prompt.weight > 0]
        return blend([self.style(prompt) for prompt in weighted], [p.weight for p in weighted])


def check_weights(prompts: Sequence[Prompt]) -> None:
    """Raise SegueError where there are prompts and all weights are 0."""
    if prompts and not any(prompt.weight > 0 for prompt in prompts):
        raise SegueError("all prompt weights are zero: raise at least one.")
