"""Protocol of Lyria RealTime's public API (BidiGenerateMusic): JSON over a WebSocket.

The client sends `setup` and waits for `setupComplete`; then `clientContent` (weighted prompts),
`musicGenerationConfig` (whole: what it leaves out goes back to the service's default) and
`playbackControl`. The service sends `serverContent` with chunks of 16-bit stereo sound as base64,
`filteredPrompt`, and `goAway` before it ends a session. Source: google-genai, `live_music.py` and
the LiveMusic types of `types.py` (Apache-2.0).
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from models.engine.controls import Controls
from models.engine.interface import Audio
from models.errors import SegueError
from models.music.score import SAMPLE_RATE, parse_key

MODEL: Final = "models/lyria-realtime-exp"
URL: Final = (
    "wss://generativelanguage.googleapis.com/ws/"
    "google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateMusic"
)
KEY_HEADER: Final = "x-goog-api-key"
RANGES: Final = {"bpm": (60.0, 200.0), "guidance": (0.0, 6.0)}
MAX_TEMPERATURE: Final = 3.0
DEFAULT_TEMPERATURE: Final = 1.1
DEFAULT_GUIDANCE: Final = 4.0
MIN_WEIGHT: Final = 1e-3
"""Prompts below it are left out: the service takes no weight of 0."""
MAX_SEED: Final = 2**31 - 1

SCALES: Final = (
    "C_MAJOR_A_MINOR", "D_FLAT_MAJOR_B_FLAT_MINOR", "D_MAJOR_B_MINOR", "E_FLAT_MAJOR_C_MINOR",
    "E_MAJOR_D_FLAT_MINOR", "F_MAJOR_D_MINOR", "G_FLAT_MAJOR_E_FLAT_MINOR", "G_MAJOR_E_MINOR",
    "A_FLAT_MAJOR_F_MINOR", "A_MAJOR_G_FLAT_MINOR", "B_FLAT_MAJOR_G_MINOR", "B_MAJOR_A_FLAT_MINOR",
)  # fmt: skip
"""Scales by the pitch class of the major key; a minor key has its relative major's."""
MODES: Final = {"quality": "QUALITY", "diversity": "DIVERSITY", "vocals": "VOCALIZATION"}
RESTARTING: Final = ("bpm", "scale")
"""Fields whose change acts only once the context is reset."""
_RELATIVE: Final = {
    "major": 0, "pentatonic_major": 0, "dorian": 10, "phrygian": 8, "lydian": 7, "mixolydian": 5,
    "phrygian_dominant": 8,
}  # fmt: skip
"""Semitones from a mode's tonic up to that of the major key with its notes; 3 for the minors."""

Prompts: TypeAlias = tuple[tuple[str, float], ...]
Config: TypeAlias = Mapping[str, "str | float | int | bool"]


@dataclass(frozen=True)
class SetupComplete:
    """The session is ready."""


@dataclass(frozen=True)
class AudioChunk:
    """Sound: float32 (n, 2)."""

    samples: Audio


@dataclass(frozen=True)
class FilteredPrompt:
    """A prompt that the service does not play, and its reason."""

    text: str
    reason: str


@dataclass(frozen=True)
class GoAway:
    """The service will end the session."""


ServiceEvent: TypeAlias = SetupComplete | AudioChunk | FilteredPrompt | GoAway


def setup_message() -> str:
    """First message of a session."""
    return json.dumps({"setup": {"model": MODEL}})


def prompts_message(prompts: Prompts) -> str:
    """Weighted prompts, which replace those before."""
    rows = [{"text": text, "weight": weight} for text, weight in prompts]
    return json.dumps({"clientContent": {"weightedPrompts": rows}})


def config_message(config: Config) -> str:
    """Configuration, which replaces the one before."""
    return json.dumps({"musicGenerationConfig": dict(config)})


def playback_message(control: str) -> str:
    """PLAY, PAUSE, STOP or RESET_CONTEXT."""
    return json.dumps({"playbackControl": control})


