"""Single hits of every drum kit, as raw material of the bank.

A kit is a table of drums, each with one or more takes. Recorded kits name a General MIDI program
and a key, so that kits share what they have in common; machines and hand drums are drawn once, with
a seed of their own.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.corpus.sound import drum_synth as drumsynth
from models.corpus.sound import drums
from models.corpus.sound.effects import crush, saturate
from models.corpus.sound.soundfont import Program, player
from models.music.score import DRUMS, EVENT, SAMPLE_RATE
from models.segue.studio.dynamics import loudness

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Shot:
    """Recorded hit: `name` is the same for the same sound, `audio` (n, 2), `gain` against the others of
    its kit, `layer` 0 for a hard hit and 1 for a soft one.
    """

    name: str
    audio: Audio
    gain: float = 1.0
    layer: int = 0


RECORDED: Final[dict[str, str]] = {
    "acoustic": "M128.0",
    "rock": "F128.16",
    "jazz": "F128.40",
    "funk": "F128.0",
    "lofi": "F128.8",
    "breaks": "M128.8",
    "orchestral": "F128.48",
    "marching": "F128.48",
    "latin": "F128.0",
    "metal": "M128.16",
    "dub": "F128.8",
}
"""The General MIDI program of each recorded kit."""
KEYS: Final[dict[str, int]] = {name: keys[0] for name, keys in drums.GM_KEYS.items()}
LENGTH: Final[dict[str, float]] = {
    "crash": 3.0, "ride": 2.2, "open_hat": 1.3, "kick": 1.0, "bell": 0.7, "shaker": 0.5,
    "tambourine": 0.7, "hat": 0.4, "clap": 0.7, "rim": 0.4,
}  # fmt: skip
SOFT: Final = frozenset({"snare", "kick", "hat", "ride", "tom_low", "tom_high"})
"""Drums that are sampled softly too."""
MACHINE_LEVELS: Final[dict[str, float]] = {
    "kick": 1.0, "snare": 0.75, "clap": 0.6, "rim": 0.45, "hat": 0.32, "open_hat": 0.34,
    "ride": 0.35, "crash": 0.5, "tom_low": 0.7, "tom_high": 0.65, "shaker": 0.3,
    "tambourine": 0.3, "perc_low": 0.75, "perc_mid": 0.65, "perc_high": 0.6, "bell": 0.3,
}  # fmt: skip


DRUMMER: Final[dict[str, float]] = {
    "kick": 1.0, "hat": -10.0, "open_hat": -8.0, "ride": -8.0, "crash": 0.0, "shaker": -11.0,
    "tambourine": -9.0,
}  # fmt: skip
"""Loudness of a hit over 0.4 s against the snare's, in dB, as a drummer and an engineer set it."""
MAX_TRIM_DB: Final = 5.0


def balance(levels: dict[str, float]) -> dict[str, float]:
    """Gains in dB that bring a kit half of the way to DRUMMER; `levels` in LUFS by drum."""
    if "snare" not in levels:
        return {}
    found = {}
    for drum, against in DRUMMER.items():
        if drum in levels:
            short = levels["snare"] + against - levels[drum]
            minimum = 0.0 if drum == "kick" else -MAX_TRIM_DB  # some kicks are meant to be huge
            found[drum] = min(max(0.5 * short, minimum), MAX_TRIM_DB)
    return found


def hit_level(x: Audio) -> float:
    """K-weighted loudness of the first 0.4 s of a hit (n, 2), in LUFS."""
    window = np.zeros((2, 19_200), np.float32)
    length = min(len(x), 19_200)
    window[:, :length] = x[:length].T
    return loudness(window)


def _struck(program: str, key: int, velocity: int, seconds: float) -> Audio:
    note = np.zeros(1, EVENT)
    note["off"], note["pitch"], note["velocity"] = 0.25, key, velocity
    return player().render(Program.parse(program), note, seconds)


