"""Builder of resources/instruments: `python -m models.corpus.bank [--out DIR] [--only NAME ...]`."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Final

import numpy as np

from models.corpus.bank import kits, notes
from models.corpus.bank.calibrate import calibrate
from models.corpus.bank.pack import Pack, at_lowest_rate
from models.corpus.bank.recipes import CENTS, RECIPES, Recipe
from models.corpus.sound.drums import HAND_DRUMS
from models.corpus.sound.presets import SOUNDS
from models.corpus.styles import STYLES
from models.music.score import INSTRUMENTS, KITS, SAMPLE_RATE
from models.segue.studio.manifest import KitEntry, Manifest, ZoneEntry
from models.segue.studio.user import loops

OUT: Final = Path(__file__).resolve().parents[3] / "resources" / "instruments"

SOURCES: Final[dict[str, dict[str, str]]] = {
    "F": {
        "name": "Fluid (R3) GM SoundFont",
        "licence": "MIT",
        "by": "Frank Wen and contributors; Debian package fluid-soundfont-gm",
    },
    "M": {
        "name": "MuseScore General SoundFont",
        "licence": "MIT, parts CC0 or public domain",
        "by": "S. Christian Collins, Michael Cowgill, Frank Wen and contributors; "
        "Debian package musescore-general-soundfont",
    },
    "segue": {
        "name": "synthesisers and drum machines of models.corpus",
        "licence": "Apache-2.0",
        "by": "the authors of Segue",
    },
}


def origins(source: str) -> list[str]:
    """Keys of SOURCES that a source's description refers to."""
    found = {
        part[0] if part[0] in "FM" and ":" not in part else "segue" for part in source.split("+")
    }
    return sorted(found)


def file_name(source: str) -> str:
    """File name of a source's description."""
    return re.sub(r"[^A-Za-z0-9]+", "-", source).strip("-").lower()


