"""Table of productions: effects and mix of families of styles."""

from __future__ import annotations

from typing import Final

from models.music.song import Production as P

DRY: Final = P("room", 0.12, compress=0.35)
ROOM: Final = P("room", 0.22, compress=0.25)
STUDIO: Final = P("plate", 0.18, compress=0.4, drive=0.1, tilt_db=0.5)
POP: Final = P("plate", 0.22, delay=0.1, compress=0.55, drive=0.12, width=1.15, tilt_db=1.5)
CLUB: Final = P("plate", 0.18, delay=0.15, pump=0.55, compress=0.6, drive=0.2, width=1.15, tilt_db=0.8)
TECHNO: Final = P("hall", 0.2, delay=0.25, pump=0.5, compress=0.6, drive=0.35, tilt_db=-0.8)
MINIMAL: Final = P("room", 0.16, delay=0.3, pump=0.35, compress=0.4, drive=0.12, tilt_db=-0.5)
TRANCE: Final = P("hall", 0.34, delay=0.3, pump=0.7, compress=0.6, width=1.4, tilt_db=1.5)
BASS: Final = P("plate", 0.14, delay=0.12, pump=0.3, compress=0.75, drive=0.4, width=1.1)
HYPER: Final = P("plate", 0.16, pump=0.5, compress=0.9, drive=0.6, width=1.3, tilt_db=3.0, bits=12)
HIPHOP: Final = P("room", 0.12, compress=0.5, drive=0.2, vinyl=0.15, tilt_db=-0.5, bits=12)
LOFI: Final = P("room", 0.2, tape=0.6, vinyl=0.6, compress=0.4, pump=0.2, tilt_db=-3.0, lowpass_hz=6500.0,
                bits=12, rate_hz=26000)
VAPOR: Final = P("hall", 0.45, tape=0.55, chorus=0.5, compress=0.4, tilt_db=-2.0, lowpass_hz=7500.0, width=1.3,
                 levels_db={"drums": -2.0})
SOUL: Final = P("plate", 0.2, compress=0.4, drive=0.15, tape=0.15, tilt_db=-0.3)
FUNK: Final = P("room", 0.12, compress=0.5, drive=0.15, tape=0.15, tilt_db=0.6)
ROCK: Final = P("room", 0.22, compress=0.5, drive=0.3, tilt_db=0.5)
HARD: Final = P("room", 0.2, compress=0.65, drive=0.45, width=1.2, tilt_db=1.0)
GARAGE: Final = P("spring", 0.22, compress=0.6, drive=0.5, tape=0.25, width=0.6, tilt_db=0.5)
INDUSTRIAL: Final = P("gated", 0.25, delay=0.1, compress=0.75, drive=0.65, bits=10, tilt_db=0.3)
SURF: Final = P("spring", 0.5, compress=0.35, drive=0.12, tape=0.15, width=0.8, tilt_db=1.0)
PSYCH: Final = P("plate", 0.35, delay=0.3, phaser=0.45, tape=0.35, drive=0.25, width=1.3)
POSTROCK: Final = P("hall", 0.5, delay=0.4, compress=0.4, drive=0.2, width=1.3)
DUB: Final = P("spring", 0.4, delay=0.6, delay_beats=0.75, delay_feedback=0.6, tape=0.3, compress=0.4,
               tilt_db=-2.0, levels_db={"bass": 2.5})
SKA: Final = P("spring", 0.18, compress=0.4, drive=0.1, tape=0.15, tilt_db=0.5)
OLD: Final = P("room", 0.25, tape=0.4, vinyl=0.35, width=0.35, lowpass_hz=6000.0, drive=0.15, tilt_db=-0.5)
DELTA: Final = P("room", 0.2, vinyl=0.35, tape=0.4, width=0.4, lowpass_hz=7000.0, drive=0.15)
FOLK: Final = P("room", 0.2, compress=0.25, width=0.9)
JAZZ: Final = P("room", 0.28, compress=0.2, tape=0.15, tilt_db=-0.5)
LATIN: Final = P("room", 0.18, compress=0.35, tilt_db=0.5)
CHAMBER: Final = P("chamber", 0.32, compress=0.1)
HALL: Final = P("hall", 0.42, compress=0.15, width=1.2)
EPIC: Final = P("hall", 0.45, compress=0.45, drive=0.1, width=1.35, tilt_db=0.5)
CATHEDRAL: Final = P("cathedral", 0.5, compress=0.1)
AMBIENT: Final = P("cathedral", 0.6, delay=0.35, delay_beats=1.5, delay_feedback=0.5, chorus=0.3, width=1.45,
                   compress=0.2, tilt_db=-1.5, tape=0.15)
CHILL: Final = P("hall", 0.35, delay=0.25, pump=0.25, chorus=0.2, compress=0.35, width=1.25, tilt_db=-0.8)
DREAM: Final = P("hall", 0.55, delay=0.3, chorus=0.5, phaser=0.1, width=1.4, compress=0.25, tilt_db=-0.5)
SYNTH80: Final = P("gated", 0.3, delay=0.2, chorus=0.35, compress=0.5, width=1.25, tilt_db=1.2)
INDIETRONIC: Final = P("plate", 0.28, delay=0.2, pump=0.3, tape=0.2, chorus=0.2, compress=0.45, width=1.2)
CHIP: Final = P("none", 0.0, compress=0.3, bits=8, rate_hz=22050, width=0.5, tilt_db=1.0)
OPEN_AIR: Final = P("chamber", 0.2, compress=0.25, tilt_db=0.8, width=1.2)
INTIMATE: Final = P("room", 0.16, compress=0.15, width=0.9)
GLITCH: Final = P("plate", 0.16, delay=0.2, pump=0.3, compress=0.65, drive=0.35, bits=10, width=1.25, tilt_db=1.0)
