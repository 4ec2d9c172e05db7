"""Traced frames are bit-identical to eager ones."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models.magenta_rt2.checkpoint.files import CHECKPOINTS
from models.magenta_rt2.checkpoint.random_weights import write
from models.magenta_rt2.checkpoint.weights import load_depthformer
from models.magenta_rt2.depthformer.config import (
    CODEBOOK_SIZE,
    CONDITION_CHANNELS,
    CONDITION_OFFSET,
    RVQ_LEVELS,
    DepthformerConfig,
    ModelSpec,
)
from models.magenta_rt2.depthformer.network import Depthformer
from models.magenta_rt2.depthformer.quantize import PRECISIONS, quantize
from models.magenta_rt2.depthformer.sampling import gumbel_noise
from models.magenta_rt2.depthformer.stepper import FrameStepper
from models.magenta_rt2.depthformer.traced_frame import trace_frame
from models.magenta_rt2.engine import MagentaEngine
from tests.benchmarks.magenta.cpu import ROUNDS, measure_traced
from tests.models.magenta_rt2.test_depthformer import TINY, draw
from tests.models.magenta_rt2.test_magenta_engine import CODEC

# The widths are what `int8-weights` asks for, and the two stacks differ, so there is an adapter.
CONFIG = DepthformerConfig(
    "magenta-rt2-small",
    64,
    ModelSpec(2, 64, 128, 2, 32),
    ModelSpec(2, 128, 192, 2, 64),
    max_past_horizon=5,
)
Pair = tuple[FrameStepper, FrameStepper]
SAMPLING = ((1.3, 40), (0.0, 40), (1.3, 1), (2.0, 7), (1.0, CODEBOOK_SIZE))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models")
    write(place, "small", config=CONFIG, codec=CODEC)
    return place


@pytest.fixture(scope="module", params=PRECISIONS)
def model(request: pytest.FixtureRequest, folder: Path) -> Depthformer:
    dtype = torch.bfloat16 if request.param == "bfloat16" else torch.float32
    loaded = load_depthformer(folder / CHECKPOINTS["magenta-rt2-small"], CONFIG, "cpu", dtype)
    if request.param.startswith("int8"):
        quantize(loaded, request.param)
    return loaded


def traced_stepper(model: Depthformer) -> FrameStepper:
    stepper = FrameStepper(model)
    assert trace_frame(stepper)
    return stepper


@pytest.fixture(scope="module")
def traced_once(model: Depthformer) -> Pair:
    """Two steppers of one model: to trace a frame takes longer than most tests play."""
    return traced_stepper(model), traced_stepper(model)


@pytest.fixture
def traced(traced_once: Pair) -> Pair:
    """The two, before their first frame."""
    for stepper in traced_once:
        stepper.reset()
    return traced_once


def conditions(frame: int) -> Tensor:
    return torch.full((CONDITION_CHANNELS,), CONDITION_OFFSET + frame % 3 - 1)


def play(stepper: FrameStepper, frames: int, seed: int = 3) -> tuple[Tensor, Tensor]:
    """Codes (frames, 12) and cache columns, under sampling parameters that change."""
    codes, columns = [], []
    for _ in range(frames):
        number = stepper.frame
        noise = gumbel_noise(seed, 0, number)
        codes.append(stepper.step(conditions(number), noise, *SAMPLING[number % len(SAMPLING)]))
        columns.append(stepper.columns.clone())
    return torch.stack(codes), torch.stack(columns)


def same(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_same_bit_for_bit(model: Depthformer, traced: Pair) -> None:
    assert same(play(traced[0], 30), play(FrameStepper(model), 30))


def test_a_snapshot_goes_on_bit_for_bit(model: Depthformer, traced: Pair) -> None:
    """In the stepper that it comes from, in another traced one, and in one that is not."""
    stepper, second = traced
    play(stepper, 2 * CONFIG.max_past_horizon + 3)
    snapshot = stepper.context()
    first = play(stepper, 12)
    for other in (stepper, second, FrameStepper(model)):
        other.load(snapshot)
        assert same(play(other, 12), first)


def test_two_streams_take_turns(model: Depthformer, traced: Pair) -> None:
    stepper = traced[0]
    alone = [play(FrameStepper(model), 12, seed)[0] for seed in (1, 2)]
    assert not torch.equal(*alone)
    places = [stepper.empty_context(), stepper.empty_context()]
    outputs: list[list[Tensor]] = [[], []]
    for turn in range(8):
        which = turn % 2
        stepper.load(places[which])
        outputs[which].append(play(stepper, 3, which + 1)[0])
        places[which] = stepper.context()
    assert all(torch.equal(torch.cat(a), b) for a, b in zip(outputs, alone, strict=True))


def test_steppers_of_one_model_do_not_share_what_they_remember(
    model: Depthformer, traced: Pair
) -> None:
    one, two = traced
    expected = play(FrameStepper(model), 6)[0]
    play(two, 4, seed=9)
    first = play(one, 3)[0]
    play(two, 4, seed=9)
    assert torch.equal(torch.cat([first, play(one, 3)[0]]), expected)


def test_no_weight_is_copied(model: Depthformer, traced: Pair) -> None:
    replay = traced[0].replay
    assert isinstance(replay, partial)
    frame: Any = replay.func
    own = {tensor.data_ptr() for tensor in model.parameters()}
    assert {tensor.data_ptr() for tensor in frame.parameters()} == own
    graph = frame.inlined_graph
    copies = [
        node.t("value")
        for node in graph.findAllNodes("prim::Constant")
        if node.hasAttribute("value") and node.kindOf("value") == "t"
    ]
    # Numbers, offsets and scales; int8-weights are no parameters, and held, not copied.
    held = {tensor.data_ptr() for module in model.modules() for tensor in _tensors_of(module)}
    assert all(tensor.numel() <= 256 or tensor.data_ptr() in held for tensor in copies)


def _tensors_of(module: torch.nn.Module) -> list[Tensor]:
    return [value for value in vars(module).values() if isinstance(value, Tensor)]


def test_a_frame_is_one_call(model: Depthformer, traced: Pair) -> None:
    """Calls of C functions from Python, each of which may wait for the GIL."""

    def calls(stepper: FrameStepper) -> int:
        count = 0

        def note(frame: object, event: str, what: object) -> None:
            nonlocal count
            count += event == "c_call"

        before = sys.getprofile()
        with torch.inference_mode():
            sys.setprofile(note)
            try:
                (stepper.replay or stepper.run)()
            finally:
                sys.setprofile(before)
        return count

    assert calls(FrameStepper(model)) > 500
    assert calls(traced[0]) < 10


@pytest.mark.parametrize("name", ["small", "base"])
def test_greedy_tokens_of_200_frames(name: str, tmp_path: Path) -> None:
    """The reference's own, see `test_depthformer.py`."""
    path, expected = draw(name, tmp_path)
    stepper = traced_stepper(load_depthformer(path, TINY[name]))
    still = torch.zeros(RVQ_LEVELS, CODEBOOK_SIZE)
    rows, expected = (torch.from_numpy(expected[key]).long() for key in ("conditions", "tokens"))
    for row, frame in zip(rows, expected, strict=True):
        got = stepper.step(row, still, 0.0, 40) + stepper.offsets
        assert torch.equal(got, frame), f"frame {stepper.frame - 1}"
    assert stepper.frame == 200


