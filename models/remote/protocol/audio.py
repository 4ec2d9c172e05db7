"""Audio on the line: float32 as it is, or integers of 24 or 16 bits in FLAC.

Each block is coded by itself, so that any of them may be dropped or be the first.
"""

from __future__ import annotations

import io
import json
from typing import Final

import numpy as np

from models.engine.interface import Audio
from models.errors import SegueError

FORMATS: Final = ("float32", "flac24", "flac16")
"""From the widest to the thinnest. All are lossless but for the rounding to integers."""
SUBTYPES: Final = {"flac24": "PCM_24", "flac16": "PCM_16"}
MAX_SECONDS: Final = 60.0
MAX_RATE: Final = 192_000
MAX_CHANNELS: Final = 8
"""Of audio prompts."""
FULL_SCALE: Final = {"flac24": 2**23, "flac16": 2**15}


def encode_audio(samples: Audio, sample_rate: int, audio_format: str) -> bytes:
    """Bytes of samples.

    Args:
        samples: float32 (n, channels); FLAC takes 8 channels at most.
        sample_rate: Hz.
        audio_format: of FORMATS.

    """
    if audio_format == "float32":
        return np.ascontiguousarray(samples, dtype="<f4").tobytes()
    import soundfile

    full = FULL_SCALE[audio_format]
    whole = np.clip(np.rint(samples.astype(np.float64) * full), -full, full - 1).astype(np.int32)
    file = io.BytesIO()
    shift = 8 if audio_format == "flac24" else 16
    soundfile.write(
        file, whole << shift, sample_rate, format="FLAC", subtype=SUBTYPES[audio_format],
        compression_level=1.0,  # the densest: about a millisecond a block
    )  # fmt: skip
    return file.getvalue()


def decode_audio(data: bytes, channels: int, audio_format: str, most_frames: int) -> Audio:
    """Samples float32 (n, channels) of bytes.

    Args:
        data: of `encode_audio`.
        channels: that it must have.
        audio_format: of FORMATS.
        most_frames: that it may have.

    Raises:
        SegueError: the bytes are damaged, or hold something else.

    """
    damaged = SegueError("the sound on the line is damaged: connect again.")
    if audio_format == "float32":
        if channels < 1 or len(data) % (4 * channels) or len(data) > 4 * channels * most_frames:
            raise damaged
        return np.frombuffer(data, "<f4").reshape(-1, channels).astype(np.float32)
    if audio_format not in SUBTYPES:
        raise damaged
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            fits = file.format == "FLAC" and file.channels == channels
            if not fits or file.subtype != SUBTYPES[audio_format] or file.frames > most_frames:
                raise damaged
            samples: Audio = file.read(most_frames, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError:
        raise damaged from None
    return samples


def describe_audio(samples: Audio, sample_rate: int, audio_format: str) -> tuple[str, bytes]:
    """Description and content of an audio prompt (n, channels)."""
    described = {"rate": sample_rate, "channels": samples.shape[1], "format": audio_format}
    return json.dumps(described), encode_audio(samples, sample_rate, audio_format)


def described_audio(text: str, content: bytes) -> tuple[Audio, int]:
    """Audio of `describe_audio` and its sample rate in Hz. SegueError where it is none."""
    try:
        described = json.loads(text)
        rate, channels = int(described["rate"]), int(described["channels"])
        audio_format = str(described["format"])
    except (ValueError, LookupError, TypeError):
        raise SegueError("the audio is not described: use the same Segue on both sides.") from None
    if not (1 <= rate <= MAX_RATE and 1 <= channels <= MAX_CHANNELS and audio_format in FORMATS):
        raise SegueError("the audio has a rate or channels that cannot be taken: convert it first.")
    return decode_audio(content, channels, audio_format, round(MAX_SECONDS * rate) + 1), rate
