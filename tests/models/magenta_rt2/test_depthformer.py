"""Comparison of the depthformer with the reference: logits, greedy tokens, streaming, loading."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from torch import Tensor

from models.errors import SegueError
from models.magenta_rt2.checkpoint.weights import load_depthformer, tensor_slots
from models.magenta_rt2.continuation import prefill_context
from models.magenta_rt2.depthformer.config import (
    CODEBOOK_SIZE,
    NUM_RESERVED_TOKENS,
    RVQ_LEVELS,
    DepthformerConfig,
    ModelSpec,
)
from models.magenta_rt2.depthformer.layers import Dense
from models.magenta_rt2.depthformer.network import Depthformer
from models.magenta_rt2.depthformer.quantize import DynamicInt8, WeightInt8, quantize
from models.magenta_rt2.depthformer.sampling import gumbel_noise, sample_code
from models.magenta_rt2.depthformer.stepper import FrameStepper
from tests.models.magenta_rt2.fixture_weights import weights

HERE = Path(__file__).parent

TINY = {
    "small": DepthformerConfig(
        "tiny-small",
        16,
        ModelSpec(3, 32, 64, 2, 16),
        ModelSpec(2, 24, 48, 3, 8),
        max_past_horizon=7,
    ),
    "base": DepthformerConfig(
        "tiny-base", 16, ModelSpec(4, 24, 40, 3, 8), ModelSpec(3, 16, 32, 2, 8), max_past_horizon=5
    ),
}
BAR = 1e-4  # of the logits' spread


@dataclass(frozen=True)
class Case:
    """A scaled-down model with the reference's answers."""

    config: DepthformerConfig
    path: Path
    expected: dict[str, np.ndarray]
    model: Depthformer

    def ids(self, name: str) -> Tensor:
        return torch.from_numpy(self.expected[name].astype(np.int64))

    def error(self, logits: Tensor) -> float:
        """Largest difference to the reference's logits, as a part of their spread."""
        got = logits.numpy()[:, :, ::8]
        return float(np.abs(got - self.expected["logits"]).max() / self.expected["spread"][0])


def draw(name: str, folder: Path) -> tuple[Path, dict[str, np.ndarray]]:
    fixture = HERE / "data" / f"depthformer_{name}.safetensors"
    with safe_open(fixture, "np") as file:
        said = file.metadata()
    shapes = {key: tuple(shape) for key, shape in json.loads(said["shapes"]).items()}
    path = folder / f"{name}.safetensors"
    save_file(weights(shapes, int(said["seed"])), path)
    return path, load_file(fixture)


