"""The protocol between engines elsewhere and their clients: values, messages, sound, addresses."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from models.engine.control_values import RANGES
from models.engine.controls import CONTROL_NAMES, Controls
from models.engine.interface import EngineInfo, NoteEvent, ScoreInfo
from models.engine.parts import PartControls
from models.errors import SegueError
from models.music.hearing.sketch import Sketch, SketchNote
from models.remote.protocol.address import RemoteAddress, parse_address
from models.remote.protocol.audio import FORMATS, decode_audio, encode_audio
from models.remote.protocol.limits import TokenBucket
from models.remote.protocol.messages import (
    Ask,
    Block,
    Hello,
    Message,
    More,
    Piece,
    Place,
    Release,
    Run,
    following,
    from_bytes,
    from_text,
    info_from_json,
    info_to_json,
    pack_block,
    pack_piece,
    to_text,
)
from models.remote.protocol.wire import decode, encode
from models.remote.server.journal import Journal
from models.remote.server.snapshot_store import SPARE, SnapshotStore

KNOWN = frozenset({*CONTROL_NAMES, "strength"})
INFO = EngineInfo(
    "tone",
    48_000,
    2,
    480,
    8.0,
    16,
    frozenset({"bpm", "style", "strength"}),
    parts=("drums", "bass"),
)
FULL = Controls(
    style=np.linspace(-1, 1, 16, dtype=np.float32),
    bpm=123.456789,
    key="A minor",
    mute=frozenset({"drums", "bass"}),
    notes=(57, 60),
    drums=False,
    follow_prompts=True,
    change_at="bar",
    fill=True,
    dream=0.3,
    parts={"lead": PartControls(level=-6.0, mute=True, octave=1)},
    reroll=frozenset({"bass"}),
    sketches=(Sketch("lead", 4.0, (SketchNote(0.5, 1.0, 60.25),), brightness=(0.1, 0.9)),),
    strength={"bpm": 1 / 3},
)
SCORE = ScoreInfo(
    tempo=120.5,
    beat=3.25,
    notes={"bass": (33, 45)},
    events=(NoteEvent(5, "bass", 33, 100),),
    held=(NoteEvent(0, "lead", 70, 1),),
    programs={"bass": 38},
)


@dataclass(frozen=True)
class Later:
    """Controls of a later version: a field of each kind that may come."""

    name: Literal["a", "b"] = "a"
    inner: tuple[NoteEvent, ...] = ()
    pairs: tuple[tuple[str, float], ...] = ()
    table: dict[int, float | None] = field(default_factory=dict)
    sound: np.ndarray[Any, np.dtype[np.float32]] | None = None


def there_and_back(message: Message) -> Message:
    return from_text(to_text(message))


@pytest.mark.parametrize(
    "message",
    [
        Hello("segue", session="x"),
        Run(3, Place(7, clear=True), FULL, 4, "flac16", stems=True),
        Run(1, Place(seed=-5), Controls()),
        More(3, 9),
        Release((1, 2, 3)),
        Ask(4, "embed_text", "flute", (1.5,), 3, 10),
    ],
)
def test_a_message_arrives_as_it_was_sent(message: Message) -> None:
    assert there_and_back(message) == message


def test_every_field_of_the_controls_travels_without_being_listed() -> None:
    """A field that is added to Controls tomorrow is one of these."""
    for each in fields(Controls):
        value = getattr(FULL, each.name)
        if each.name in RANGES:
            value = sum(RANGES[each.name]) / 2
        sent = Controls(**{each.name: value})
        assert decode(Controls, json.loads(json.dumps(encode(sent)))) == sent
    assert encode(Controls()) == {}


def test_types_that_controls_may_have_one_day_travel_too() -> None:
    later = Later(
        "b",
        (NoteEvent(1, "bass", 2, 3),),
        (("x", 0.5),),
        {3: None, 4: 0.1},
        np.zeros(3, np.float32),
    )
    back = decode(Later, json.loads(json.dumps(encode(later))))
    assert replace(back, sound=None) == replace(later, sound=None)
    assert back.sound is not None and back.sound.dtype == np.float32


def test_what_the_reader_does_not_know_is_ignored() -> None:
    assert decode(Controls, {"bpm": 100.0, "a_control_of_2028": [1, {}]}) == Controls(bpm=100.0)
    body = info_to_json(INFO)
    controls = [*INFO.controls, "a_control_of_2028"]
    ranges = {"bpm": [60.0, 90.0], "a_control_of_2028": [0.0, 1.0]}
    read = info_from_json({**body, "controls": controls, "ranges": ranges}, KNOWN, remote=True)
    assert replace(read, ranges={}) == replace(INFO, remote=True)
    assert read.ranges == {"bpm": (60.0, 90.0)}


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", "nonsense", "null", "[" * 5000, '{"kind":"run"}', '{"kind":"system"}',
        '{"kind":"run","number":true,"place":{},"controls":{}}',
        '{"kind":"run","number":1,"place":{},"controls":{"bpm":9999}}',
        '{"kind":"run","number":1,"place":{},"controls":{"bpm":"fast"}}',
        '{"kind":"run","number":1,"place":{},"controls":{"style":{"dtype":"O","shape":[1],"data":""}}}',
        '{"kind":"run","number":1,"place":{},"controls":{"style":{"dtype":"float32","shape":[-1],"data":"AAAA"}}}',
        '{"kind":"run","number":1,"place":{},"controls":{"notes":[999]}}',
        '{"kind":"release","snapshots":"all"}', '{"kind":"ask","number":1,"what":7}',
    ],
)  # fmt: skip
def test_a_wrong_message_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(SegueError):
        from_text(text)


@settings(max_examples=60, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=8),
                    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=8), x),
                    max_leaves=12))  # fmt: skip
def test_no_json_makes_anything_but_a_sentence(body: object) -> None:
    run = {"kind": "run", "number": 1, "place": body, "controls": body}
    for value in (body, run, {"kind": "ask", "number": 1, "what": "x", "values": body}):
        try:
            from_text(json.dumps(value))
        except SegueError:
            pass


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([0, 1, 2]))
def test_no_bytes_make_anything_but_a_sentence(data: bytes, kind: int) -> None:
    try:
        from_bytes(bytes([kind]) + data, INFO)
    except SegueError:
        pass


def test_triggers_stand_in_the_first_block_of_a_run_only() -> None:
    assert following(FULL) == FULL.with_(fill=False, reroll=())
    assert following(Controls(bpm=90.0)) == Controls(bpm=90.0)


@pytest.mark.parametrize("audio_format", FORMATS)
def test_blocks_arrive_whole(audio_format: str) -> None:
    rng = np.random.default_rng(0)
    planes = tuple(rng.uniform(-1, 1, (480, 2)).astype(np.float32) for _ in range(3))
    block = Block(7, 2, 2**40, 1234, planes, SCORE, 0.0125)
    back = from_bytes(pack_block(block, 48_000, audio_format), INFO)
    assert isinstance(back, Block)
    assert replace(back, planes=()) == replace(block, planes=())
    assert back.score == SCORE and back.score.held == SCORE.held and back.score.notes == SCORE.notes
    most = {"float32": 0.0, "flac24": 2.0**-24, "flac16": 2.0**-16}[audio_format]
    for sent, read in zip(planes, back.planes, strict=True):
        assert np.abs(sent - read).max() <= most
    twice = encode_audio(back.planes[0], 48_000, audio_format)
    assert np.array_equal(decode_audio(twice, 2, audio_format, 480), back.planes[0])  # lossless


def test_flac_is_as_dense_as_it_can_be() -> None:
    """What a thin line carries more than is played is what a turned knob can throw away."""
    seconds, random = np.arange(3840)[:, None] / 48_000, np.random.default_rng(1)
    chord = sum(np.sin(6.28 * hz * seconds) * 20 / hz for hz in np.arange(220, 8000, 220))
    stroke = np.exp(-40.0 * np.maximum(0.0, seconds - 0.05)) * (seconds > 0.05)
    samples = (chord * stroke + random.normal(0.0, 0.0003, (3840, 2))).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, samples, 48_000, format="FLAC", subtype="PCM_16")
    packed = encode_audio(samples, 48_000, "flac16")
    assert len(packed) < 0.99 * len(file.getvalue())
    assert np.abs(decode_audio(packed, 2, "flac16", 3840) - samples).max() <= 2.0**-16


def test_full_scale_neither_wraps_nor_grows() -> None:
    loud = np.array([[1.0, -1.0], [1.5, -1.5]], np.float32)
    for audio_format in ("flac24", "flac16"):
        back = decode_audio(encode_audio(loud, 48_000, audio_format), 2, audio_format, 2)
        assert np.abs(back - np.clip(loud, -1, 1)).max() < 1e-4


def test_a_block_of_another_shape_is_refused() -> None:
    message = pack_block(Block(1, 0, 1, 0, (np.zeros((480, 2), np.float32),)), 48_000, "flac16")
    for damaged in (message[:-1], message + b"x", message[:20], b"\x01", b"\x03" + message[1:]):
        with pytest.raises(SegueError):
            from_bytes(damaged, INFO)
    with pytest.raises(SegueError):
        from_bytes(message)  # from a client: only pieces come
    with pytest.raises(SegueError):  # longer than the engine's blocks
        from_bytes(message, replace(INFO, block_frames=479))
    assert from_bytes(pack_piece(5, b"abc")) == Piece(5, b"abc")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("remote://studio/segue", RemoteAddress("studio", 7177, "segue")),
        ("remote://b:90/magenta-rt2-base", RemoteAddress("b", 90, "magenta-rt2-base")),
        ("remote://abc@a:1/segue?format=flac16", RemoteAddress("a", 1, "segue", "abc", "flac16")),
        ("remote://[::1]:7000/segue", RemoteAddress("::1", 7000, "segue")),
    ],
)  # fmt: skip
def test_addresses(text: str, address: RemoteAddress) -> None:
    read = parse_address(text)
    assert read == address
    assert "abc" not in read.name  # the token is shown nowhere
    assert parse_address(read.name) == replace(address, token="", audio_format="")


@pytest.mark.parametrize(
    "text",
    ["remote://", "remote:///segue", "remote://studio", "remote://studio:0/segue",
     "remote://studio:99999/segue", "remote://studio:x/segue", "http://studio/segue",
     "remote://studio/segue/more", "remote://studio/segue?format=mp3", "remote://[::1/segue",
     "remote://secret@studio"],
)  # fmt: skip
def test_wrong_addresses_are_refused(text: str) -> None:
    with pytest.raises(SegueError) as refused:
        parse_address(text)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("host", "secure"),
    [
        ("127.0.0.1", False),
        ("localhost", False),
        ("::1", False),
        ("studio", True),
        ("10.0.0.2", True),
    ],
)
def test_the_line_is_open_on_this_machine_only(host: str, secure: bool) -> None:
    assert RemoteAddress(host, 1, "segue").secure is secure


def test_a_bucket_keeps_the_rate() -> None:
    bucket = TokenBucket(8.0, 5.0, 0.0)
    assert [bucket.take(0.0) for _ in range(6)] == [True] * 5 + [False]
    assert sum(bucket.take(at / 64) for at in range(1, 65)) == 8  # a second
    assert not bucket.full(1.2)
    assert bucket.full(2.0)


def test_the_log_counts_what_repeats() -> None:
    lines: list[str] = []
    now = [0.0]
    journal = Journal(lines.append, lambda: now[0])
    for _ in range(100):
        journal.note("10.0.0.9", "wrong token")
    journal.note("10.0.0.8", "wrong token")
    now[0] = 11.0
    journal.note("10.0.0.9", "wrong token")
    assert lines == [
        "10.0.0.9: wrong token",
        "10.0.0.8: wrong token",
        "10.0.0.9: wrong token (99 more times)",
    ]
    for peer in range(5000):
        journal.note(str(peer), "wrong token")
    assert len(journal._last) <= 1000


def test_snapshots_are_kept_within_their_budget() -> None:
    shared = np.zeros(1000, np.uint8)
    store = SnapshotStore(budget=1000 + 100 * (SPARE + 100), most=1000)
    own = [np.zeros(100, np.uint8) for _ in range(500)]
    added = [store.put((shared, each)) for each in own]
    assert [number for number, _ in added] == list(range(1, 501))
    assert added[0][1] == 1000 + 100 + SPARE and added[1][1] == 100 + SPARE
    assert store.bytes <= store.budget and 50 <= len(store) <= 100
    assert store.get(500) == (shared, own[-1])
    assert store.get(2) is None
    near = store.before(470)
    assert near is not None and 440 < near <= 470
    for number in range(1, 501):
        store.release(number)
    assert len(store) == 0 and store.bytes == 0 and store.before(500) is None
