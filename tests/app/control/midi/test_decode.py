"""Messages, relative encoders, 14-bit pairs, NRPN, shaping. mido is the independent reader."""

from __future__ import annotations

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.control.midi import decode
from app.control.midi.decode import Cc14Decoder, Gesture, NrpnDecoder, read_gesture
from app.control.midi.message import Message, encode, parse, parse_hex
from app.control.midi.shaping import RESPONSE_CURVES, ResponseCurve, to_control, to_target

seven = st.integers(0, 127)
channels = st.integers(1, 16)

MIDO = {
    "note_on": "note_on",
    "note_off": "note_off",
    "pressure": "polytouch",
    "cc": "control_change",
    "program": "program_change",
    "aftertouch": "aftertouch",
    "bend": "pitchwheel",
}


@given(st.lists(st.integers(0, 255), max_size=12))
def test_any_bytes_are_a_message_or_none(data: list[int]) -> None:
    message = parse(data)
    if message is None:
        return
    if message.kind == "note_off" and data[0] & 0xF0 == 0x90:
        assert encode(message)[1:] == bytes(data)[1:]
    else:
        assert encode(message) == bytes(data)
    assert 0 <= message.value < 16384 and 0 <= message.number < 128 and message.text


@given(st.sampled_from(sorted(MIDO)), channels, seven, seven)
def test_mido_reads_what_we_write(kind: str, channel: int, number: int, value: int) -> None:
    wide = number << 7 | value if kind == "bend" else value
    numbered = kind in ("note_on", "note_off", "pressure", "cc")
    message = Message(kind, channel, number if numbered else 0, wide)  # type: ignore[arg-type]
    other = mido.Message.from_bytes(encode(message))
    assert other.type == MIDO[kind] and other.channel == channel - 1
    if kind == "bend":
        assert other.pitch == wide - 8192
    elif kind == "cc":
        assert (other.control, other.value) == (number, value)
    elif kind == "program":
        assert other.program == value
    elif kind.startswith("note"):
        assert (other.note, other.velocity) == (number, value)
    else:
        assert other.value == value


@given(st.lists(seven, max_size=20))
def test_system_exclusive(body: list[int]) -> None:
    data = mido.Message("sysex", data=body).bytes()
    message = parse(data)
    assert message is not None and message.data == bytes(data)
    assert parse_hex(bytes(data).hex(" ")) == bytes(data)


@pytest.mark.parametrize("text", ["", "F0", "F0 F7 F7", "F0 80 F7", "90 00", "hello", "F0 1 F7"])
def test_what_is_no_whole_message(text: str) -> None:
    assert parse_hex(text) is None


@pytest.mark.parametrize(
    ("kind", "value", "steps"),
    [
        ("relative-twos", 1, 1),
        ("relative-twos", 63, 63),
        ("relative-twos", 64, -64),
        ("relative-twos", 127, -1),
        ("relative-twos", 120, -8),
        ("relative-offset", 65, 1),
        ("relative-offset", 63, -1),
        ("relative-offset", 127, 63),
        ("relative-offset", 0, -64),
        ("relative-sign", 1, 1),
        ("relative-sign", 65, -1),
        ("relative-sign", 63, 63),
        ("relative-sign", 127, -63),
    ],
)
def test_encoders(kind: decode.ControlKind, value: int, steps: int) -> None:
    assert read_gesture(kind, Message("cc", 1, 1, value)) == Gesture("turn", steps=steps)


@pytest.mark.parametrize(
    ("kind", "rest"), [("relative-twos", 0), ("relative-offset", 64), ("relative-sign", 0)]
)
def test_an_encoder_at_rest_does_nothing(kind: decode.ControlKind, rest: int) -> None:
    assert read_gesture(kind, Message("cc", 1, 1, rest)) is None


@given(st.integers(-31, 31).filter(bool))
def test_encoders_give_back_the_steps_they_were_turned(steps: int) -> None:
    sent = {
        "relative-twos": steps % 128,
        "relative-offset": 64 + steps,
        "relative-sign": steps if steps > 0 else 64 - steps,
    }
    for kind, value in sent.items():
        turned = read_gesture(kind, Message("cc", 1, 1, value))  # type: ignore[arg-type]
        assert turned is not None and turned.steps == steps


@given(st.lists(st.integers(0, 16383), min_size=1, max_size=30))
def test_a_14_bit_pair_never_passes_through_a_wrong_value(values: list[int]) -> None:
    pair, seen = Cc14Decoder(), []
    for value in values:
        seen += [pair.msb(value >> 7), pair.lsb(value & 0x7F)]
    assert [value for value in seen if value is not None] == values


def test_a_pair_whose_fine_half_never_comes_still_moves() -> None:
    pair = Cc14Decoder()
    assert [pair.msb(value) for value in (0, 64, 127)] == [None, 64 << 7 | 64, 16383]
    assert Cc14Decoder().lsb(5) is None


@given(st.integers(0, 16383).filter(lambda n: n != 16383), st.integers(0, 16383))
def test_parameter_numbers(number: int, value: int) -> None:
    followed = NrpnDecoder()
    assert followed.receive(6, 3) is None
    followed.receive(99, number >> 7)
    followed.receive(98, number & 0x7F)
    followed.receive(6, value >> 7)
    assert followed.receive(38, value & 0x7F) == (number, value)
    assert followed.receive(96, 0) == (number, min(value + 1, 16383))
    assert followed.receive(97, 0) == (number, min(value, 16382))
    followed.receive(101, 0)
    assert followed.receive(6, 1) is None


@pytest.mark.parametrize(
    ("kind", "message", "expected"),
    [
        ("bend", Message("bend", 1, 0, 0), 0.0),
        ("bend", Message("bend", 1, 0, 8192), 0.5),
        ("bend", Message("bend", 1, 0, 16383), 1.0),
        ("knob", Message("cc", 1, 1, 127), 1.0),
        ("aftertouch", Message("aftertouch", 1, 0, 127), 1.0),
    ],
)
def test_positions(kind: decode.ControlKind, message: Message, expected: float) -> None:
    assert read_gesture(kind, message) == Gesture("move", expected)


def test_buttons_and_pads() -> None:
    on = Message("note_on", 1, 36, 64)
    assert read_gesture("pad", on) == Gesture("press", 64 / 127)
    assert read_gesture("pad", Message("note_off", 1, 36, 64)) == Gesture("release")
    assert read_gesture("button", Message("cc", 1, 20, 0)) == Gesture("release")
    assert read_gesture("program", Message("program", 1, 0, 5)) == Gesture("press", 1.0, 5)


@given(
    st.floats(0, 1),
    st.floats(0, 0.9),
    st.floats(0.05, 1),
    st.booleans(),
    st.sampled_from(RESPONSE_CURVES),
)
def test_shaping_can_be_undone(
    x: float, low: float, width: float, invert: bool, shape: ResponseCurve
) -> None:
    high = min(low + width, 1.0)
    target = to_target(x, low, high, invert, shape)
    assert low - 1e-9 <= target <= high + 1e-9
    # Where the curve is flat one place cannot be told from its neighbours.
    assert to_control(target, low, high, invert, shape) == pytest.approx(x, abs=1e-6)


@given(st.floats(0, 1), st.floats(0, 1), st.booleans(), st.sampled_from(RESPONSE_CURVES))
def test_shaping_keeps_order(a: float, b: float, invert: bool, shape: ResponseCurve) -> None:
    one, other = to_target(a, invert=invert, shape=shape), to_target(b, invert=invert, shape=shape)
    assert (one - other) * (a - b) * (-1 if invert else 1) >= 0