@pytest.fixture(scope="module", params=["small", "base"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    path, expected = draw(request.param, tmp_path_factory.mktemp("weights"))
    config = TINY[request.param]
    return Case(config, path, expected, load_depthformer(path, config))


def test_logits_of_a_sequence(case: Case) -> None:
    given = case.ids("given")
    logits = case.model(given, case.ids("conditions")[: len(given)])
    own = [
        logits[
            :,
            k,
            NUM_RESERVED_TOKENS + CODEBOOK_SIZE * k : NUM_RESERVED_TOKENS + CODEBOOK_SIZE * (k + 1),
        ]
        for k in range(RVQ_LEVELS)
    ]
    assert case.error(torch.stack(own, dim=1)) < BAR
    reserved = logits[:, :, :NUM_RESERVED_TOKENS].numpy() - case.expected["reserved_logits"]
    assert np.abs(reserved).max() < BAR * case.expected["spread"][0]


def test_logits_frame_by_frame(case: Case) -> None:
    stepper = FrameStepper(case.model)
    rows = zip(case.ids("conditions"), case.ids("given"), strict=False)
    assert case.error(torch.stack([stepper.teacher_force(row, frame) for row, frame in rows])) < BAR


def test_greedy_tokens_of_200_frames(case: Case) -> None:
    expected = case.ids("tokens")
    assert len(expected) == 200
    stepper = FrameStepper(case.model)
    still = torch.zeros(RVQ_LEVELS, CODEBOOK_SIZE)
    for row, frame in zip(case.ids("conditions"), expected, strict=True):
        got = stepper.step(row, still, 0.0, 40) + stepper.offsets
        assert torch.equal(got, frame), f"frame {stepper.frame - 1}"


def test_a_snapshot_goes_on_bit_for_bit(case: Case) -> None:
    rows = case.ids("conditions")
    stepper, other = FrameStepper(case.model), FrameStepper(case.model)

    def play(on: FrameStepper, count: int) -> Tensor:
        return torch.stack(
            [on.step(rows[9], gumbel_noise(3, 0, on.frame), 1.3, 40) for _ in range(count)]
        )

    play(stepper, 2 * case.config.max_past_horizon + 3)
    snapshot = stepper.context()
    copies = [entry.columns.clone() for entry in snapshot.entries]
    first = play(stepper, 12)
    stepper.load(snapshot)
    assert torch.equal(play(stepper, 12), first)
    other.load(snapshot)  # a cache that never held these entries
    assert torch.equal(play(other, 12), first)
    assert torch.equal(other.kv_cache, stepper.kv_cache)
    assert all(torch.equal(a, b.columns) for a, b in zip(copies, snapshot.entries, strict=True))
    assert len(first.unique()) > 40


def test_neighbouring_snapshots_share_all_but_one_entry(case: Case) -> None:
    stepper = FrameStepper(case.model)
    row, still = case.ids("conditions")[0], torch.zeros(RVQ_LEVELS, CODEBOOK_SIZE)
    for _ in range(case.config.max_past_horizon + 2):
        stepper.step(row, still, 0.0, 1)
    before = stepper.context()
    stepper.step(row, still, 0.0, 1)
    after = stepper.context()
    assert len(after.entries) == case.config.max_past_horizon
    assert all(a is b for a, b in zip(before.entries[1:], after.entries, strict=False))


def test_history_taken_in_is_as_if_played(case: Case) -> None:
    row = case.ids("conditions")[0]
    tokens = case.ids("tokens")[:40]
    stepper = FrameStepper(case.model)
    for frame in tokens:
        stepper.teacher_force(row, frame)
    taken = FrameStepper(case.model)
    taken.load(prefill_context(case.model, tokens - stepper.offsets, row))
    assert taken.frame == stepper.frame
    pairs = zip(taken.context().entries, stepper.context().entries, strict=True)
    assert all(torch.allclose(a.columns, b.columns, atol=1e-4) for a, b in pairs)
    next_frame = case.ids("tokens")[40]
    difference = taken.teacher_force(row, next_frame) - stepper.teacher_force(row, next_frame)
    assert difference.abs().max() < BAR * case.expected["spread"][0]


@pytest.mark.parametrize("kind", [DynamicInt8, WeightInt8])
@pytest.mark.parametrize("outputs_first", [False, True])
def test_an_eight_bit_kernel(kind: type[DynamicInt8 | WeightInt8], outputs_first: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    kernel = Dense(128, 96, bias=True, outputs_first=outputs_first)
    shape = (96, 128) if outputs_first else (128, 96)
    # Channels of very different size: one scale for all of them would lose the small ones.
    sizes = torch.logspace(-3, 0, 96).view((96, 1) if outputs_first else (1, 96))
    weight = torch.randn(shape, generator=generator) * sizes
    kernel.weight = torch.nn.Parameter(weight, requires_grad=False)
    kernel.bias = torch.nn.Parameter(torch.randn(96, generator=generator), requires_grad=False)
    x = torch.randn(1, 128, generator=generator)
    error = (kind(kernel)(x) - kernel(x)) / sizes.view(-1)
    assert 0 < error.square().mean().sqrt() < 0.02 * 128**0.5


def test_eight_bits_keep_the_distribution(case: Case) -> None:
    model = load_depthformer(case.path, case.config)
    quantize(model, "int8")
    stepper = FrameStepper(model)
    rows = zip(case.ids("conditions"), case.ids("given"), strict=False)
    got = torch.stack([stepper.teacher_force(row, frame) for row, frame in rows])[:, :, ::8]
    expected = torch.from_numpy(case.expected["logits"])
    p, q = (2 * expected).log_softmax(-1), (2 * got).log_softmax(-1)
    divergence = (p.exp() * (p - q)).sum(-1)
    assert 0 < divergence.mean() < 0.05
    assert not torch.equal(got, expected)


def test_zero_copy(case: Case) -> None:
    """On a CPU, float32 from a float32 file: views of the mapped file, not copies."""
    parts = [
        tensor for name, tensor in case.model.named_parameters() if "to_level_logits" not in name
    ]
    starts = sorted((tensor.data_ptr(), tensor.nbytes) for tensor in parts)
    span = starts[-1][0] + starts[-1][1] - starts[0][0]
    assert span <= case.path.stat().st_size


def test_top_k_and_temperature() -> None:
    logits = torch.linspace(0.0, 5.0, CODEBOOK_SIZE)[torch.randperm(CODEBOOK_SIZE)]
    best = set(logits.topk(5).indices.tolist())
    noise = gumbel_noise(1, 0, 0)
    seen = {
        int(sample_code(logits, gumbel_noise(1, 0, n)[0], torch.tensor(3.0), torch.tensor([5])))
        for n in range(200)
    }
    assert seen == best
    assert int(
        sample_code(logits, noise[0], torch.tensor(0.0), torch.tensor([CODEBOOK_SIZE]))
    ) == int(logits.argmax())


def test_codes_are_drawn_as_often_as_they_are_likely() -> None:
    logits = torch.full((CODEBOOK_SIZE,), -30.0)
    logits[:3] = torch.tensor([0.6, 0.3, 0.1]).log()
    one, every = torch.tensor(1.0), torch.tensor([CODEBOOK_SIZE])
    draws = torch.cat(
        [sample_code(logits, row, one, every) for n in range(250) for row in gumbel_noise(5, 0, n)]
    )
    share = torch.bincount(draws, minlength=CODEBOOK_SIZE)[:3] / len(draws)
    assert torch.allclose(share, torch.tensor([0.6, 0.3, 0.1]), atol=0.03)


def test_noise_is_a_function_of_seed_epoch_and_frame() -> None:
    noise = gumbel_noise(7, 1, 12)
    assert torch.equal(noise, gumbel_noise(7, 1, 12))
    for other in (gumbel_noise(8, 1, 12), gumbel_noise(7, 2, 12), gumbel_noise(7, 1, 13)):
        assert not torch.isin(noise, other).float().mean() > 0.01
    assert noise.mean() == pytest.approx(0.5772, abs=0.03)
    assert noise.std() == pytest.approx(1.2825, abs=0.03)


class TestFaults:
    """Each is one sentence that names what is wrong and the command that puts it right."""

    @pytest.fixture
    def tensors(self, case: Case) -> dict[str, np.ndarray]:
        return load_file(case.path)

    def fault(self, case: Case, path: Path) -> str:
        with pytest.raises(SegueError) as caught:
            load_depthformer(path, case.config)
        sentence = str(caught.value)
        assert f"models fetch {case.config.name}" in sentence
        assert "\n" not in sentence
        return sentence

    def test_every_misfit_is_named_at_once(
        self, case: Case, tensors: dict[str, np.ndarray], tmp_path: Path
    ) -> None:
        norm = "params/depthformer/decoder/depth_body/final_ln/scale"
        bias = "params/depthformer/decoder/depth_body/to_logits/bias"
        kernel = "params/depthformer/decoder/depth_body/to_logits/kernel"
        del tensors[norm], tensors[bias]
        tensors[kernel] = tensors[kernel][:-1]
        tensors["params/depthformer/decoder/extra"] = np.zeros(2, np.float32)
        save_file(tensors, tmp_path / "bad.safetensors")
        sentence = self.fault(case, tmp_path / "bad.safetensors")
        for words in ("depth_body/final_ln/scale and 1 more", "decoder/extra", kernel[-30:]):
            assert words in sentence

    def test_truncated(self, case: Case, tmp_path: Path) -> None:
        data = case.path.read_bytes()
        for size in (len(data) - 1000, 200, 3):
            (tmp_path / "cut.safetensors").write_bytes(data[:size])
            assert "cut short" in self.fault(case, tmp_path / "cut.safetensors")

    def test_not_there(self, case: Case, tmp_path: Path) -> None:
        assert "not here" in self.fault(case, tmp_path / "none.safetensors")


def test_the_codecs_tensors_are_left_to_the_codec(case: Case, tmp_path: Path) -> None:
    tensors = load_file(case.path) | {"params/soundstream/quantizer/x": np.zeros(1, np.float32)}
    save_file(tensors, tmp_path / "both.safetensors")
    load_depthformer(tmp_path / "both.safetensors", case.config)


def test_the_fixture_has_every_tensor(case: Case) -> None:
    """The reference's own list of tensors is ours."""
    with safe_open(case.path, "np") as file:
        there = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    assert there == {slot.key: slot.shape for slot in tensor_slots(Depthformer(case.config))}
