"""DAWproject file of a take: its sound files and its notes as a project that DAWs open.

The open format of github.com/bitwig/dawproject, version 1.0: XML in a ZIP archive. The sound files
stay where they are, beside it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from app.files import whole_file
from app.recording.take.midi_file import CHANNELS
from app.recording.take.score import TakeScore
from models.music.score import PARTS, SAMPLE_RATE

AT_ONCE: Final = 250
"""Notes that are written between two calls of `give_way`."""
COLOURS: Final = {
    "mix": "#8a8f98", "drums": "#e0683c", "bass": "#d9a441", "chords": "#5aa469",
    "lead": "#4a8fd8", "extra": "#9a6ad6",
}  # fmt: skip


def write_project(
    path: Path,
    score: TakeScore,
    sounds: Mapping[str, str],
    title: str,
    give_way: Callable[[], object] = lambda: None,
) -> None:
    """Write a project, whole or not at all.

    Args:
        path: .dawproject file, in the folder of the sound files.
        score: of the take.
        sounds: file name of each sound: "mix", and the parts that have one.
        title: of the project.
        give_way: called between small parts of the work, so that other threads come first.

    Raises:
        SegueError: where it cannot be written.

    """
    metadata = Element("MetaData")
    SubElement(metadata, "Title").text = title
    with whole_file(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("project.xml", project_xml(score, sounds, give_way))
        archive.writestr("metadata.xml", _xml_of(metadata))


def _xml_of(element: Element) -> bytes:
    """XML file of an element."""
    text: bytes = ElementTree.tostring(element, encoding="UTF-8", xml_declaration=True)
    return text


def project_xml(
    score: TakeScore,
    sounds: Mapping[str, str],
    give_way: Callable[[], object] = lambda: None,
) -> bytes:
    """Project of a take as an XML file: a track for each sound, and one for each part's notes.

    Notes are put in as text: to make elements of a hundred thousand takes seconds, and a take is
    written again and again while it is recorded.
    """
    data = _xml_of(_project(score, sounds))
    for part in score.parts(PARTS):
        place = f">{_place_of(part)}<".encode()
        data = data.replace(place, f">{_notes(score, part, give_way)}<".encode(), 1)
    return data


class _Ids:
    """Identifiers of a project's elements."""

    def __init__(self) -> None:
        self._next = 0

    def __call__(self) -> str:
        self._next += 1
        return f"id{self._next}"


def _project(score: TakeScore, sounds: Mapping[str, str]) -> Element:
    """The project without its notes, but with the place of each part's."""
    ids = _Ids()
    project = Element("Project", version="1.0")
    SubElement(project, "Application", name="Segue", version="0.1")
    transport = SubElement(project, "Transport")
    grid = score.grid
    tempo, metre = ids(), ids()
    SubElement(
        transport, "Tempo", id=tempo, name="Tempo", unit="bpm", min="20", max="999",
        value=f"{grid.tempos[0].bpm:.6f}",
    )  # fmt: skip
    SubElement(
        transport, "TimeSignature", id=metre, numerator=str(grid.metres[0][1]), denominator="4"
    )
    structure = SubElement(project, "Structure")
    arrangement = SubElement(project, "Arrangement", id=ids())
    timelines = SubElement(arrangement, "Lanes", id=ids(), timeUnit="beats")
    master = ids()
    length = grid.beat_at(score.frames)
    for name in ("mix", *PARTS):
        if name in sounds:
            # The mix is there to compare with; the parts are what is played.
            muted = name == "mix" and len(sounds) > 1
            track = _track(structure, ids, name.capitalize(), "audio", name, master, muted)
            clip = _clip(timelines, ids, track, length, name)
            _sound(clip, ids, sounds[name], score.frames)
    for part in score.parts(PARTS):
        label = f"{part.capitalize()} notes"
        track = _track(structure, ids, label, "notes", part, master, False)
        clip = _clip(timelines, ids, track, length, label)
        SubElement(clip, "Notes", id=ids()).text = _place_of(part)
    _track(structure, ids, "Master", "audio notes", "mix", "", False, master)
    _markers(arrangement, ids, score)
    _changes(arrangement, ids, score, tempo, metre)
    return project