def config_of(controls: Controls, seed: int) -> Config:
    """Configuration of the controls; what is at auto is left to the service.

    Args:
        controls: those that Lyria has not are ignored.
        seed: of the stream; kept within the service's 32 bits.

    """
    config: dict[str, str | float | int | bool] = {"seed": seed % MAX_SEED}
    if controls.chaos is not None:
        config["temperature"] = controls.chaos * MAX_TEMPERATURE
    if controls.guidance is not None:
        low, high = RANGES["guidance"]
        config["guidance"] = min(max(controls.guidance, low), high)
    if controls.bpm is not None:
        low, high = RANGES["bpm"]
        config["bpm"] = round(min(max(controls.bpm, low), high))
    for name in ("density", "brightness"):
        value = getattr(controls, name)
        if value is not None:
            config[name] = value
    if controls.key is not None:
        config["scale"] = scale_of(controls.key)
    switches = {"bass": "muteBass", "drums": "muteDrums", "other": "onlyBassAndDrums"}
    config.update({field: True for stem, field in switches.items() if stem in controls.mute})
    config["musicGenerationMode"] = MODES[controls.generation_mode]
    return config


def scale_of(key: str) -> str:
    """The service's name of a key's scale: it tells neither a key from its relative one, nor the
    variants of minor apart.
    """
    tonic, mode = parse_key(key)
    return SCALES[(tonic + _RELATIVE.get(mode, 3)) % 12]


def parse_service(data: str | bytes) -> tuple[ServiceEvent, ...]:
    """What a message of the service says; unknown fields are ignored.

    Raises:
        SegueError: it is none, or holds sound that is not 48 kHz stereo in 16 bits.

    """
    try:
        body = json.loads(data)
        if not isinstance(body, dict):
            raise TypeError("no object")
        events: list[ServiceEvent] = []
        if "setupComplete" in body:
            events.append(SetupComplete())
        for chunk in (body.get("serverContent") or {}).get("audioChunks") or ():
            events.append(AudioChunk(_samples(chunk)))
        refused = body.get("filteredPrompt")
        if refused:
            words = refused.get("text") or "", refused.get("filteredReason") or ""
            events.append(FilteredPrompt(*map(str, words)))
        if "goAway" in body:
            events.append(GoAway())
        return tuple(events)
    except (ValueError, TypeError, AttributeError, binascii.Error) as error:
        if isinstance(error, SegueError):
            raise
        raise SegueError(
            f"lyria-realtime sent a message that is none of its protocol ({error})."
        ) from None


def _samples(chunk: Mapping[str, object]) -> Audio:
    """Sound of a chunk, float32 (n, 2)."""
    kind, *options = str(chunk.get("mimeType") or "audio/l16;rate=48000;channels=2").split(";")
    given = dict(option.strip().partition("=")[::2] for option in options)
    form = kind.strip().lower(), given.get("rate", "48000"), given.get("channels", "2")
    if form != ("audio/l16", str(SAMPLE_RATE), "2"):
        raise SegueError(
            f"lyria-realtime sent sound as '{chunk.get('mimeType')}': this Segue plays 48 kHz "
            "stereo in 16 bits, look for a newer one."
        )
    text = str(chunk.get("data") or "").translate({ord("-"): "+", ord("_"): "/"})
    content = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    whole = len(content) // 4 * 4
    return np.frombuffer(content[:whole], "<i2").reshape(-1, 2).astype(np.float32) / 32768.0


def heavy_enough(prompts: Prompts) -> Prompts:
    """The prompts whose weight counts, by falling weight."""
    kept = [(text, w) for text, w in prompts if math.isfinite(w) and w >= MIN_WEIGHT]
    return tuple(sorted(kept, key=lambda prompt: -prompt[1]))


def restarts(before: Config, after: Config) -> bool:
    """Whether a change of configuration acts only once the context is reset."""
    return any(before.get(name) != after.get(name) for name in RESTARTING)