@pytest.mark.parametrize("late", [False, True])
def test_where_nothing_can_be_traced_frames_are_played_as_before(
    model: Depthformer, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    stepper = FrameStepper(model)
    play(stepper, 3)

    def refuses(frame: torch.nn.Module, buffers: tuple[Tensor, ...], **_: object) -> Any:
        frame(*buffers)  # writes into the cache
        if not late:
            raise RuntimeError("cannot be traced")

        def fails(*_: Tensor) -> None:
            raise RuntimeError("cannot be run")

        return fails

    monkeypatch.setattr(torch.jit, "trace", refuses)
    assert not trace_frame(stepper)
    assert stepper.replay is None and stepper.frame == 0
    assert same(play(stepper, 12), play(FrameStepper(model), 12))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_engine_plays_traced_frames_on_a_cpu(folder: Path, precision: str) -> None:
    engine = MagentaEngine("small", "cpu", folder, precision, config=CONFIG, codec=CODEC)
    assert engine.stepper.replay is not None
    assert engine.stepper.frame == 0


def test_what_measures_plays_both_ways(traced: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    stepper = traced[0]
    replay, run, before = stepper.replay, stepper.run, (sys.getswitchinterval(), stepper.frame)
    assert replay is not None
    played: list[str] = []

    def noted(name: str, play: Any) -> Any:
        def noting() -> None:
            played.append(name)
            play()

        return noting

    monkeypatch.setattr(stepper, "run", noted("plain", run))
    noting = noted("traced", replay)
    monkeypatch.setattr(stepper, "replay", noting)
    spent = measure_traced(stepper, conditions(0), 2 * ROUNDS, torch.get_num_threads())
    ways = ["eager", "eager_busy_gui", "traced", "traced_busy_gui"]
    assert list(spent) == ways and min(spent.values()) > 0
    assert played == (["plain"] * 4 + ["traced"] * 4) * ROUNDS
    assert stepper.replay is noting
    assert (sys.getswitchinterval(), stepper.frame) == (before[0], before[1] + 8 * ROUNDS)
