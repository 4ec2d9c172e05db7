"""SoundFont player: libfluidsynth through ctypes.

There is one synthesiser per process with two General MIDI banks (FluidR3 GM and MuseScore General,
both MIT). Samples of a preset are loaded at first use. Parts are rendered without reverb.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import SegueError
from models.music.score import SAMPLE_RATE

FONTS: Final[dict[str, tuple[str, ...]]] = {
    "F": ("/usr/share/sounds/sf2/FluidR3_GM.sf2", "/usr/share/soundfonts/FluidR3_GM.sf2"),
    "M": (
        "/usr/share/sounds/sf3/MuseScore_General_Full.sf3",
        "/usr/share/sounds/sf3/MuseScore_General.sf3",
    ),
}
"""Letter of a bank -> its paths on Debian, Ubuntu and Fedora."""
QUANTUM: Final = 64  # fluidsynth's own block: 1.3 ms


class Program(NamedTuple):
    """Preset of a bank, written 'F0', 'M8.4' (bank 8) or 'F128.25' (a drum kit)."""

    font: str
    bank: int
    program: int

    @classmethod
    def parse(cls, text: str) -> Program:
        bank, _, program = text[1:].rpartition(".")
        return cls(text[0], int(bank or 0), int(program))


def available() -> bool:
    """Whether the library and both banks are installed."""
    return ctypes.util.find_library("fluidsynth") is not None and all(map(_font_path, FONTS))


def _font_path(letter: str) -> Path | None:
    return next((Path(p) for p in FONTS[letter] if Path(p).exists()), None)


class SoundFontPlayer:
    """Instance of fluidsynth. Not thread-safe."""

    CHANNEL: Final = 0
    DRUM_CHANNEL: Final = 9
    VOICES: Final = 96

    def __init__(self) -> None:
        name = ctypes.util.find_library("fluidsynth")
        if name is None:
            raise SegueError(
                "The corpus needs libfluidsynth; install it, on Debian or Ubuntu with "
                "'apt install libfluidsynth3 fluid-soundfont-gm musescore-general-soundfont'."
            )
        lib = ctypes.CDLL(name)
        number, handle, integer = ctypes.c_double, ctypes.c_void_p, ctypes.c_int
        lib.new_fluid_settings.restype = handle
        lib.new_fluid_synth.restype = handle
        lib.new_fluid_synth.argtypes = [handle]
        lib.fluid_settings_setint.argtypes = [handle, ctypes.c_char_p, integer]
        lib.fluid_settings_setnum.argtypes = [handle, ctypes.c_char_p, number]
        lib.fluid_synth_sfload.argtypes = [handle, ctypes.c_char_p, integer]
        lib.fluid_synth_pin_preset.argtypes = [handle, *[integer] * 3]
        lib.fluid_synth_program_select.argtypes = [handle, *[integer] * 4]
        lib.fluid_synth_noteon.argtypes = [handle, *[integer] * 3]
        lib.fluid_synth_noteoff.argtypes = [handle, *[integer] * 2]
        lib.fluid_synth_cc.argtypes = [handle, *[integer] * 3]
        lib.fluid_synth_pitch_bend.argtypes = [handle, *[integer] * 2]
        lib.fluid_synth_all_sounds_off.argtypes = [handle, integer]
        lib.fluid_synth_system_reset.argtypes = [handle]
        lib.fluid_synth_write_float.argtypes = [
            handle,
            integer,
            handle,
            integer,
            integer,
            handle,
            integer,
            integer,
        ]
        lib.fluid_set_log_function.argtypes = [integer, handle, handle]
        for level in range(1, 5):  # no logging; return values are checked
            lib.fluid_set_log_function(level, None, None)
        settings = lib.new_fluid_settings()
        for key, value in {
            b"synth.dynamic-sample-loading": 1,
            b"synth.reverb.active": 0,
            b"synth.chorus.active": 0,
            b"synth.cpu-cores": 1,
            b"synth.polyphony": self.VOICES,
        }.items():
            lib.fluid_settings_setint(settings, key, value)
        lib.fluid_settings_setnum(settings, b"synth.sample-rate", float(SAMPLE_RATE))
        lib.fluid_settings_setnum(settings, b"synth.gain", 0.4)
        self._lib = lib
        self._synth = lib.new_fluid_synth(settings)
        self._ids: dict[str, int] = {}
        self._pinned: set[Program] = set()

    def _font(self, letter: str) -> int:
        if letter not in self._ids:
            path = _font_path(letter)
            if path is None:
                raise SegueError(
                    f"The sound bank {Path(FONTS[letter][0]).name} is missing; on Debian or Ubuntu "
                    "install fluid-soundfont-gm and musescore-general-soundfont."
                )
            self._ids[letter] = self._lib.fluid_synth_sfload(self._synth, str(path).encode(), 0)
        return self._ids[letter]

    def _reset_voices(self) -> None:
        """Bring all voices into the same state, for deterministic rendering.

        fluidsynth starts a note with the last gain and filter of its voice. So all voices play
        plain notes; twice, because voices are double-buffered.
        """
        lib, synth = self._lib, self._synth
        lib.fluid_synth_system_reset(synth)
        lib.fluid_synth_program_select(synth, self.CHANNEL, self._font("F"), 0, 0)
        buffer = np.zeros(2 * QUANTUM, np.float32).ctypes
        for _ in range(2):
            for key in range(24, 24 + self.VOICES):
                lib.fluid_synth_noteon(synth, self.CHANNEL, key, 64)
            for _ in range(2):
                lib.fluid_synth_write_float(synth, QUANTUM, buffer.data, 0, 1, buffer.data, 0, 1)
                lib.fluid_synth_all_sounds_off(synth, self.CHANNEL)

    def render(
        self,
        program: Program,
        notes: NDArray[np.void],
        seconds: float,
        *,
        cents: float = 0.0,
        scoop: float = 0.0,
        controls: Mapping[int, int] | None = None,
    ) -> NDArray[np.float32]:
        """Render notes (fields on, off, pitch, velocity; seconds) -> float32 (n, 2).

        `cents`: detuning; `scoop`: every note slides up to its pitch from so many cents below;
        `controls`: MIDI controllers at the start.
        """
        lib, synth = self._lib, self._synth
        font = self._font(program.font)
        if program not in self._pinned:
            lib.fluid_synth_pin_preset(synth, font, program.bank, program.program)
            self._pinned.add(program)
        self._reset_voices()
        channel = self.DRUM_CHANNEL if program.bank == 128 else self.CHANNEL
        lib.fluid_synth_system_reset(synth)
        if lib.fluid_synth_program_select(synth, channel, font, program.bank, program.program):
            raise SegueError(f"The sound bank has no preset {program}; is it another version?")
        for controller, value in (controls or {}).items():
            lib.fluid_synth_cc(synth, channel, controller, value)
        wheel = 8192 + round(8192 * cents / 200)
        lib.fluid_synth_pitch_bend(synth, channel, min(16383, max(0, wheel)))

        total = round(seconds * SAMPLE_RATE)
        left = np.zeros(total, np.float32)
        right = np.zeros(total, np.float32)
        left_at, right_at = left.ctypes.data, right.ctypes.data
        rendered = 0
        for quantum, kind, first, second in _events(notes, scoop, wheel):
            end_sample = min(total, quantum * QUANTUM)
            if end_sample > rendered:
                lib.fluid_synth_write_float(
                    synth,
                    end_sample - rendered,
                    left_at + 4 * rendered,
                    0,
                    1,
                    right_at + 4 * rendered,
                    0,
                    1,
                )
                rendered = end_sample
            if rendered >= total:
                break
            if kind == 0:
                lib.fluid_synth_noteoff(synth, channel, first)
            elif kind == 1:
                lib.fluid_synth_pitch_bend(synth, channel, first)
            else:
                lib.fluid_synth_noteon(synth, channel, first, second)
        if rendered < total:
            lib.fluid_synth_write_float(
                synth, total - rendered, left_at + 4 * rendered, 0, 1, right_at + 4 * rendered, 0, 1
            )
        lib.fluid_synth_all_sounds_off(synth, channel)
        return np.stack([left, right], axis=1)


def _events(notes: NDArray[np.void], scoop: float, wheel: int) -> list[tuple[int, int, int, int]]:
    """Events of notes in order: quantum, kind (0 note off, 1 bend, 2 note on), and two values."""
    events: list[tuple[int, int, int, int]] = []
    rate = SAMPLE_RATE / QUANTUM
    for note in notes:
        begin = round(float(note["on"]) * rate)
        end = max(begin + 2, round(float(note["off"]) * rate))
        pitch = int(note["pitch"])
        events.append((begin, 2, pitch, int(note["velocity"])))
        events.append((end, 0, pitch, 0))
        if scoop:
            for step in range(13):
                share = (1 - step / 12) ** 2
                bent = wheel - round(8192 * scoop * share / 200)
                events.append((begin + step * 7, 1, min(16383, max(0, bent)), 0))
    return sorted(events)


@lru_cache(maxsize=1)
def player() -> SoundFontPlayer:
    """The synthesiser of this process."""
    return SoundFontPlayer()
