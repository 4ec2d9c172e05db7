"""Voices of the sampler: the notes that sound, and their sound.

A voice is a small value; its sound is a pure function of the voice and the time, so a snapshot of
a stream holds no sound of it. Notes come from the arranger in seconds; they are identified by part,
pitch and onset, and their ends become known later.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from models.music.score import DRUMS, SAMPLE_RATE
from models.music.user_instruments import USER_PREFIX
from models.segue.studio.bank import Bank, Instrument, SampleZone
from models.segue.studio.layer import Layer
from models.segue.studio.user.layers import user_layers
from models.segue.studio.user.regions import UserInstrument
from models.segue.studio.waves import Wave, Waves

OPEN: Final = -1  # a voice whose end is not known
GAP: Final = 0.004  # seconds between the end of a note and what follows, as in the corpus
DAMPED: Final = 0.06  # seconds in which a string that is struck again falls silent
CHOKED: Final = 0.03
STOLEN: Final = 0.02
MAX_VOICES: Final = 28  # voices of a part
SILENT: Final = 3e-4  # sustain of an envelope that falls silent
FLOOR_DB: Final = 72.0  # a note that has decayed by so much is over
HAT, OPEN_HAT = DRUMS.index("hat"), DRUMS.index("open_hat")
CHOKES: Final = frozenset({HAT, OPEN_HAT})
SHORTEST: Final = round(0.02 * SAMPLE_RATE)
NOBODY: Final[Mapping[int, str]] = {}
LEGATO: Final = 0.03  # seconds between notes that are slurred


class NoteLike(Protocol):
    """A note of the arranger: seconds, index into PARTS, MIDI pitch or drum, 1 to 127, and whether
    its end may still move.
    """

    @property
    def on(self) -> float: ...
    @property
    def off(self) -> float: ...
    @property
    def part(self) -> int: ...
    @property
    def pitch(self) -> int: ...
    @property
    def velocity(self) -> int: ...
    @property
    def open(self) -> bool: ...


class SamplerVoice(NamedTuple):
    """Sounding note. `start` and `stop` in samples since the stream began (stop OPEN while it
    is held), `release` in seconds, `slide` the pitch that it begins from, `number` varies it.
    """

    time: float
    part: int
    pitch: int
    velocity: int
    sound: str  # instrument or kit
    start: int
    stop: int
    release: float
    slide: int
    number: int


class Motion(NamedTuple):
    """Position in beats: beats at the first sample of a block, and beats a sample."""

    beats: float
    step: float


def scramble(*numbers: int) -> int:
    """Hash of integers, 64 bits (SplitMix64, Steele et al. 2014)."""
    state = 0
    for number in numbers:
        state = (state + (number & 0xFFFFFFFFFFFFFFFF) + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state


def follow(
    voices: tuple[SamplerVoice, ...],
    notes: Iterable[NoteLike],
    sounds: Mapping[int, str],
    bank: Bank,
    start: int,
    count: int,
    seed: int,
    user: Mapping[int, str] = NOBODY,
) -> tuple[SamplerVoice, ...]:
    """The voices of a block from sample `start`: ends of notes become known, new notes begin.

    `sounds` names the instrument or kit of each part for notes that begin now; a part that is not
    in it begins none. `user` names those of the performer's own, which play what they have.
    """
    end = start + count
    known = {}
    fresh: list[NoteLike] = []
    for note in notes:
        known[(note.on, note.part, note.pitch)] = note
        if start <= round(note.on * SAMPLE_RATE) < end:
            fresh.append(note)
    out: list[SamplerVoice] = []
    for voice in voices:
        if voice.stop == OPEN and voice.part:
            held = known.get((voice.time, voice.part, voice.pitch))
            if held is None:
                voice = voice._replace(stop=max(start, voice.start + SHORTEST))
            elif not held.open and held.off * SAMPLE_RATE < end:
                stop = max(round((held.off - GAP) * SAMPLE_RATE), start, voice.start + SHORTEST)
                voice = voice._replace(stop=stop)
        out.append(voice)
    fresh.sort(key=lambda note: (note.on, note.part, note.pitch))
    for note in fresh:
        own = user.get(note.part)
        plays = own is not None and bank.plays(own, note.part, note.pitch)
        sound = own if plays else sounds.get(note.part)
        if sound is None:
            continue
        out = _begin(out, note, sound, bank, end, seed)
    return tuple(out)


def _begin(
    voices: list[SamplerVoice], note: NoteLike, sound: str, bank: Bank, end: int, seed: int
) -> list[SamplerVoice]:
    """The voices with one more; those that it silences end where it begins."""
    at = round(note.on * SAMPLE_RATE)
    slide = note.pitch
    release = 0.0
    if note.part:
        instrument = bank.instrument(sound)
        release = instrument.release_of(note.pitch, note.velocity)
    out: list[SamplerVoice] = []
    playing = 0
    for voice in voices:
        if voice.part == note.part:
            playing += 1
            if not note.part:
                if note.pitch in CHOKES and voice.pitch == OPEN_HAT and voice.stop == OPEN:
                    voice = voice._replace(stop=at, release=CHOKED)
            elif (
                voice.sound == sound
                and voice.pitch != note.pitch
                and voice.start < at
                and instrument.silences(note.pitch, note.velocity, voice.pitch, voice.velocity)
            ):
                voice = voice._replace(stop=at, release=CHOKED)
            elif voice.pitch == note.pitch and voice.sound == sound and voice.start < at:
                # One that falls silent already goes on doing so: its way down must not bend.
                if voice.stop == OPEN or voice.stop >= at:
                    voice = voice._replace(stop=at, release=min(DAMPED, voice.release))
            elif (
                note.part
                and instrument.glide
                and voice.sound == sound
                and voice.start < at
                and (voice.stop == OPEN or voice.stop > at - LEGATO * SAMPLE_RATE)
            ):
                slide = voice.pitch
        out.append(voice)
    held = [v for v in out if v.part == note.part and v.stop == OPEN]
    if playing >= MAX_VOICES and held:
        # The oldest that is held gives way.
        oldest = min(held, key=lambda v: v.start)
        out[out.index(oldest)] = oldest._replace(stop=max(at, oldest.start), release=STOLEN)
    stop = OPEN
    if note.part and not note.open and note.off * SAMPLE_RATE < end:
        stop = max(round((note.off - GAP) * SAMPLE_RATE), at + SHORTEST)
    out.append(
        SamplerVoice(
            note.on, note.part, note.pitch, note.velocity, sound, at, stop, release, slide,
            scramble(seed, at, note.part, note.pitch) >> 32,
        )
    )  # fmt: skip
    return out


class Tones:
    """Layers of each voice, cached."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self.waves = Waves(bank)
        self._layers = lru_cache(maxsize=4096)(self._make_layers)

    def layers(self, voice: SamplerVoice) -> tuple[Layer, ...]:
        """The waves of a voice."""
        serial = 0
        if voice.sound.startswith(USER_PREFIX):
            bank, sound = self.bank, voice.sound
            serial = (bank.instrument(sound) if voice.part else bank.kit(sound)).serial
        return self._layers(
            voice.part == 0, voice.sound, voice.pitch, voice.velocity, voice.slide, voice.number,
            serial,
        )  # fmt: skip

    def _make_layers(
        self, drum: bool, sound: str, pitch: int, velocity: int, slide: int, number: int,
        serial: int,
    ) -> tuple[Layer, ...]:  # fmt: skip
        spread = 10 ** (((number & 255) / 255 - 0.5) * 0.06)
        loud = (velocity / 100.0) ** 1.5 * spread
        lean = ((number >> 8 & 255) / 255 - 0.5) * 0.06
        if drum:
            return self._drum(sound, pitch, velocity, loud, lean, number)
        instrument = self.bank.instrument(sound)
        if isinstance(instrument, UserInstrument):
            return user_layers(instrument, pitch, velocity, number, spread, lean)
        if not instrument.zones:
            return ()
        folded = instrument.fold(pitch)
        layers = instrument.nearest(folded, (number >> 16 & 3) == 0)
        loud *= instrument.gain
        cents, glide = 0.0, 0.0
        if slide != pitch and instrument.glide:
            cents, glide = 100.0 * (slide - pitch), instrument.glide
        elif instrument.scoop:
            # In steps, so that notes share their waves.
            cents, glide = -instrument.scoop * (0.7 + 0.2 * (number >> 20 & 1)), 0.16
        if instrument.lfo_beats:
            return tuple(
                self._layer(zone, folded, 0, loud, lean, cents, glide, index / (len(layers) - 1))
                for index, zone in enumerate(layers)
            )
        zone, dark = layer_of(layers, velocity)
        return (self._layer(zone, folded, dark, loud, lean, cents, glide, None),)

    def _drum(
        self, kit: str, drum: int, velocity: int, loud: float, lean: float, number: int
    ) -> tuple[Layer, ...]:
        table = self.bank.kit(kit)
        hits = table.drums[drum]
        if not hits:
            return ()
        soft = [hit for hit in hits if hit.layer]
        chosen = [hit for hit in hits if not hit.layer]
        dark = 0
        if velocity < 78 and soft:
            chosen = soft
        else:
            dark = 0 if velocity >= 88 else 1 if velocity >= 62 else 2
        hit = chosen[(number >> 12) % len(chosen)]
        # Four tunings a drum, a few cents apart: no two hits in a row are alike.
        cents = ((number >> 18 & 3) - 1.5) * 5.0
        ratio = hit.zone.rate / SAMPLE_RATE * 2.0 ** (cents / 1200)
        side = hit.zone.pan + lean * 0.5
        gain = loud * hit.gain * table.gain
        return (Layer(Wave(hit.zone, ratio, dark), gain * (1 - side), gain * (1 + side), None),)

    def _layer(
        self, zone: SampleZone, pitch: int, dark: int, loud: float, lean: float, cents: float,
        glide: float, turn: float | None,
    ) -> Layer:  # fmt: skip
        ratio = zone.rate / SAMPLE_RATE * 2.0 ** ((pitch - zone.key) / 12 + zone.cents / 1200)
        return Layer(
            Wave(zone, ratio, dark, cents, glide), loud * (1 - zone.pan - lean),
            loud * (1 + zone.pan + lean), turn,
        )  # fmt: skip

    def ended(self, voice: SamplerVoice, at: int) -> bool:
        """Whether nothing of a voice sounds from sample `at` on."""
        if voice.start >= at:
            return False
        if voice.stop != OPEN and at >= voice.stop + round(voice.release * SAMPLE_RATE):
            return True
        return all(self._layer_ended(voice, layer, at) for layer in self.layers(voice))

    def _layer_ended(self, voice: SamplerVoice, layer: Layer, at: int) -> bool:
        wave, shape = layer.wave, layer.envelope
        if (
            shape is not None
            and shape.sustain < SILENT
            and at >= voice.start + (shape.delay + shape.settled) * SAMPLE_RATE
        ):
            return True
        length = self.waves.length(wave)
        if length is not None:
            return at >= voice.start + length
        if wave.zone.decay:
            begin = wave.zone.loop[0] if wave.zone.loop else 0
            seconds = FLOOR_DB / wave.zone.decay + begin / wave.zone.rate
            return at >= voice.start + seconds * SAMPLE_RATE
        return False

    def add(
        self, out: NDArray[np.float32], voice: SamplerVoice, start: int, motion: Motion
    ) -> None:
        """Add a voice's samples from `start` on to `out` (2, n)."""
        count = out.shape[1]
        first = max(0, voice.start - start)
        last = count
        fade = round(voice.release * SAMPLE_RATE) if voice.release else 0
        if voice.stop != OPEN:
            last = min(last, voice.stop + fade - start)
        layers = self.layers(voice)
        if not layers or last <= first:
            return
        if layers[0].envelope is not None:
            self._add_user(out[:, first:last], voice, layers, start + first - voice.start)
            return
        length = self.waves.length(layers[0].wave)
        if length is not None:
            last = min(last, voice.start + length - start)
        if last <= first:
            return
        local = start + first - voice.start
        number = last - first
        envelope = self._envelope(voice, layers[0].wave, local, number, fade)
        for layer in layers:
            weight = envelope
            if layer.turn is not None:
                share = _share(self.bank.instrument(voice.sound), len(layers), layer.turn, motion,
                               first, number)  # fmt: skip
                if share is None:
                    continue
                weight = share if envelope is None else share * envelope
            sound = self.waves.read(layer.wave, local, number)
            if weight is not None:
                sound = sound * weight
            left, right = sound[0], sound[-1]
            out[0, first:last] += left * np.float32(layer.left)
            out[1, first:last] += right * np.float32(layer.right)

    def _add_user(
        self, out: NDArray[np.float32], voice: SamplerVoice, layers: tuple[Layer, ...], local: int
    ) -> None:
        """Add layers of an instrument of the performer's own from a voice's sample `local` on."""
        fade = round(voice.release * SAMPLE_RATE)
        for layer in layers:
            length, number = self.waves.length(layer.wave), out.shape[1]
            number = number if length is None else min(number, length - local)
            if number <= 0:
                continue
            sound = self.waves.read(layer.wave, local, number)
            weight = self._envelope(voice, layer.wave, local, number, fade)
            if layer.envelope is not None and not layer.envelope.flat:
                sound = sound * layer.envelope.gains(local, number, SAMPLE_RATE)
            if weight is not None:
                sound = sound * weight
            out[0, :number] += sound[0] * np.float32(layer.left)
            out[1, :number] += sound[-1] * np.float32(layer.right)

    def _envelope(
        self, voice: SamplerVoice, wave: Wave, local: int, number: int, fade: int
    ) -> NDArray[np.float32] | None:
        """Decay and release of a voice's samples `local` .. `local + number`; None for all ones."""
        zone = wave.zone
        envelope: NDArray[np.float32] | None = None
        if zone.decay and zone.loop is not None:
            begin = zone.loop[0] / wave.ratio
            if local + number > begin:
                rate = -zone.decay * wave.ratio / zone.rate * math.log(10) / 20
                since = local - begin + np.arange(number, dtype=np.float64)
                envelope = np.exp(rate * np.maximum(since, 0.0)).astype(np.float32)
        if voice.stop != OPEN:
            ahead = local + voice.start - voice.stop
            if ahead + number > 0:
                # Level at both ends, so that neither is a click; about -20 dB in the middle.
                time = np.arange(ahead, ahead + number, dtype=np.float32) / np.float32(max(fade, 1))
                time = np.clip(time, 0.0, 1.0)
                left = 1.0 - time
                shape = left * left * (1.0 + 2.0 * time)
                shape *= np.exp(time * time / (time + np.float32(0.12)) * np.float32(-4.0))
                envelope = shape if envelope is None else envelope * shape
        return envelope


def layer_of(layers: tuple[SampleZone, ...], velocity: int) -> tuple[SampleZone, int]:
    """The recorded layer for a velocity, and how much darker than it the note is."""
    zone = layers[-1]
    if len(layers) > 1:
        zone = min(layers, key=lambda z: abs(z.velocity - velocity))
        below = zone.velocity - velocity
        return zone, 1 if below > 22 else 0
    return zone, 0 if velocity >= 92 else 1 if velocity >= 74 else 2 if velocity >= 52 else 3


def _share(
    instrument: Instrument, layers: int, turn: float, motion: Motion, first: int, number: int
) -> NDArray[np.float32] | None:
    """The share of the layer at `turn` while the filter's oscillator runs; None for none."""
    beats = motion.beats + motion.step * np.arange(first, first + number)
    place = 0.5 - 0.5 * np.cos(2 * np.pi * beats / instrument.lfo_beats)
    share = np.maximum(1.0 - np.abs(place - turn) * (layers - 1), 0.0)
    return share.astype(np.float32) if share.any() else None
