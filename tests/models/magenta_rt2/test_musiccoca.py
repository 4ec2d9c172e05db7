"""Comparison of MusicCoCa with the results of the reference on small networks."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from models.errors import SegueError
from models.magenta_rt2.checkpoint.files import MUSICCOCA
from models.magenta_rt2.depthformer.config import STYLE_DIM
from models.magenta_rt2.musiccoca.model import MusicCoCa

pytest.importorskip("ai_edge_litert", reason="the extra 'magenta' has no build for this machine")
from ai_edge_litert import schema_py_generated as schema

from tests.models.magenta_rt2.tflite_models import Model, write_models

DATA = Path(__file__).parent / "data"
NAME = "magenta-rt2-small"
TEXTS = ["Minimal Techno", "a flute over slow strings", "", "drum " * 200]  # as the fixtures' maker
NETWORKS = ["text_encoder", "audio_preprocessor", "music_encoder", "pretrained_vector_quantizer"]


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engine")
    write_models(folder / MUSICCOCA)
    shutil.copy(DATA / "musiccoca_spm.model", folder / MUSICCOCA / "spm.model")
    return folder


@pytest.fixture(scope="module")
def model(assets: Path) -> MusicCoCa:
    return MusicCoCa(NAME, assets)


@pytest.fixture(scope="module")
def reference() -> dict[str, NDArray[np.generic]]:
    return dict(load_file(DATA / "musiccoca_results.safetensors"))


def clips() -> list[NDArray[np.float32]]:
    """As the fixtures' maker has them."""
    random = np.random.default_rng(12)
    shapes = [(30_000, 1), (160_000, 2), (320_000, 1), (200_000, 2)]
    return [(0.2 * random.standard_normal(shape)).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("index", range(len(TEXTS)))
def test_text(model: MusicCoCa, reference: dict[str, NDArray[np.generic]], index: int) -> None:
    vector = model.embed_text(TEXTS[index], use_mapper=False)
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector, reference["text"][index], rtol=1e-5, atol=1e-6)
    mapped = model.embed_text(TEXTS[index], use_mapper=True, seed=3)
    np.testing.assert_allclose(mapped, reference["mapped"][index], rtol=1e-5, atol=1e-6)
    other = model.embed_text(TEXTS[index], use_mapper=True, seed=4)
    assert not np.allclose(mapped, other, atol=1e-3)


@pytest.mark.parametrize("index", range(4))
def test_sound(model: MusicCoCa, reference: dict[str, NDArray[np.generic]], index: int) -> None:
    vector = model.embed_audio(clips()[index], 16_000)
    np.testing.assert_allclose(vector, reference["sound"][index], rtol=1e-4, atol=1e-6)


def test_tokens(model: MusicCoCa, reference: dict[str, NDArray[np.generic]]) -> None:
    kinds = ("text", "mapped", "prompts", "sound")
    vectors = np.concatenate([reference[kind] for kind in kinds])
    tokens = np.stack([model.tokenize(vector) for vector in vectors])
    assert tokens.dtype == np.int32
    np.testing.assert_array_equal(tokens, reference["tokens"])
    assert len(np.unique(tokens)) > 50, "tokens that are all alike would prove nothing"


@pytest.mark.parametrize("index", range(len(TEXTS)))
def test_a_text_prompt_goes_through_the_mapper(
    model: MusicCoCa, reference: dict[str, NDArray[np.generic]], index: int
) -> None:
    """As the reference's front ends send it: with seed 0, vector and tokens."""
    vector = model.embed_text(TEXTS[index])
    np.testing.assert_allclose(vector, reference["prompts"][index], rtol=1e-5, atol=1e-6)
    tokens = reference["tokens"][2 * len(TEXTS) + index]
    np.testing.assert_array_equal(model.tokenize(vector), tokens)
    plain = reference["tokens"][index]
    assert not np.array_equal(tokens, plain), "a mapper without effect would prove nothing"


def test_another_rate_is_resampled(model: MusicCoCa) -> None:
    """A period of 16 samples at 16 kHz is 48 at 48 kHz: the same sound, nearly the same vector."""
    t = np.arange(20 * 48_000) / 48_000
    at48 = np.sin(2 * np.pi * 1000 * t + 0.5)
    near = model.embed_audio(at48, 48_000)
    at16 = np.sin(2 * np.pi * 1000 * np.arange(20 * 16_000) / 16_000 + 0.5)
    expected = model.embed_audio(at16, 16_000)
    assert np.linalg.norm(near - expected) < 0.01 * np.linalg.norm(expected)


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros((0, 2)), np.zeros((2, 2, 2))])
def test_no_sound(model: MusicCoCa, samples: NDArray[np.float64]) -> None:
    with pytest.raises(SegueError, match="holds no samples"):
        model.embed_audio(samples, 16_000)


def test_a_style_of_another_engine(model: MusicCoCa) -> None:
    with pytest.raises(SegueError, match="768 numbers"):
        model.tokenize(np.zeros(128))