def sample(source: str, users: dict[str, Recipe]) -> Pack:
    """Record all zones that the instruments of one source need."""
    recipe = next(iter(users.values()))
    low = min(SOUNDS[name].low for name in users)
    high = max(SOUNDS[name].high for name in users)
    pack = Pack(file_name(source))
    first = low + recipe.step // 2
    keys = list(range(first, high + recipe.step // 2 + 1, recipe.step)) or [first]
    for key in keys:
        loudest: loops.Audio | None = None
        same: tuple[int, int] | None = None  # layers that are blended must stay in phase
        for layer, velocity in reversed(list(enumerate(recipe.layers))):
            # High notes are over sooner, and repeat more often in a second.
            seconds = recipe.seconds * float(np.clip(1.25 - (key - 36) / 90, 0.65, 1.2))
            x = notes.play_note(source, key, velocity, seconds, moved=recipe.lfo_beats > 0)
            if loudest is not None and alike(loudest, x):
                continue
            if loudest is None or recipe.lfo_beats:
                loudest = x
            else:  # layers differ by their colour; the sampler scales the level
                x = x * np.float32(strength(loudest) / strength(x))
            held = recipe.lfo_beats > 0
            x, rate = (x, SAMPLE_RATE) if held else at_lowest_rate(x)
            settle = 0.15 if held else 0.3 * recipe.seconds
            looped = loops.make_loop(x, rate, settle, held, same)
            if held:
                same = looped.loop
            zone: ZoneEntry = {"key": key, "layer": layer, "velocity": velocity}
            if looped.loop is not None:
                zone["loop"] = looped.loop
            if looped.decay:
                zone["decay"] = round(looped.decay, 2)
            pack.add(looped.samples, rate, False, recipe.stereo, zone)
    return pack


def strength(x: loops.Audio) -> float:
    """Root mean square of the first second."""
    return float(np.sqrt(np.mean(np.square(x[:SAMPLE_RATE], dtype=np.float64)))) + 1e-9


def alike(one: loops.Audio, other: loops.Audio) -> bool:
    """Whether two recordings differ by no more than their level."""
    length = min(len(one), len(other), SAMPLE_RATE)
    a, b = one[:length].astype(np.float64).ravel(), other[:length].astype(np.float64).ravel()
    return bool(a @ b > 0.9995 * np.sqrt((a @ a) * (b @ b)))


def _stereo(x: np.ndarray) -> bool:
    left, right = x[:, 0].astype(np.float64), x[:, 1].astype(np.float64)
    likeness = (left @ right) / np.sqrt((left @ left) * (right @ right) + 1e-18)
    return bool(likeness < 0.9)


def build_kits(only: set[str] | None) -> tuple[dict[str, Pack], dict[str, KitEntry]]:
    """Packs of hits by source, and for each kit its drums: [pack, zone, gain, layer] a hit."""
    packs: dict[str, Pack] = {}
    table: dict[str, KitEntry] = {}
    known: dict[str, tuple[str, int]] = {}
    drums_by_hand = {*HAND_DRUMS, "orchestral", "jazz"}
    for kit in KITS[1:]:
        if only and kit not in only:
            continue
        print(kit, flush=True)
        source = kits.RECORDED.get(kit)
        drums: dict[str, list[tuple[str, int, float, int]]] = {}
        table_of_shots = kits.drums_of(kit)
        levels = {
            drum: kits.hit_level(shots[0].audio * np.float32(shots[0].gain))
            for drum, shots in table_of_shots.items()
            if shots
        }
        trims = {} if kit in drums_by_hand else kits.balance(levels)
        for drum, shots in table_of_shots.items():
            trim = 10 ** (trims.get(drum, 0.0) / 20)
            drums[drum] = []
            for shot in shots:
                if shot is not shots[0] and shot.layer and alike(shots[0].audio, shot.audio):
                    continue
                if shot.name not in known:
                    words = shot.name.split()
                    pack_name = "kit-" + file_name(words[0])
                    pack = packs.setdefault(pack_name, Pack(pack_name))
                    x = shot.audio
                    if shot.layer:
                        x = x * np.float32(strength(shots[0].audio) / strength(x))
                    level = loops.levels_db(x, 240)
                    above = np.flatnonzero(level > level.max() - 66)
                    x = loops.fade_out(x[: (int(above[-1]) + 2) * 240], 960)
                    x, rate = at_lowest_rate(x, 32_000)
                    number = pack.add(x, rate, True, _stereo(x), {"name": shot.name})
                    known[shot.name] = (pack_name, number)
                pack_name, number = known[shot.name]
                drums[drum].append((pack_name, number, round(shot.gain * trim, 4), shot.layer))
        table[kit] = {"drums": drums, "sources": origins(source) if source else ["segue"]}
        if source and kit in ("metal", "marching"):
            table[kit]["sources"] = sorted({*origins(source), "segue"})
    return packs, table


def productions() -> dict[str, list[tuple[float, dict[str, object]]]]:
    """How each style of the corpus is mixed, for the styles that are prompt terms and the hosts
    of the instruments that are.
    """
    from models.corpus.styles import PLAYERS

    def fields(style: str) -> dict[str, object]:
        production = STYLES[style].production
        values = {k: v for k, v in vars(production).items() if k != "levels_db"}
        values["levels_db"] = dict(production.levels_db)
        return values

    table = {name: [(1.0, fields(name))] for name in STYLES if not name[0].islower()}
    for name, player in PLAYERS.items():
        hosts = [word.partition(":") for word in player.hosts.split()]
        odds = [(host.replace("_", " "), float(n) if n else 1.0) for host, _, n in hosts]
        odds = [(h if h in STYLES else h.replace(" ", "_"), n) for h, n in odds]
        total = sum(n for _, n in odds)
        table[name] = [(round(n / total, 4), fields(host)) for host, n in odds]
    return table


def tune_zones(manifest: Manifest) -> None:
    """Put zones in tune, and leave out those of keys that a source does not have."""
    for name, pack in manifest["packs"].items():
        if name.startswith("kit-"):
            continue
        loudest = max(zone["gain"] for zone in pack["zones"])
        pack["zones"] = [zone for zone in pack["zones"] if zone["gain"] > 1e-3 * loudest]
        for low, high, cents in CENTS.get(name, ()):
            for zone in pack["zones"]:
                if low <= zone["key"] <= high:
                    zone["cents"] = cents


def write(path: Path, manifest: Manifest) -> None:
    """The manifest as one line of JSON."""
    path.write_text(json.dumps(manifest, separators=(",", ":")) + "\n")


def main() -> None:
    """Build the whole bank, or some of its instruments and kits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--only", nargs="*", help="instruments and kits; others stay as they are")
    parser.add_argument("--tables", action="store_true", help="tables only: no sound is made")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "manifest.json"
    only = set(args.only) if args.only is not None else None
    manifest: Manifest = {"format": 1, "rate": SAMPLE_RATE, "packs": {}, "kits": {}}
    if (only is not None or args.tables) and path.exists():
        manifest = json.loads(path.read_text())
    by_source: dict[str, dict[str, Recipe]] = {}
    for name, recipe in RECIPES.items():
        by_source.setdefault(recipe.source, {})[name] = recipe
    if not args.tables:
        for source, users in by_source.items():
            if only is None or only & set(users):
                print(source, flush=True)
                pack = sample(source, users)
                manifest["packs"][pack.name] = pack.save(args.out)
        packs, table = build_kits(only)
        for pack in packs.values():
            manifest["packs"][pack.name] = pack.save(args.out)
        manifest["kits"].update(table)
    tune_zones(manifest)
    manifest["sources"] = SOURCES
    before = {name: e["gain_db"] for name, e in manifest.get("instruments", {}).items()}
    manifest["instruments"] = {
        name: {
            "pack": file_name(recipe.source),
            "sources": origins(recipe.source),
            "low": SOUNDS[name].low,
            "high": SOUNDS[name].high,
            "wet": SOUNDS[name].wet,
            "effect": SOUNDS[name].effect,
            "release": recipe.release,
            "glide": recipe.glide,
            "scoop": recipe.scoop,
            "lfo_beats": recipe.lfo_beats,
            "overlap": recipe.overlap,
            "gain_db": before.get(name, 0.0),
        }
        for name, recipe in RECIPES.items()
    }
    missing = set(INSTRUMENTS[1:]) - set(RECIPES)
    if missing:
        raise SystemExit(f"no recipe for {sorted(missing)}")
    write(path, manifest)
    levels = calibrate(args.out, only)
    for kind, changes in levels.items():
        for name, change in changes.items():
            entry = manifest["kits"][name] if kind == "kits" else manifest["instruments"][name]
            entry["gain_db"] = round(entry.get("gain_db", 0.0) + change, 2)
    write(path, manifest)
    (args.out / "productions.json").write_text(
        json.dumps(productions(), separators=(",", ":")) + "\n"
    )
    total = sum(file.stat().st_size for file in args.out.iterdir())
    print(f"{total / 1e6:.1f} MB in {args.out}")


if __name__ == "__main__":
    main()
