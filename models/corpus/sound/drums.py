"""Drum kits: a sound for every drum of the score in every kit of the score.

Recorded kits come from the General MIDI banks, machine and hand drum kits from `drum_synth`, with
random parameters for each clip.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.corpus.sound import drum_synth as d
from models.corpus.sound.soundfont import Program, player
from models.errors import SegueError
from models.music.score import DRUMS, SAMPLE_RATE

Rng = np.random.Generator
Maker = Callable[[], d.Shot]

GM_KEYS: Final[dict[str, tuple[int, ...]]] = {
    "kick": (36, 35), "snare": (38, 40), "clap": (39,), "rim": (37,), "hat": (42,),
    "open_hat": (46,), "ride": (51,), "crash": (49, 57), "tom_low": (41, 43, 45),
    "tom_high": (48, 50), "shaker": (82, 70), "tambourine": (54,), "perc_low": (64,),
    "perc_mid": (63,), "perc_high": (62,), "bell": (56,),
}  # fmt: skip
GM_BONGOS: Final = {"perc_low": (61,), "perc_mid": (60,), "perc_high": (60,), "bell": (76,)}
GM_TIMBALES: Final = {"perc_low": (66, 64), "perc_mid": (63,), "perc_high": (65, 62)}

GM_KITS: Final[dict[str, tuple[str, ...]]] = {
    "acoustic": ("F128.0", "M128.0", "F128.8", "M128.8", "F128.1", "M128.2", "F128.10"),
    "rock": ("F128.16", "M128.16", "F128.8", "M128.17", "F128.9", "M128.9"),
    "jazz": ("F128.40", "M128.40", "F128.32", "M128.32", "F128.41", "M128.33"),
    "funk": ("F128.0", "M128.0", "F128.3", "M128.4", "F128.11"),
    "lofi": ("F128.0", "M128.0", "F128.8", "F128.32", "M128.32"),
    "breaks": ("F128.0", "M128.0", "F128.16", "M128.8", "F128.5"),
    "orchestral": ("F128.48", "M128.48"),
    "marching": ("F128.48", "M128.48"),
    "latin": ("F128.0", "M128.0", "F128.8", "M128.1"),
    "metal": ("F128.16", "M128.16", "F128.18", "M128.18"),
    "dub": ("F128.0", "M128.8", "F128.8", "M128.0"),
}
"""General MIDI programs of kits with recorded drums."""


def drum_machine(rng: Rng, kind: str) -> dict[str, Maker]:
    """Makers of the sixteen drums of an electronic kit."""
    u = rng.uniform
    k: dict[str, tuple[float, ...]] = {  # hz, sweep, bend, decay, click, drive
        "tr808": (u(44, 56), u(2.0, 3.5), u(0.012, 0.03), u(0.45, 1.1), u(0.02, 0.15), u(0, 0.5)),
        "tr909": (u(46, 58), u(4, 7), u(0.02, 0.04), u(0.22, 0.42), u(0.2, 0.5), u(0.2, 1.2)),
        "linn": (u(58, 72), u(1.8, 2.6), u(0.01, 0.02), u(0.14, 0.24), u(0.25, 0.5), u(0, 0.5)),
        "electronic": (u(45, 62), u(3, 8), u(0.015, 0.05), u(0.18, 0.4), u(0.1, 0.6), u(0, 2)),
        "industrial": (u(42, 58), u(5, 10), u(0.02, 0.05), u(0.2, 0.45), u(0.3, 0.8), u(3, 9)),
        "trap": (u(38, 50), u(3, 5), u(0.015, 0.03), u(0.5, 1.2), u(0.2, 0.5), u(0.8, 2.5)),
        "chip": (u(55, 75), u(4, 9), u(0.02, 0.04), u(0.1, 0.18), 0.0, u(2, 5)),
        "metal": (u(52, 64), u(3, 5), u(0.01, 0.02), u(0.12, 0.2), u(0.7, 1.2), u(0.5, 1.5)),
    }
    kick = k[kind]
    snare_hz = u(165, 235)
    base = u(380, 560)  # of the metal
    soft = kind in ("tr808", "trap")
    tom_low, tom_high = u(75, 110), u(140, 200)
    conga = u(180, 230)
    table: dict[str, Maker] = {
        "kick": lambda: d.kick(rng, *kick),
        "snare": lambda: d.snare(
            rng, snare_hz, u(0.5, 0.9), u(0.12, 0.25), u(0.5, 1.0), 1800 if not soft else 2600
        ),
        "clap": lambda: d.clap(rng, u(950, 1500), u(0.12, 0.3)),
        "rim": lambda: d.block(rng, u(1500, 1900), u(0.015, 0.04)),
        "hat": lambda: d.metal(rng, base, u(0.035, 0.09), u(6500, 9000), u(0.1, 0.6)),
        "open_hat": lambda: d.metal(rng, base, u(0.25, 0.7), u(6000, 8500), u(0.1, 0.6)),
        "ride": lambda: d.cymbal(rng, u(0.8, 1.6), 800, u(0.4, 0.8)),
        "crash": lambda: d.cymbal(rng, u(1.2, 2.4), 500, u(0.05, 0.25)),
        "tom_low": lambda: d.tom(rng, tom_low, u(0.25, 0.6)),
        "tom_high": lambda: d.tom(rng, tom_high, u(0.2, 0.45)),
        "shaker": lambda: d.shaker(rng, u(5000, 8000), u(0.05, 0.1)),
        "tambourine": lambda: d.tambourine(rng, u(0.12, 0.3)),
        "perc_low": lambda: d.tom(rng, conga, u(0.15, 0.3), 0.3),
        "perc_mid": lambda: d.tom(rng, conga * 1.35, u(0.12, 0.22), 0.3),
        "perc_high": lambda: d.tom(rng, conga * 1.8, u(0.08, 0.16), 0.4),
        "bell": lambda: d.cowbell(rng, u(520, 600), u(0.2, 0.5)),
    }
    if kind == "linn":
        table["snare"] = lambda: d.snare(rng, u(180, 210), 0.7, u(0.14, 0.2), 0.9, 1200, 0.6)
        table["hat"] = lambda: d.metal(rng, base, u(0.04, 0.07), 7000, 0.8)
    if kind == "tr909":
        table["snare"] = lambda: d.snare(rng, u(180, 230), 0.8, u(0.14, 0.24), 1.0, 1500, 0.8)
        table["hat"] = lambda: d.metal(rng, base, u(0.04, 0.08), u(7500, 9500), 0.7)
    if kind == "industrial":
        table["snare"] = lambda: d.snare(rng, u(140, 220), 0.6, u(0.15, 0.35), 1.0, 900, u(3, 8))
        table["rim"] = lambda: d.clang(rng, u(300, 700), u(0.1, 0.25), u(1, 4))
        table["bell"] = lambda: d.clang(rng, u(200, 500), u(0.3, 0.8), u(1, 4))
        table["perc_mid"] = lambda: d.clang(rng, u(150, 400), u(0.15, 0.4), u(2, 5))
        table["perc_high"] = lambda: d.clang(rng, u(400, 900), u(0.1, 0.3), u(2, 5))
        table["clap"] = lambda: d.snare(rng, 320, 0.1, u(0.1, 0.3), 1.0, 700, u(3, 8))
    if kind == "trap":
        table["hat"] = lambda: d.metal(rng, base, u(0.025, 0.05), 8500, u(0.3, 0.7))
        table["snare"] = lambda: d.snare(rng, u(190, 260), 0.4, u(0.12, 0.22), 1.0, 1800, 0.8)
    if kind == "chip":
        table["snare"] = lambda: d.noise_hit(rng, u(7000, 12000), u(0.1, 0.18), 15)
        table["clap"] = lambda: d.noise_hit(rng, u(4000, 7000), u(0.08, 0.15), 15)
        table["hat"] = lambda: d.noise_hit(rng, u(20000, 30000), u(0.02, 0.05), 15)
        table["open_hat"] = lambda: d.noise_hit(rng, u(18000, 26000), u(0.12, 0.25), 15)
        table["ride"] = lambda: d.noise_hit(rng, u(16000, 22000), u(0.1, 0.2), 8)
        table["crash"] = lambda: d.noise_hit(rng, u(9000, 14000), u(0.5, 0.9), 15)
        table["shaker"] = lambda: d.noise_hit(rng, u(24000, 34000), u(0.02, 0.04), 6)
        table["tambourine"] = lambda: d.noise_hit(rng, u(22000, 30000), u(0.05, 0.1), 6)
    return table


HAND_DRUMS: Final[
    dict[str, dict[str, tuple[float, float, float, tuple[float, ...], float, float]]]
] = {
    # drum: hz, decay, slap, modes, bend, brightness of the hand
    "congas": {
        "perc_low": (165, 0.38, 0.25, (1, 1.59), 0.06, 1800),
        "perc_mid": (220, 0.3, 0.35, (1, 1.59, 2.14), 0.05, 2400),
        "perc_high": (235, 0.1, 1.0, (1, 2.3, 3.1), 0.03, 3400),
    },
    "bongos": {
        "perc_low": (310, 0.2, 0.4, (1, 1.59), 0.05, 2600),
        "perc_mid": (430, 0.15, 0.5, (1, 1.59, 2.14), 0.05, 3200),
        "perc_high": (455, 0.07, 1.0, (1, 2.3, 3.0), 0.03, 4200),
    },
    "djembe": {
        "perc_low": (74, 0.5, 0.2, (1, 2.1), 0.12, 900),
        "perc_mid": (205, 0.25, 0.5, (1, 1.59, 2.3), 0.06, 2600),
        "perc_high": (330, 0.12, 1.2, (1, 1.6, 2.3, 3.2), 0.04, 4500),
    },
    "tabla": {
        "perc_low": (88, 0.6, 0.12, (1, 2.0), -0.3, 900),
        "perc_mid": (330, 0.55, 0.2, (1, 2.0, 3.01, 4.0), 0.01, 3200),
        "perc_high": (345, 0.3, 0.9, (1, 2.0, 3.0, 4.02, 5.0), 0.01, 4800),
    },
    "frame": {
        "perc_low": (82, 0.6, 0.25, (1, 1.59, 2.14), 0.05, 700),
        "perc_mid": (125, 0.35, 0.5, (1, 1.59, 2.3), 0.04, 1600),
        "perc_high": (260, 0.12, 1.3, (1, 1.8, 2.6), 0.03, 3200),
    },
}


def hand_drums(rng: Rng, kind: str) -> dict[str, Maker]:
    """Makers of the sixteen drums of a hand drum kit."""
    u = rng.uniform
    size = 2.0 ** u(-0.18, 0.18)
    table: dict[str, Maker] = {}

    def skin(name: str) -> Maker:
        hz, decay, slap, ring, bend, bright = HAND_DRUMS[kind][name]
        return lambda: d.skin(
            rng, hz * size * 2 ** u(-0.01, 0.01), decay * u(0.75, 1.3), slap * u(0.7, 1.3), ring,
            bend, bright * u(0.8, 1.25),
        )  # fmt: skip

    for name in ("perc_low", "perc_mid", "perc_high"):
        table[name] = skin(name)
    table["kick"] = table["tom_low"] = skin("perc_low")
    table["snare"] = table["clap"] = skin("perc_high")
    table["tom_high"] = skin("perc_mid")
    table["rim"] = lambda: d.block(rng, u(900, 1500), u(0.02, 0.05))
    table["bell"] = lambda: d.block(rng, u(1100, 2300), u(0.04, 0.12))
    table["hat"] = table["shaker"] = lambda: d.shaker(rng, u(4500, 7500), u(0.05, 0.12))
    table["open_hat"] = table["tambourine"] = lambda: d.tambourine(rng, u(0.15, 0.35))
    table["ride"] = lambda: d.cymbal(rng, u(0.5, 1.0), 900, u(0.4, 0.8))
    table["crash"] = lambda: d.cymbal(rng, u(1.0, 2.0), 500, 0.2)
    return table


SYNTHETIC: Final = ("tr808", "tr909", "linn", "electronic", "industrial", "trap", "chip")


def _sampled(rng: Rng, kit: str, hits: NDArray[np.void], seconds: float) -> NDArray[np.float32]:
    """Audio (n, 2) of a General MIDI kit."""
    keys = dict(GM_KEYS)
    if kit in ("latin", "jazz"):
        keys.update(GM_TIMBALES if rng.random() < 0.6 else GM_BONGOS)
    programs = GM_KITS[kit]
    program = Program.parse(str(programs[int(rng.integers(len(programs)))]))
    chosen = {name: int(rng.choice(values)) for name, values in keys.items()}
    notes = np.zeros(len(hits), hits.dtype)
    notes[:] = hits
    pitches = [chosen[DRUMS[int(index)]] for index in hits["pitch"]]
    notes["pitch"] = pitches
    notes["off"] = notes["on"] + 0.25
    return player().render(program, notes, seconds)


def _shots(
    rng: Rng, makers: dict[str, Maker], hits: NDArray[np.void], seconds: float, width: float
) -> NDArray[np.float32]:
    """Audio (n, 2) of one-shots: two variants of each drum, open hats choked by the next hat."""
    out = np.zeros((round(seconds * SAMPLE_RATE), 2))
    takes = {
        index: [makers[DRUMS[index]]() for _ in range(2)]
        for index in sorted({int(p) for p in hits["pitch"]})
    }
    pans = {
        index: 0.5 + width * rng.uniform(-0.3, 0.3)
        if DRUMS[index] not in ("kick", "snare", "clap")
        else 0.5
        for index in takes
    }
    levels = {
        "kick": 1.0, "snare": 0.75, "clap": 0.6, "rim": 0.45, "hat": 0.32, "open_hat": 0.34,
        "ride": 0.35, "crash": 0.5, "tom_low": 0.7, "tom_high": 0.65, "shaker": 0.3,
        "tambourine": 0.3, "perc_low": 0.75, "perc_mid": 0.65, "perc_high": 0.6, "bell": 0.3,
    }  # fmt: skip
    hat, open_hat = DRUMS.index("hat"), DRUMS.index("open_hat")
    hats = np.sort(hits["on"][np.isin(hits["pitch"], [hat, open_hat])])
    for hit in hits:
        index = int(hit["pitch"])
        shot = takes[index][int(rng.integers(2))]
        start = max(0, round(float(hit["on"]) * SAMPLE_RATE))
        count = min(len(shot), len(out) - start)
        if count <= 0:
            continue
        level = (float(hit["velocity"]) / 110.0) ** 1.5 * levels[DRUMS[index]]
        sample = shot[:count] * level
        if index == open_hat:
            next_hats = hats[np.searchsorted(hats, float(hit["on"]) + 0.01) :]
            if len(next_hats):
                cut = round(float(next_hats[0] - hit["on"]) * SAMPLE_RATE)
                if cut < count:
                    fade = min(480, count - cut)
                    sample = sample[: cut + fade].copy()
                    sample[cut:] *= np.linspace(1, 0, fade)
                    count = len(sample)
        pan = pans[index]
        out[start : start + count, 0] += sample * min(1.0, 2 * (1 - pan))
        out[start : start + count, 1] += sample * min(1.0, 2 * pan)
    return out.astype(np.float32)


def play_drums(kit: str, hits: NDArray[np.void], seconds: float, rng: Rng) -> NDArray[np.float32]:
    """Render drum events (dtype EVENT, pitch an index into DRUMS) with a kit -> float32 (n, 2)."""
    if kit == "none" or not len(hits):
        return np.zeros((round(seconds * SAMPLE_RATE), 2), np.float32)
    if kit in SYNTHETIC:
        return _shots(rng, drum_machine(rng, kit), hits, seconds, rng.uniform(0.3, 1.0))
    if kit in HAND_DRUMS:
        return _shots(rng, hand_drums(rng, kit), hits, seconds, rng.uniform(0.4, 1.0))
    if kit not in GM_KITS:
        raise SegueError(f"'{kit}' is no drum kit of the score; see models.music.score.KITS.")
    audio = _sampled(rng, kit, hits, seconds)
    kinds = hits["pitch"]
    if kit == "metal":  # a clicking synthetic kick under the recorded one
        selected = hits[kinds == DRUMS.index("kick")]
        audio = audio + 0.4 * _shots(rng, drum_machine(rng, "metal"), selected, seconds, 0.5)
    if kit == "marching":  # field drums: tight, high, all together
        selected = hits[
            np.isin(kinds, [DRUMS.index(n) for n in ("snare", "rim", "tom_high")])
        ].copy()
        selected["pitch"] = DRUMS.index("snare")
        field: dict[str, Maker] = {
            "snare": lambda: d.snare(rng, rng.uniform(240, 330), 0.5, 0.11, 1.0, 2500)
        }
        for delay in (0.0, 0.009):
            selected["on"] = selected["on"] + delay
            audio = audio + 0.3 * _shots(rng, field, selected, seconds, 0.5)
    return audio.astype(np.float32)
