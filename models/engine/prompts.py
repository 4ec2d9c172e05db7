"""Prompts: text or audio with a weight, audio files, and the blended style.

soundfile is imported only where a file is read.
"""

from __future__ import annotations

import io
import math
import re
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
"""Length of an audio prompt; the rest of the file is ignored."""
ENDING_SECONDS: Final = 12.0
"""Length of a file's end that is read to continue it."""
MP3_SECONDS: Final = 1800.0
"""Longest MP3 whose end is read, since all of it must be decoded."""


MP3_SEARCH_BYTES: Final = 65536
"""Bytes after the tags in which the first frame of an MP3 must begin."""
_FRAME_HEADER: Final = re.compile(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][\x10-\xef]", re.DOTALL)
"""Header of an MPEG audio frame: 11 set bits, a layer, a bit rate (ISO/IEC 11172-3, 2.4.1.3)."""
_DECIMAL_COMMA: Final = re.compile(r"[+-]?\d*,\d+")


@dataclass(frozen=True)
class Prompt:
    """Prompt: text, or the path of an audio file, with a weight of 0 or more.

    Raises:
        SegueError: both or none given, empty, or a weight that is negative or not finite.

    """

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
        weight: object = self.weight
        number = isinstance(weight, Real) and not isinstance(weight, bool)
        if not number or not math.isfinite(self.weight) or self.weight < 0:
            raise SegueError(
                f"the weight of '{self.name}' is {self.weight}: give a number of 0 or more."
            )
        object.__setattr__(self, "weight", float(self.weight))

    @property
    def name(self) -> str:
        """The text, or the path of the file."""
        return str(self.text if self.text is not None else self.audio)


def parse_prompt(argument: str) -> Prompt:
    """Prompt of a command-line argument: 'minimal techno', 'flute=0.5' or 'loop.wav=2'.

    What follows the last '=' is the weight if it is a number, else part of the text. A name with
    one of AUDIO_SUFFIXES is an audio prompt.

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
    return Prompt(text=text, weight=weight)


def load_audio(path: Path) -> tuple[Audio, int]:
    """The first PROMPT_SECONDS of a WAV, FLAC, Ogg or MP3 file.

    Returns:
        float32 (n, channels), and the sample rate in Hz.

    Raises:
        SegueError: no such file, not readable as audio, or refused by `check_prompt_audio`.

    """
    return _load(path, PROMPT_SECONDS, 0)


def load_ending(path: Path) -> tuple[Audio, int]:
    """The last ENDING_SECONDS of an audio file, to continue it; otherwise as `load_audio`."""
    return _load(path, ENDING_SECONDS, -1)


def _load(path: Path, seconds: float, end: int) -> tuple[Audio, int]:
    """`seconds` of a file from its start (end 0) or up to its end (end -1)."""
    import soundfile

    if not path.is_file():
        raise SegueError(f"there is no file {path}: check the name of the audio file.")
    try:
        with soundfile.SoundFile(_readable(path)) as file:
            rate = int(file.samplerate)
            count = int(seconds * rate)
            if end and file.format == "MP3":
                # libsndfile seeks in MP3 inexactly, and returns zeros when it is read in parts.
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


def _readable(path: Path) -> Path | io.BytesIO:
    """What soundfile is to open: an MP3 from its first frame on.

    Of a file that is no MP3, and of a large tag (a cover picture), the decoder itself would write
    lines to the terminal. Raises SegueError where an .mp3 file is none.
    """
    if path.suffix.lower() != ".mp3":
        return path
    data = path.read_bytes()
    if data.startswith((b"RIFF", b"fLaC", b"OggS", b"FORM")):
        return path  # another format under a wrong name
    at = 0
    # ID3v2 (id3.org, 2.4.0, section 3.1): 7 bits a byte of the size, and a footer where flagged.
    while data[at : at + 3] == b"ID3" and at + 10 <= len(data):
        size = 0
        for byte in data[at + 6 : at + 10]:
            size = size << 7 | byte & 0x7F
        at += 10 + size + (10 if data[at + 5] & 0x10 else 0)
    if not _FRAME_HEADER.search(data, at, at + MP3_SEARCH_BYTES):
        raise SegueError(
            f"{path} is no MP3, whatever its name says: give a WAV, FLAC, Ogg or MP3 file."
        )
    return io.BytesIO(data[at:])


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
