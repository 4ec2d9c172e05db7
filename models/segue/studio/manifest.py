"""Manifest of the instrument bank: what lies in its files.

resources/instruments holds, made by `python -m models.corpus.bank`:

* `manifest.json`: `sources` (name, licence and makers of what was sampled), `instruments` (how each
  is played, its sources and its pack), `kits` (for each drum its hits: pack, zone, gain, velocity
  layer) and `packs` (file, checksum, zones).
* A data file a pack: complete Ogg Vorbis (notes) or FLAC (hits) files, one behind the other. A zone
  says where its file lies (`at`, `size`), its rate, samples and channels, the `gain` that restores
  its level, and of a note the MIDI `key` that was played, its velocity `layer`, the `loop` (first
  sample, and the one after the last) and the `decay` in dB a second that the loop was freed of, and
  the `cents` that bring it into tune.
* `productions.json`: how each style of the corpus is mixed (`models.segue.studio.production`).
"""

from __future__ import annotations

from typing import TypedDict


class ZoneEntry(TypedDict, total=False):
    """Zone in the manifest; see the module for the fields."""

    at: int
    size: int
    rate: int
    frames: int
    channels: int
    gain: float
    key: int
    layer: int
    velocity: int
    loop: tuple[int, int]
    decay: float
    cents: float
    pan: float
    name: str


class PackEntry(TypedDict):
    """Data file in the manifest."""

    file: str
    sha256: str
    bytes: int
    zones: list[ZoneEntry]


class KitEntry(TypedDict, total=False):
    """Drum kit in the manifest: for each drum its hits as [pack, zone, gain, layer]."""

    drums: dict[str, list[tuple[str, int, float, int]]]
    sources: list[str]
    gain_db: float


class InstrumentEntry(TypedDict):
    """Instrument in the manifest."""

    pack: str
    sources: list[str]
    low: int
    high: int
    wet: float
    effect: str
    release: float
    glide: float
    scoop: float
    lfo_beats: float
    overlap: bool
    gain_db: float


class Manifest(TypedDict, total=False):
    """Contents of manifest.json."""

    format: int
    rate: int
    sources: dict[str, dict[str, str]]
    packs: dict[str, PackEntry]
    kits: dict[str, KitEntry]
    instruments: dict[str, InstrumentEntry]
