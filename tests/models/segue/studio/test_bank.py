"""The bank that ships: everything of the score is in it, whole, licensed, and not too large."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from models.errors import SegueError
from models.music.score import DRUMS, INSTRUMENTS, KITS
from models.segue.studio.bank import FOLDER, Bank
from models.segue.style.terms import NAMES

MANIFEST = json.loads((FOLDER / "manifest.json").read_text())
LICENCES = {"MIT", "MIT, parts CC0 or public domain", "Apache-2.0"}


@pytest.fixture(scope="module")
def bank() -> Bank:
    return Bank()


def test_size() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 60_000_000


def test_files_are_those_of_the_manifest() -> None:
    named = {entry["file"] for entry in MANIFEST["packs"].values()}
    assert named == {path.name for path in FOLDER.glob("*.bin")}
    for entry in MANIFEST["packs"].values():
        data = (FOLDER / entry["file"]).read_bytes()
        assert len(data) == entry["bytes"]
        assert hashlib.sha256(data).hexdigest() == entry["sha256"]


def test_everything_says_where_it_comes_from_and_may_be_given_on() -> None:
    assert {source["licence"] for source in MANIFEST["sources"].values()} <= LICENCES
    assert all(source["name"] and source["by"] for source in MANIFEST["sources"].values())
    for entry in (*MANIFEST["instruments"].values(), *MANIFEST["kits"].values()):
        assert entry["sources"] and set(entry["sources"]) <= set(MANIFEST["sources"])


@pytest.mark.parametrize("name", INSTRUMENTS[1:])
def test_an_instrument_reaches_over_its_compass(bank: Bank, name: str) -> None:
    instrument = bank.instrument(name)
    keys = [key for key, _ in instrument.zones]
    for pitch in range(instrument.low, instrument.high + 1):
        assert min(abs(key - pitch) for key in keys) <= 5, f"{pitch} is stretched"
    layers = {len(layers) for _, layers in instrument.zones}
    assert not instrument.lfo_beats or layers != {1}
    assert 0.01 < instrument.release < 3 and 0.001 < instrument.gain < 100


@pytest.mark.parametrize("name", KITS[1:])
def test_a_kit_has_all_drums(bank: Bank, name: str) -> None:
    kit = bank.kit(name)
    assert len(kit.drums) == len(DRUMS)
    silent = [drum for drum, hits in zip(DRUMS, kit.drums, strict=True) if not hits]
    assert not silent


def test_zones_are_sound_and_end_in_silence(bank: Bank) -> None:
    """One zone of every pack is decoded: full band, finite, no click at its end."""
    for name, entry in MANIFEST["packs"].items():
        zone = bank._pack(name)[len(entry["zones"]) // 2]
        x = bank.samples(zone)
        assert np.isfinite(x).all() and 1e-4 < np.abs(x).max() < 8.0, name
        if zone.loop is None:
            assert np.abs(x[:, -64:]).max() < 1e-2 * np.abs(x).max(), name


@pytest.mark.parametrize("kit", ["acoustic", "rock", "jazz", "funk", "tr909", "tr808"])
def test_cymbals_reach_sixteen_kilohertz(bank: Bank, kit: str) -> None:
    for drum in ("hat", "crash", "ride"):
        zone = bank.kit(kit).drums[DRUMS.index(drum)][0].zone
        assert zone.rate >= 44_100
        x = bank.samples(zone).mean(0)
        power = np.square(np.abs(np.fft.rfft(x[:24_000], 48_000)))
        top = power[14_000:17_000].mean() / power[5000:10_000].mean()
        assert 10 * np.log10(top) > -32.0, (kit, drum)


def test_loops_do_not_click(bank: Bank) -> None:
    """At the seam a looped note moves no faster than anywhere in the loop."""
    for name, entry in MANIFEST["packs"].items():
        for zone in bank._pack(name)[:: max(1, len(entry["zones"]) // 3)]:
            if zone.loop is None:
                continue
            x = bank.samples(zone)[:, 16:]
            start, stop = zone.loop
            seam = np.abs(np.diff(x[:, stop - 3 : stop + 3], 2)).max()
            usual = np.abs(np.diff(x[:, start:stop], 2)).max()
            assert seam <= 1.05 * usual, (name, zone.key)


def test_all_terms_have_a_production() -> None:
    table = json.loads((FOLDER / "productions.json").read_text())
    assert set(NAMES) <= set(table)


def test_decoding_is_the_same_whoever_does_it() -> None:
    one, other = Bank(), Bank()
    other.prepare(["piano"], ["tr909"])
    zones = [layers[-1] for _, layers in one.instrument("piano").zones]
    zones += [hits[0].zone for hits in one.kit("tr909").drums]
    for zone in reversed(zones):
        assert np.array_equal(one.samples(zone), other.samples(zone))
    other.close()


def test_what_is_damaged_is_said(tmp_path: Path) -> None:
    with pytest.raises(SegueError, match="cannot be read"):
        Bank(tmp_path)
    shutil.copy(FOLDER / "manifest.json", tmp_path)
    bank = Bank(tmp_path)
    with pytest.raises(SegueError, match="damaged"):
        bank.samples(bank.instrument("flute").zones[0][1][0])
    (tmp_path / "manifest.json").write_text('{"format": 99}')
    with pytest.raises(SegueError, match="another version"):
        Bank(tmp_path)
    with pytest.raises(SegueError, match="no instrument"):
        bank.instrument("theremin")