@pytest.mark.parametrize("file", ["spm.model", *(f"{name}.tflite" for name in NETWORKS)])
@pytest.mark.parametrize("fault", ["missing", "damaged"])
def test_an_asset_that_is_not_as_it_should_be(
    assets: Path, tmp_path: Path, file: str, fault: str
) -> None:
    """The reference plays the piano then; here the file and the command are named."""
    shutil.copytree(assets, tmp_path / "engine")
    path = tmp_path / "engine" / MUSICCOCA / file
    path.unlink()
    if fault == "damaged":
        path.write_bytes(b"this is no network" * 10)
    spoilt = MusicCoCa(NAME, tmp_path / "engine")
    command = "fetch" if fault == "missing" else "verify"
    with pytest.raises(SegueError, match=f"{file} of {NAME} is .*models {command} {NAME}"):
        if file in ("spm.model", "text_encoder.tflite"):
            spoilt.embed_text("techno")
        elif file.startswith("pretrained"):
            spoilt.tokenize(np.zeros(STYLE_DIM))
        else:
            spoilt.embed_audio(np.ones(1000), 16_000)


def test_a_mapper_that_was_not_released(assets: Path, tmp_path: Path) -> None:
    shutil.copytree(assets, tmp_path / "engine")
    (tmp_path / "engine" / MUSICCOCA / "mapper.tflite").unlink()
    model = MusicCoCa(NAME, tmp_path / "engine")
    assert not model.has_mapper
    plain = MusicCoCa(NAME, assets).embed_text("techno", use_mapper=False)
    np.testing.assert_array_equal(model.embed_text("techno"), plain)
    with pytest.raises(SegueError, match=r"mapper\.tflite"):
        model.embed_text("techno", use_mapper=True)


def test_a_network_of_another_model(assets: Path, tmp_path: Path) -> None:
    folder = tmp_path / "engine"
    shutil.copytree(assets, folder)
    networks = folder / MUSICCOCA
    shutil.copy(networks / "mapper.tflite", networks / "text_encoder.tflite")
    shutil.copy(networks / "mapper.tflite", networks / "audio_preprocessor.tflite")
    model = MusicCoCa(NAME, folder)
    with pytest.raises(SegueError, match=r"text_encoder\.tflite .* another version"):
        model.embed_text("techno")
    with pytest.raises(SegueError, match=r"audio_preprocessor\.tflite .* another version"):
        model.embed_audio(np.ones(1000), 16_000)


@pytest.fixture
def without_litert(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)


@pytest.mark.usefixtures("without_litert")
def test_prompts_need_no_litert(assets: Path, reference: dict[str, NDArray[np.generic]]) -> None:
    model = MusicCoCa(NAME, assets)
    vector = model.embed_text(TEXTS[1], use_mapper=True, seed=3)
    np.testing.assert_allclose(vector, reference["mapped"][1], rtol=1e-5, atol=1e-6)
    sound = model.embed_audio(clips()[0], 16_000)
    np.testing.assert_allclose(sound, reference["sound"][0], rtol=1e-4, atol=1e-6)
    assert model.tokenize(vector).shape == (12,)


@pytest.fixture
def strange_assets(assets: Path, tmp_path: Path) -> Path:
    """A mapper with an operator that only LiteRT knows."""
    shutil.copytree(assets, tmp_path / "engine")
    model = Model()
    vector, noise = model.tensor((1, 768)), model.tensor((1, 768))
    options = schema.FakeQuantOptionsT()
    options.min, options.max, options.numBits = -8.0, 8.0, 16
    total = model.add(vector, noise, (1, 768))
    kind, code = schema.BuiltinOptions.FakeQuantOptions, schema.BuiltinOperator.FAKE_QUANT
    out = model.run(code, [total], model.tensor((1, 768)), kind, options)
    model.write(tmp_path / "engine" / MUSICCOCA / "mapper.tflite", [vector, noise], out)
    return tmp_path / "engine"


def test_an_operator_that_only_litert_knows(
    strange_assets: Path, reference: dict[str, NDArray[np.generic]]
) -> None:
    vector = MusicCoCa(NAME, strange_assets).embed_text(TEXTS[1], use_mapper=True, seed=3)
    np.testing.assert_allclose(vector, reference["mapped"][1], atol=1e-4)


@pytest.mark.parametrize(
    ("frozen", "remedy"),
    [(False, "pip install ai-edge-litert"), (True, "run Segue from its sources")],
)
@pytest.mark.usefixtures("without_litert")
def test_an_operator_that_is_not_known(
    strange_assets: Path, monkeypatch: pytest.MonkeyPatch, frozen: bool, remedy: str
) -> None:
    monkeypatch.setattr("models.magenta_rt2.musiccoca.model.FROZEN", frozen)
    with pytest.raises(SegueError, match=rf"mapper\.tflite .*\(FAKE_QUANT\).*{remedy}") as caught:
        MusicCoCa(NAME, strange_assets).embed_text("techno", use_mapper=True)
    assert len(str(caught.value)) < 300
