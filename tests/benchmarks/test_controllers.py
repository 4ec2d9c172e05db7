"""The instrument plays on JACK for seconds while a controller and OSC flood it.

`tests.benchmarks.controllers` measures timing, and over longer runs.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.benchmarks import controllers
from tests.support import jack
from tests.support.device_process import DeviceProcess
from tests.support.jack_rig import MIX, Rig

pytestmark = [
    pytest.mark.skipif(bool(jack.missing()), reason=jack.missing() or "there"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def playing() -> Iterator[tuple[Rig, DeviceProcess]]:
    # Large periods, so that a test machine that does something else now and then is not late.
    with Rig(period=1024, buffer_frames=1024) as rig, DeviceProcess() as device:
        device.ask("plug", name=MIX)
        rig.play()
        assert rig.until(rig.connected)
        rig.wait(1.5)
        yield rig, device


def test_a_flood_of_midi(playing: tuple[Rig, DeviceProcess]) -> None:
    result = controllers.flood(*playing, seconds=1.5)
    assert result["messages_per_second"] > 2000
    assert not result["last_value_wrong"] and not result["notes_hung"]
    assert result["underruns"] == 0


def test_a_flood_of_osc(playing: tuple[Rig, DeviceProcess]) -> None:
    result = controllers.osc(*playing, seconds=1.5)
    counts = result["counts"]
    assert result["last_value"] == 0.75 and result["underruns"] == 0
    assert counts["received"] > 1500
    for name in ("coalesced", "malformed", "oversized", "unknown"):
        assert counts[name] > 0


def test_every_message_arrives(playing: tuple[Rig, DeviceProcess]) -> None:
    result = controllers.latency(*playing, messages=40)
    assert result["never_arrived"] == 0 and result["underruns"] == 0
    assert result["ms"]["p50"] < 500.0  # the machine may be busy; the benchmark has the bar


def test_a_controller_that_comes_back_while_it_plays(playing: tuple[Rig, DeviceProcess]) -> None:
    # The machine may be busy: how soon it comes back is measured by the benchmark.
    result = controllers.replug(*playing, times=2, patience=10.0)
    assert not result["missed"] and result["underruns"] == 0


def test_a_key_is_heard(playing: tuple[Rig, DeviceProcess]) -> None:
    result = controllers.sound(playing[0], times=2)
    assert result["not_audible"] == 0 and result["ms"]["worst"] < 3000.0