def _character(kit: str, x: Audio) -> Audio:
    """Saturation and bit reduction of a kit, in the middle of the corpus' range."""
    if kit == "lofi":
        return crush(saturate(x * np.float32(1.6), 1.6), 11, 13_000.0)
    if kit == "breaks":
        return crush(saturate(x * np.float32(2.0), 2.0), 12, 21_000.0)
    if kit in ("dub", "funk"):
        return saturate(x * np.float32(1.6), 1.3)
    return x


def recorded(kit: str) -> dict[str, list[Shot]]:
    """The drums of a kit that was recorded."""
    program = RECORDED[kit]
    keys = dict(KEYS)
    if kit in ("latin", "jazz"):
        keys.update({name: k[0] for name, k in drums.GM_TIMBALES.items()})
    table: dict[str, list[Shot]] = {}
    rng = np.random.default_rng(zlib.crc32(kit.encode()))
    changed = kit in ("lofi", "breaks", "dub", "funk")
    for drum in DRUMS:
        shots = []
        velocities = (110, 62) if drum in SOFT and not changed else (110,)
        for layer, velocity in enumerate(velocities):
            audio = _struck(program, keys[drum], velocity, LENGTH.get(drum, 1.2))
            name = f"{program} {keys[drum]} {velocity}"
            if changed:
                audio, name = _character(kit, audio), f"{kit} {name}"
            if kit == "metal" and drum == "kick":
                click = drums.drum_machine(rng, "metal")["kick"]()
                audio = _added(audio, 0.4 * click)
                name = f"metal {name}"
            if kit == "marching" and drum in ("snare", "rim", "tom_high"):
                field = [drumsynth.snare(rng, hz, 0.5, 0.11, 1.0, 2500) for hz in (262, 287)]
                audio = _added(_added(audio, 0.25 * field[0]), 0.2 * field[1], 430)
                name = f"marching {name}"
            if np.abs(audio).max() > 1e-4:
                shots.append(Shot(name, audio, layer=layer))
        table[drum] = shots
    return table


def _added(audio: Audio, mono: NDArray[np.float64], at: int = 0) -> Audio:
    length = max(len(audio), at + len(mono))
    out = np.zeros((length, 2), np.float32)
    out[: len(audio)] += audio
    out[at : at + len(mono)] += mono[:, None].astype(np.float32)
    return out


def synthesised(kit: str) -> dict[str, list[Shot]]:
    """The drums of a machine or of a hand drum kit, two takes of each."""
    rng = np.random.default_rng([zlib.crc32(kit.encode()), 0])
    hands = kit in drums.HAND_DRUMS
    makers = drums.hand_drums(rng, kit) if hands else drums.drum_machine(rng, kit)
    width = 0.7
    table: dict[str, list[Shot]] = {}
    shared: dict[int, list[Shot]] = {}
    for drum in DRUMS:
        maker = makers[drum]
        if id(maker) in shared:
            table[drum] = shared[id(maker)]
            continue
        pan = 0.5
        if drum not in ("kick", "snare", "clap"):
            pan += width * rng.uniform(-0.3, 0.3)
        place = np.array([min(1.0, 2 * (1 - pan)), min(1.0, 2 * pan)])
        takes = 1 if drum in ("ride", "crash", "open_hat") else 2
        shots = []
        if hands and drum in ("ride", "crash"):  # hand drummers share their cymbals
            rng = np.random.default_rng(zlib.crc32(drum.encode()))
            maker = drums.hand_drums(rng, "congas")[drum]
        for take in range(takes):
            mono = maker()
            if kit == "industrial":
                mono = np.asarray(saturate(mono[:, None].astype(np.float32) * 2, 3.0)[:, 0])
            mono = mono[: int(SAMPLE_RATE * 2.2)]
            audio = (mono[:, None] * place).astype(np.float32)
            owner = "hands" if hands and drum in ("ride", "crash") else kit
            if owner == "hands":
                audio = mono[:, None].astype(np.float32).repeat(2, 1)
            shots.append(Shot(f"{owner} {drum} {take}", audio, MACHINE_LEVELS[drum]))
        table[drum] = shared[id(maker)] = shots
    return table


def drums_of(kit: str) -> dict[str, list[Shot]]:
    """Every drum of the score as a kit plays it."""
    return recorded(kit) if kit in RECORDED else synthesised(kit)