def _track(
    structure: Element, ids: _Ids, name: str, content: str, colour: str, destination: str,
    muted: bool, channel: str = "",
) -> str:  # fmt: skip
    """Add a track to the structure; its identifier. `channel` makes it the master."""
    identity = ids()
    track = SubElement(
        structure, "Track", id=identity, name=name, contentType=content, loaded="true",
        color=COLOURS[colour],
    )  # fmt: skip
    mixer = SubElement(
        track, "Channel", id=channel or ids(), role="master" if channel else "regular",
        audioChannels="2", solo="false",
    )  # fmt: skip
    if destination:
        mixer.set("destination", destination)
    SubElement(mixer, "Mute", id=ids(), name="Mute", value=str(muted).lower())
    SubElement(mixer, "Volume", id=ids(), name="Volume", unit="linear", min="0", max="2", value="1")
    return identity


def _clip(timelines: Element, ids: _Ids, track: str, length: float, name: str) -> Element:
    """A clip as long as the take, on a track's timeline."""
    timeline = SubElement(timelines, "Lanes", id=ids(), track=track)
    clips = SubElement(timeline, "Clips", id=ids())
    return SubElement(
        clips, "Clip", time="0", duration=f"{length:.6f}", playStart="0", name=name.capitalize()
    )


def _sound(clip: Element, ids: _Ids, name: str, frames: int) -> None:
    clip.set("contentTimeUnit", "seconds")
    seconds = f"{frames / SAMPLE_RATE:.6f}"
    audio = SubElement(
        clip, "Audio", id=ids(), algorithm="raw", channels="2", sampleRate=str(SAMPLE_RATE),
        duration=seconds,
    )  # fmt: skip
    SubElement(audio, "File", path=name, external="true")


def _place_of(part: str) -> str:
    """What stands for the notes of a part."""
    return f"notes of {part}"


def _notes(score: TakeScore, part: str, give_way: Callable[[], object]) -> str:
    """The notes of a part as XML elements."""
    channel = CHANNELS[part]
    start, stop, pitch, velocity = score.notes.of_part(part)
    begins, ends = (score.grid.beats_at(side.astype(np.float64)) for side in (start, stop))
    lengths = np.maximum(ends - begins, 1e-3)
    pieces: list[str] = []
    for at in range(0, len(start), AT_ONCE):
        few = slice(at, at + AT_ONCE)
        columns = (each[few].tolist() for each in (begins, lengths, pitch, velocity / 127))
        pieces += [
            f'<Note time="{begin:.6f}" duration="{length:.6f}" channel="{channel}" '
            f'key="{key}" vel="{loud:.6f}" />'
            for begin, length, key, loud in zip(*columns, strict=True)
        ]
        give_way()
    return "".join(pieces)


def _markers(arrangement: Element, ids: _Ids, score: TakeScore) -> None:
    if score.markers:
        markers = SubElement(arrangement, "Markers", id=ids())
        for marker in score.markers:
            SubElement(
                markers, "Marker", time=f"{score.grid.beat_at(marker.frame):.6f}", name=marker.text
            )


def _changes(arrangement: Element, ids: _Ids, score: TakeScore, tempo: str, metre: str) -> None:
    """Automation of tempo and metre."""
    tempos: Sequence[Element] = [
        Element("RealPoint", time=str(t.beat), value=f"{t.bpm:.6f}", interpolation="hold")
        for t in score.grid.tempos
    ]
    metres: Sequence[Element] = [
        Element("TimeSignaturePoint", time=str(beat), numerator=str(beats), denominator="4")
        for beat, beats in score.grid.metres
    ]
    for name, target, unit, found in (
        ("TempoAutomation", tempo, "bpm", tempos), ("TimeSignatureAutomation", metre, "", metres),
    ):  # fmt: skip
        points = SubElement(arrangement, name, id=ids(), timeUnit="beats")
        if unit:
            points.set("unit", unit)
        SubElement(points, "Target", parameter=target)
        points.extend(found)
