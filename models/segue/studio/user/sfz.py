"""SFZ instruments: the regions of a file, and its samples.

Opcodes that are read: sample, key, lokey, hikey, pitch_keycenter, lovel, hivel, loop_mode,
loop_start, loop_end, offset, end, volume, amplitude, pan, tune, transpose, ampeg_delay, _attack,
_hold, _decay, _sustain and _release, amp_veltrack, pitch_keytrack, seq_length, seq_position,
lorand, hirand, group, off_by, cutoff, trigger, and of <control> default_path, note_offset and
octave_offset. Regions that only a pedal, a key switch or a released key would sound are left out.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from models.errors import SegueError
from models.segue.studio.user.audio_files import read_sample
from models.segue.studio.user.note_names import midi_note
from models.segue.studio.user.regions import AmplitudeEnvelope, RegionSpec, UserFile, WaveSource
from models.segue.studio.user.sfz_text import MAX_BYTES, region_opcodes

ALIASES: Final = {
    "loopmode": "loop_mode", "loopstart": "loop_start", "loopend": "loop_end", "pitch": "tune",
    "off_group": "off_by",
}  # fmt: skip
LOOP_MODES: Final = {
    "no_loop": "none", "one_shot": "one_shot", "loop_continuous": "loop", "loop_sustain": "loop",
}  # fmt: skip
KNOWN: Final = frozenset(
    [
        "sample",
        "key",
        "lokey",
        "hikey",
        "pitch_keycenter",
        "lovel",
        "hivel",
        "loop_mode",
        "loop_start",
        "loop_end",
        "offset",
        "end",
        "volume",
        "amplitude",
        "pan",
        "tune",
        "transpose",
        "ampeg_delay",
        "ampeg_attack",
        "ampeg_hold",
        "ampeg_decay",
        "ampeg_sustain",
        "ampeg_release",
        "amp_veltrack",
        "pitch_keytrack",
        "seq_length",
        "seq_position",
        "lorand",
        "hirand",
        "group",
        "off_by",
        "cutoff",
        "trigger",
        "sw_last",
        "sw_default",
        "sw_lokey",
        "sw_hikey",
        "default_path",
        "note_offset",
        "octave_offset",
        "group_label",
        "region_label",
        "global_label",
        "master_label",
        "sw_label",
        "polyphony",
    ]
)
_CONTROLLER: Final = re.compile(r"(?:on_)?(lo|hi)cc(\d+)|set_cc(\d+)|label_cc\d+")


def read_sfz(path: Path) -> UserFile:
    """An SFZ file.

    Args:
        path: of the file; its samples are sought from its folder on.

    Raises:
        SegueError: it cannot be read, or nothing in it sounds.

    """
    texts = [0]

    def include(name: str) -> str:
        target = found_file(path.parent, name)
        if target is None:
            raise SegueError(f"{path} includes '{name}', which is not there: restore that file.")
        texts[0] += 1
        return _text(target)

    try:
        opcodes = region_opcodes(_text(path), include)
    except SegueError as error:
        raise SegueError(f"{path.name} cannot be played: {error}") from None
    unknown: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    specs = []
    files: dict[str, Path] = {}
    switch = _first_switch(opcodes)
    for region in opcodes:
        values = {ALIASES.get(name, name): value for name, value in region.items()}
        unknown.update(n for n in values if not _known(n))
        if _silent(values, switch):
            continue
        name = values.get("control:default_path", "") + values["sample"]
        if name not in files:
            target = found_file(path.parent, name)
            if target is None:
                missing[name] += 1
                continue
            files[name] = target
        specs.append(_spec(values, name))
    if not specs:
        reason = "its samples are missing" if missing else "it has no region that sounds"
        raise SegueError(f"{path.name} cannot be played: {reason}; give an SFZ file with samples.")
    remarks = []
    if missing:
        remarks.append(f"{len(missing)} of its samples are missing")
    if unknown:
        some = ", ".join(name for name, _ in unknown.most_common(3))
        remarks.append(f"{len(unknown)} kinds of opcodes have no effect here ({some})")

    def read(source: str, seconds: float) -> WaveSource:
        return read_sample(files[source], seconds)

    return UserFile(path.stem, tuple(specs), read, tuple(remarks))


def found_file(folder: Path, name: str) -> Path | None:
    """A file by the name that stands in an SFZ: backslashes, and capitals as on other systems."""
    plain = name.strip().replace("\\", "/")
    if not plain or "\0" in plain:
        return None
    try:
        target = folder / plain
        if target.is_file():
            return target
        here = folder
        for step in Path(plain).parts:
            if step in ("..", "/") or (here / step).exists():
                here = here / step
                continue
            match = next((p for p in here.iterdir() if p.name.lower() == step.lower()), None)
            if match is None:
                return None
            here = match
        return here if here.is_file() else None
    except OSError:
        return None


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise SegueError(f"there is no file {path}: restore it.")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SegueError(f"{path} cannot be read ({error.strerror}): check its folder.") from None
    if len(raw) > MAX_BYTES or b"\0" in raw[:4096]:
        raise SegueError(f"{path.name} is no SFZ text: give an SFZ file.")
    return raw.decode("utf-8-sig", errors="replace")


def _known(name: str) -> bool:
    plain = name.removeprefix("control:")
    return plain in KNOWN or _CONTROLLER.fullmatch(plain) is not None


def _first_switch(regions: list[dict[str, str]]) -> int | None:
    """The key switch that is on at the beginning; None where there are none."""
    switches = [midi_note(r["sw_last"]) for r in regions if "sw_last" in r]
    known = [key for key in switches if key is not None]
    for region in regions:
        chosen = midi_note(region.get("sw_default", ""))
        if chosen is not None:
            return chosen
    return min(known, default=None)


def _silent(values: Mapping[str, str], switch: int | None) -> bool:
    """Whether no plain note sounds this region."""
    sample = values.get("sample", "")
    if not sample or sample.startswith("*") or values.get("end") in ("-1", "0"):
        return True
    if values.get("trigger", "attack") not in ("attack", "first"):
        return True
    if "-1" in (values.get("lokey"), values.get("hikey"), values.get("key")):
        return True
    if "sw_last" in values and midi_note(values["sw_last"]) != switch:
        return True
    for name, value in values.items():
        match = _CONTROLLER.fullmatch(name)
        if match is None or match.group(2) is None:
            continue
        if name.startswith("on_"):
            return True
        now = _number(values, f"control:set_cc{match.group(2)}", 0.0)
        limit = _number({name: value}, name, 0.0)
        if (match.group(1) == "lo" and now < limit) or (match.group(1) == "hi" and now > limit):
            return True
    return False


def _spec(values: Mapping[str, str], source: str) -> RegionSpec:
    shift = round(_number(values, "control:note_offset", 0.0))
    shift += 12 * round(_number(values, "control:octave_offset", 0.0))
    key = _key(values, "key", shift)
    low, high = _key(values, "lokey", shift), _key(values, "hikey", shift)
    low = low if low is not None else key if key is not None else 0
    high = high if high is not None else key if key is not None else 127
    center = values.get("pitch_keycenter")
    root = None if center == "sample" else _key(values, "pitch_keycenter", shift)
    if root is None and center != "sample":
        root = key if key is not None else 60
    begin, stop = _whole(values, "loop_start"), _whole(values, "loop_end")
    loop = (begin or 0, stop + 1) if stop is not None and stop > (begin or 0) else None
    mode = LOOP_MODES.get(values.get("loop_mode", ""), "file")
    length = max(1, _whole(values, "seq_length") or 1)
    position = min(max(_whole(values, "seq_position") or 1, 1), length)
    end = _whole(values, "end")
    amplitude = _number(values, "amplitude", 100.0) / 100
    volume = _number(values, "volume", 0.0)
    volume += 20 * math.log10(max(amplitude, 1e-4)) if amplitude != 1.0 else 0.0
    cutoff = _number(values, "cutoff", 0.0)
    return RegionSpec(
        source,
        root,
        (max(0, min(low, high)), min(127, max(low, high))),
        (_whole(values, "lovel") or 0, 127 if (v := _whole(values, "hivel")) is None else v),
        _number(values, "tune", 0.0) + 100 * _number(values, "transpose", 0.0),
        min(max(volume, -80.0), 24.0),
        min(max(_number(values, "pan", 0.0) / 100, -1.0), 1.0),
        loop,
        mode,
        max(0, _whole(values, "offset") or 0),
        None if end is None else end + 1,
        AmplitudeEnvelope(
            _seconds(values, "ampeg_delay"),
            _seconds(values, "ampeg_attack"),
            _seconds(values, "ampeg_hold"),
            _seconds(values, "ampeg_decay"),
            min(max(_number(values, "ampeg_sustain", 100.0) / 100, 0.0), 1.0),
        ),
        max(0.02, _seconds(values, "ampeg_release", 0.05)),
        (length, position),
        (_number(values, "lorand", 0.0), _number(values, "hirand", 1.0)),
        _whole(values, "group") or 0,
        _whole(values, "off_by") or 0,
        min(max(_number(values, "amp_veltrack", 100.0) / 100, 0.0), 1.0),
        min(max(_number(values, "pitch_keytrack", 100.0), -1200.0), 1200.0),
        cutoff if 20.0 < cutoff < 18_000.0 else None,
    )  # fmt: skip


def _number(values: Mapping[str, str], name: str, usual: float) -> float:
    """A number; the usual one where there is none that can be read."""
    try:
        number = float(values.get(name, usual))
    except ValueError:
        return usual
    return number if math.isfinite(number) else usual


def _whole(values: Mapping[str, str], name: str) -> int | None:
    number = _number(values, name, math.nan) if name in values else math.nan
    return int(number) if math.isfinite(number) and abs(number) < 2**40 else None


def _seconds(values: Mapping[str, str], name: str, usual: float = 0.0) -> float:
    return min(max(_number(values, name, usual), 0.0), 60.0)


def _key(values: Mapping[str, str], name: str, shift: int) -> int | None:
    key = midi_note(values.get(name, ""))
    return None if key is None else min(max(key + shift, 0), 127)
