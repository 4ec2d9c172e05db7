"""OSC messages and address patterns: every type of OSC 1.0 and 1.1, read or skipped by its size."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.control.osc.messages import MalformedPacketError, is_pattern, matches, parse


def text(words: str) -> bytes:
    data = words.encode() + b"\0"
    return data + bytes(-len(data) % 4)


def blob(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data + bytes(-len(data) % 4)


SKIPPED: dict[str, bytes] = {
    "b": blob(b"12345"),
    "c": b"\0\0\0A",
    "r": b"\xff\x00\x00\xff",
    "m": b"\0\x90\x3c\x40",
    "t": bytes(8),
    "[ii]": struct.pack(">ii", 1, 2),
    "[f[s]T]": struct.pack(">f", 2.0) + text("inner"),
    "[]": b"",
}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("tags", sorted(SKIPPED))
def test_an_argument_that_nothing_takes_is_skipped(tags: str, after: bool) -> None:
    number = struct.pack(">f", 0.5)
    types, data = ("f" + tags, number + SKIPPED[tags])
    if not after:
        types, data = (tags + "f", SKIPPED[tags] + number)
    message = text("/segue/density") + text("," + types) + data
    assert parse(message) == ("/segue/density", [0.5])


words = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=12)
kinds = st.one_of(
    st.tuples(st.just("i"), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.just("h"), st.integers(-(2**63), 2**63 - 1)),
    st.tuples(st.just("d"), st.floats(allow_nan=False, allow_infinity=False)),
    st.tuples(
        st.sampled_from("sS"), st.text(st.characters(exclude_characters="\0", codec="utf-8"))
    ),
    st.sampled_from([("T", True), ("F", False), ("N", None), ("I", True)]),
    st.sampled_from([(tags, ...) for tags in SKIPPED]),
)


@given(st.lists(kinds, max_size=8), st.integers(0, 200))
def test_any_arguments_are_read_and_cut_ones_are_not(
    arguments: list[tuple[str, object]], cut: int
) -> None:
    data = b""
    for tag, value in arguments:
        if tag in "ihd":
            data += struct.pack({"i": ">i", "h": ">q", "d": ">d"}[tag], value)
        elif tag in "sS":
            data += text(str(value))
        else:
            data += SKIPPED.get(tag, b"")
    head = text("/segue/any") + text("," + "".join(tag for tag, _ in arguments))
    expected = [value for _, value in arguments if value is not ...]
    assert parse(head + data) == ("/segue/any", expected)
    if cut < len(data):
        with pytest.raises(MalformedPacketError):
            parse(head + data[:cut])


@pytest.mark.parametrize("tags", [",[f", ",f]", ",]f[", ",b", ",q", ",z"])
def test_brackets_and_sizes_that_do_not_fit(tags: str) -> None:
    with pytest.raises(MalformedPacketError):
        parse(text("/segue/any") + text(tags) + b"\xff\xff\xff\xf0")


@pytest.mark.parametrize(
    ("pattern", "there", "not_there"),
    [
        ("prompt.{1,2}.weight", ["prompt.1.weight", "prompt.2.weight"], ["prompt.3.weight"]),
        ("prompt.?.weight", ["prompt.1.weight"], ["prompt.10.weight"]),
        ("prompt.[1-3].weight", ["prompt.3.weight"], ["prompt.4.weight"]),
        ("prompt.[!1-3].weight", ["prompt.4.weight"], ["prompt.3.weight"]),
        ("prompt.[3-1].weight", ["prompt.2.weight"], ["prompt.4.weight"]),
        ("prompt.1{0,1,}.weight", ["prompt.1.weight", "prompt.11.weight"], ["prompt.12.weight"]),
        ("prompt.*.{mute,solo}", ["prompt.7.mute", "prompt.7.solo"], ["prompt.7.weight"]),
        ("..weight", ["prompt.1.weight", "weight"], ["prompt.1.mute", "overweight"]),
        ("prompt..weight", ["prompt.1.weight", "prompt.weight"], ["scene.1.weight"]),
        ("*", ["tempo", "prompt.1.weight"], []),
        ("t*o", ["tempo"], ["t.o", "key"]),
        ("prompt.{1,2", [], ["prompt.1", "prompt.{1,2"]),
        ("prompt.[]", [], ["prompt.1", "prompt.[]"]),
        ("prompt.[^1]", ["prompt.1", "prompt.^"], ["prompt.2"]),
        ("tempo(a+)+", [], ["tempoa"]),
        ("*" * 40, [], ["x" * 40]),
    ],
)
def test_patterns(pattern: str, there: list[str], not_there: list[str]) -> None:
    assert is_pattern(pattern) or pattern.startswith("tempo(")
    assert [name for name in [*there, *not_there] if matches(name, pattern)] == there


@given(st.text(st.sampled_from("ab.*?[]{}!-,^\\|("), max_size=20), st.text("ab.", max_size=20))
def test_no_pattern_does_harm(pattern: str, name: str) -> None:
    assert matches(name, pattern) in (True, False)
