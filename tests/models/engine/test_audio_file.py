"""Audio files as players read them: odd chunks, missing lengths, files that end in the middle."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.cli.files.input_file import load_input
from models.engine.audio_file import read_audio
from models.engine.prompts import load_audio, load_ending
from models.errors import SegueError
from models.runtime.quiet import quiet_stderr

RATE = 44_100
WAVE = (0.3 * np.sin(np.arange(2 * RATE) * 0.05)).astype(np.float32).reshape(-1, 2)
PCM = np.rint(WAVE * 32767).astype("<i2").tobytes()
FORM = struct.pack("<HHIIHH", 1, 2, RATE, RATE * 4, 4, 16)


def chunk(name: bytes, content: bytes, *, padded: bool = True, size: int | None = None) -> bytes:
    shown = len(content) if size is None else size
    padding = bytes(len(content) % 2 if padded else 0)
    return name + struct.pack("<I", shown) + content + padding


def riff(*chunks: bytes, size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


FMT, DATA = chunk(b"fmt ", FORM), chunk(b"data", PCM)
ODD = chunk(b"LIST", b"INFOabc", padded=False)
RF64 = b"RF64\xff\xff\xff\xffWAVE" + chunk(b"ds64", bytes(28))
CASES = {
    "as it should be": riff(FMT, DATA),
    "odd chunk, padded": riff(FMT, chunk(b"LIST", b"INFOabc"), DATA),
    "odd chunk before the data": riff(FMT, ODD, DATA),
    "odd chunk before the format": riff(chunk(b"bext", b"x" * 7, padded=False), FMT, DATA),
    "killed: no length": riff(FMT, chunk(b"data", PCM, size=0)),
    "killed: no length at all": riff(FMT, chunk(b"data", PCM, size=0), size=0),
    "a pipe: all ones": riff(FMT, chunk(b"data", PCM, size=0xFFFFFFFF), size=0xFFFFFFFF),
    "killed RF64": RF64 + FMT + chunk(b"data", PCM, size=0xFFFFFFFF),
    "a whole too short": riff(FMT, DATA, size=36),
    "longer than the file": riff(FMT, chunk(b"data", PCM, size=2 * len(PCM))),
    "half a frame at the end": riff(FMT, chunk(b"data", PCM + b"\1", padded=False, size=0)),
    "a chunk longer than the file": riff(FMT, chunk(b"LIST", b"abcd", size=0x7FFFFFFF), DATA),
    "rubbish behind": riff(FMT, DATA, chunk(b"LIST", b"abc", padded=False), b"junk"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_wav_is_read_whole(name: str, tmp_path: Path) -> None:
    path = tmp_path / "loop.wav"
    path.write_bytes(CASES[name])
    for samples, rate in (load_audio(path), load_ending(path), read_audio(path, 5.0, ending=True)):
        assert rate == RATE and samples.shape == WAVE.shape
        assert np.abs(samples - WAVE).max() < 1e-4
    assert len(load_input(path)) == pytest.approx(48_000, abs=2)


@pytest.mark.parametrize(
    "data",
    [
        riff(FMT, chunk(b"data", b"", size=0), chunk(b"LIST", b"INFO")),
        riff(FMT),
        riff(DATA),
        riff(chunk(b"fmt ", b"\1\0"), DATA),
        riff(),
        b"RIFF",
        b"RIFF\0\0\0\0WAVEfmt ",
        b"",
    ],
)
def test_what_holds_no_sound_is_one_sentence(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "loop.wav"
    path.write_bytes(data)
    with pytest.raises(SegueError, match="give"):
        load_audio(path)


names = st.sampled_from([b"LIST", b"bext", b"JUNK", b"cue ", b"fact"])
extras = st.lists(st.tuples(names, st.binary(max_size=40), st.booleans()), max_size=4)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50
)
@given(extras, extras, st.sampled_from([None, 0, 0xFFFFFFFF, 1 << 30]))
def test_any_chunks_around_the_sound(
    tmp_path: Path,
    before: list[tuple[bytes, bytes, bool]],
    between: list[tuple[bytes, bytes, bool]],
    size: int | None,
) -> None:
    path = tmp_path / "any.wav"
    one, two = (
        b"".join(chunk(name, content, padded=padded) for name, content, padded in chunks)
        for chunks in (before, between)
    )
    short = PCM[:4000]
    path.write_bytes(riff(one, FMT, two, chunk(b"data", short, size=size)))
    samples, _ = read_audio(path)
    assert np.abs(samples - WAVE[:1000]).max() < 1e-4


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50
)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.wav"
    path.write_bytes(riff(FMT, data))
    try:
        samples, _ = read_audio(path)
    except SegueError:
        return
    assert samples.shape[1] == 2


@pytest.mark.parametrize("name", ["loop.mp3", "loop.wav"])
def test_html_as_input_is_one_sentence(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """`render --input` reads as prompts are read: no lines of a decoder."""
    path = tmp_path / name
    path.write_bytes(b"<!DOCTYPE html>" * 40)
    with pytest.raises(SegueError, match="give a WAV, FLAC, Ogg or MP3 file"):
        load_input(path)
    assert capfd.readouterr() == ("", "")


def test_a_flac_that_ends_in_the_middle_or_has_no_length(tmp_path: Path) -> None:
    whole = io.BytesIO()
    soundfile.write(whole, WAVE, RATE, format="FLAC")
    cut, unknown = whole.getvalue()[: len(whole.getvalue()) * 3 // 4], bytearray(whole.getvalue())
    unknown[21] &= 0xF0
    unknown[22:26] = bytes(4)
    for data, least in ((cut, 0.5), (bytes(unknown), 0.9)):
        path = tmp_path / "loop.flac"
        path.write_bytes(data)
        samples, _ = read_audio(path)
        assert len(samples) > least * len(WAVE)
        assert np.abs(samples - WAVE[: len(samples)]).max() < 1e-3


def encoded(kind: str, subtype: str, seconds: float) -> bytes:
    whole = io.BytesIO()
    noise = np.random.default_rng(1).uniform(-0.3, 0.3, int(seconds * 48_000))
    soundfile.write(whole, noise, 48_000, format=kind, subtype=subtype)
    return whole.getvalue()


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
@pytest.mark.parametrize(("seconds", "share"), [(0.3, 0.9), (1.0, 0.7), (1.0, 0.95), (3.0, 0.6)])
def test_a_short_ogg_that_ends_within_a_page(
    subtype: str, seconds: float, share: float, tmp_path: Path
) -> None:
    """libogg drops the page that is cut: of a short file all that there is."""
    data, path = encoded("OGG", subtype, seconds), tmp_path / "cut.ogg"
    path.write_bytes(data)
    whole, _ = read_audio(path)
    path.write_bytes(data[: int(len(data) * share)])
    samples, rate = read_audio(path)
    assert rate == 48_000 and len(samples) > 0.5 * (share - 0.3) * len(whole)
    assert np.abs(samples[:-2000] - whole[: len(samples)][:-2000]).max() < 0.02


MP3 = encoded("MP3", "MPEG_LAYER_III", 2.0)
LENGTH = 126_000
SYNCSAFE = bytes(LENGTH >> shift & 127 for shift in (21, 14, 7, 0))
PICTURE = b"ID3\x04\0\0" + SYNCSAFE + b"\xff\xfb\x90" * (LENGTH // 3)


@pytest.mark.parametrize(
    ("data", "least"),
    [
        (MP3, 2.0),
        (PICTURE + MP3, 1.9),
        (MP3[: len(MP3) // 2], 0.8),  # its index says more
        (MP3[: len(MP3) // 2] + b"\0" * 999 + MP3[len(MP3) // 2 :], 1.7),
        (MP3 + b"TAG" + b"x" * 125, 1.9),
        (MP3[:9000] + bytes(600) + MP3[9600:], 1.7),  # a frame is damaged
        (MP3[:500], 0.0),
    ],
    ids=["whole", "picture", "cut", "gap", "tag", "damage", "a frame"],
)
@pytest.mark.parametrize("name", ["loop.mp3", "loop.wav", "loop"])
def test_an_mp3_under_any_name_writes_nothing(
    data: bytes, least: float, name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    if least:
        samples, rate = read_audio(path)
        assert len(samples) >= (least - 0.02) * rate
    else:
        with pytest.raises(SegueError, match="give a WAV, FLAC, Ogg or MP3 file") as caught:
            read_audio(path)
        assert "does not exist" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("kind", "subtype"), [("OGG", "VORBIS"), ("FLAC", "PCM_16")])
@pytest.mark.parametrize("name", ["loop.mp3", "loop.wav", "loop.aif"])
def test_the_bytes_and_not_the_name_say_what_it_is(
    kind: str, subtype: str, name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(encoded(kind, subtype, 1.0))
    samples, rate = read_audio(path)
    assert (len(samples), rate) == (48_000, 48_000)


def test_a_quiet_terminal_comes_back(capfd: pytest.CaptureFixture[str]) -> None:
    """However many threads ask for quiet, and in whatever order they leave."""
    first, second = quiet_stderr(), quiet_stderr()
    first.__enter__()
    second.__enter__()
    os.write(2, b"a driver's line")
    first.__exit__(None, None, None)
    os.write(2, b"another")
    second.__exit__(None, None, None)
    os.write(2, b"ours")
    assert capfd.readouterr().err == "ours"
