"""Stems and MIDI file of a rendered performance, beside its mix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from app.audio.stem_delay import StemDelay
from app.files import check_target, whole_file
from app.performance.score_log import ScoreSpan
from app.recording.take.midi_file import write_midi
from app.recording.take.score import ScoreGatherer
from models.engine.interface import EngineInfo, Stream
from models.errors import SegueError
from models.music.score import SAMPLE_RATE

if TYPE_CHECKING:
    from app.cli.files.wav import WavWriter


class TakeWriter:
    """Writer of one file per part and of the score, block by block."""

    def __init__(
        self, info: EngineInfo, frames: int, stems: dict[str, WavWriter], midi: Path | None
    ) -> None:
        self._left, self._midi = frames, midi
        self._stems = stems
        self._delay = StemDelay(info.parts, info.stems_lead)
        self._gatherer = ScoreGatherer(0)
        self._position = 0

    def add(self, stream: Stream, frames: int) -> None:
        """Add the block of so many frames that the stream has just rendered."""
        frames = min(frames, self._left)
        score = stream.score
        if self._midi is not None and score is not None:
            span = ScoreSpan(self._position, self._position, self._position + frames, score)
            self._gatherer.add([span])
        if self._stems:
            block = self._delay.push(stream.stems)[:frames]
            for index, part in enumerate(self._delay.parts):
                self._stems[part].write(block[:, 2 * index : 2 * index + 2])
        self._position += frames
        self._left -= frames

    def finish(self) -> None:
        """Write the MIDI file."""
        if self._midi is not None:
            write_midi(self._midi, self._gatherer.score(self._position))


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def check_take(stems: Path | None, midi: Path | None) -> None:
    """SegueError where stems or MIDI file could not be written there."""
    if stems is not None:
        if stems.exists() and not stems.is_dir():
            raise SegueError(f"{stems} is not a folder: name a folder for --stems.")
        check_target((stems if stems.is_dir() else stems.parent) / "stem.wav")
    if midi is not None:
        if midi.suffix.lower() not in (".mid", ".midi"):
            raise SegueError(f"{midi} does not end in .mid: name a MIDI file to write.")
        check_target(midi)


@contextmanager
def take_writer(
    info: EngineInfo, seconds: float, stems: Path | None, midi: Path | None, sample_format: str
) -> Iterator[TakeWriter]:
    """Writer of the stems into a folder, and of a MIDI file; whole or not at all.

    Raises:
        SegueError: an engine without stems.

    """
    if stems is not None and not info.parts:
        raise SegueError(f"{info.name} has no stems: leave --stems out, or choose another engine.")
    from app.cli.files.wav import WavWriter

    frames = round(seconds * SAMPLE_RATE)
    with ExitStack() as stack:
        files = {}
        if stems is not None and not stems.is_dir():
            try:
                stems.mkdir()
            except OSError as error:
                raise SegueError(
                    f"the folder {stems} cannot be made ({error.strerror}): choose another."
                ) from None
            stack.callback(_remove_if_empty, stems)
        for part in info.parts if stems is not None else ():
            assert stems is not None
            temporary = stack.enter_context(whole_file(stems / f"{part}.wav"))
            files[part] = stack.enter_context(
                WavWriter(temporary, SAMPLE_RATE, 2, sample_format, frames)
            )
        writer = TakeWriter(info, frames, files, midi)
        yield writer
        writer.finish()
