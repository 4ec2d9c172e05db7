"""Prompts: text or audio with a weight, and the style they mix to. Inference lane and offline.

Pure but for `load_audio`, which reads a file; soundfile is imported there only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Final

from models.engine.controls import Style, blend
from models.engine.interface import Audio, Engine, check_prompt_audio, check_prompt_text
from models.errors import SegueError

AUDIO_SUFFIXES: Final = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".opus")
PROMPT_SECONDS: Final = 60.0
"""How much of an audio prompt is heard, from its start."""
ENDING_SECONDS: Final = 12.0
"""How much of a file's end is read where the music goes on from it."""
MP3_SECONDS: Final = 1800.0


@dataclass(frozen=True)
class Prompt:
    """Text, or the path of an audio file, with a weight of 0 or more. Exactly one is given."""

    text: str | None = None
    audio: str | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        if (self.text is None) == (self.audio is None):
            raise SegueError("a prompt is either text or audio: give one of the two.")
        for what in (self.text, self.audio):
            if what is not None and not isinstance(what, str):
                raise SegueError(f"{what!r} is no prompt: write it in quotes.")
        if self.text is not None:
            check_prompt_text(self.text)
        if self.audio is not None and not self.audio.strip():
            raise SegueError("the audio prompt names no file: give its path, or remove it.")
        number = isinstance(self.weight, Real) and not isinstance(self.weight, bool)
        if not number or not math.isfinite(self.weight) or self.weight < 0:
            raise SegueError(
                f"the weight of '{self.name}' is {self.weight}: give a number of 0 or more."
            )
        object.__setattr__(self, "weight", float(self.weight))

    @property
    def name(self) -> str:
        """What to call it in a sentence: the text, or the file."""
        return str(self.text if self.text is not None else self.audio)


def parse_prompt(argument: str) -> Prompt:
    """'minimal techno', 'flute=0.5' or 'loop.wav=2', as the command line takes them.

    What follows the last '=' is the weight if it reads as a number, else part of the text. A name
    that ends as an audio file does is an audio prompt.
    """
    text, equals, number = argument.rpartition("=")
    weight = 1.0
    if equals:
        try:
            weight = float(number)
        except ValueError:
            text = argument
    else:
        text = argument
    if text.strip().lower().endswith(AUDIO_SUFFIXES):
        return Prompt(audio=text.strip(), weight=weight)
    return Prompt(text=text, weight=weight)


def load_audio(path: Path) -> tuple[Audio, int]:
    """The first minute of a WAV, FLAC, Ogg or MP3 file: float32 (n, channels) and its rate in Hz.

    Raises SegueError where there is no such file, it cannot be read as audio, or it holds nothing
    that can be a prompt (under half a second, silent, not finite).
    """
    return _load(path, PROMPT_SECONDS, 0)


def load_ending(path: Path) -> tuple[Audio, int]:
    """As `load_audio`, but the last seconds of the file: what is to be continued."""
    return _load(path, ENDING_SECONDS, -1)


def _load(path: Path, seconds: float, end: int) -> tuple[Audio, int]:
    """So many seconds of a file, from its start (0) or up to its end (-1)."""
    import soundfile

    if not path.is_file():
        raise SegueError(f"there is no file {path}: check the name of the audio file.")
    try:
        with soundfile.SoundFile(path) as file:
            rate = int(file.samplerate)
            count = int(seconds * rate)
            if end and file.format == "MP3":
                # Libsndfile enters MP3 at wrong places, and gives zeros where it is read in parts.
                if file.frames > MP3_SECONDS * rate:
                    raise SegueError(
                        f"{path} is an MP3 of over half an hour: give a WAV or FLAC file of it."
                    )
                samples = file.read(dtype="float32", always_2d=True)[-count:]
            else:
                file.seek(max(0, file.frames - count) if end else 0)
                samples = file.read(count, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        reason = str(error).rstrip(".").rpartition(": ")[2]
        raise SegueError(
            f"{path} cannot be read as audio ({reason}): give a WAV, FLAC, Ogg or MP3 file."
        ) from None
    try:
        return check_prompt_audio(samples, rate), rate
    except SegueError as error:
        raise SegueError(f"{path}: {error}") from None


class PromptEmbedder:
    """The styles of prompts under one engine; each text or file is embedded once."""

    def __init__(self, engine: Engine, folder: Path | None = None) -> None:
        """`folder` is where relative audio paths start; the working directory if None."""
        self.engine = engine
        self.folder = folder
        self._styles: dict[tuple[str | None, str | None], Style] = {}

    def style(self, prompt: Prompt) -> Style:
        """float32 (style_dim,) of one prompt, its weight aside."""
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
        """The blend of prompts; None for none at all. SegueError where all weights are zero."""
        chosen: Sequence[Prompt] = list(prompts)
        if not chosen:
            return None
        check_weights(chosen)
        # A prompt that weighs nothing is not embedded, so the mix does not wait for it.
        heard = [prompt for prompt in chosen if prompt.weight > 0]
        return blend([self.style(prompt) for prompt in heard], [p.weight for p in heard])


def check_weights(prompts: Sequence[Prompt]) -> None:
    """SegueError where there are prompts and all of them weigh nothing."""
    if prompts and not any(prompt.weight > 0 for prompt in prompts):
        raise SegueError("all prompt weights are zero: raise at least one.")
