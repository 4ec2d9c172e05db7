"""Networks of MusicCoCa's kinds, as TensorFlow's converter writes them, against LiteRT."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

from models.magenta_rt2.tflite.flatbuffer import DamagedFileError
from models.magenta_rt2.tflite.kernels.call import UnknownOperatorError
from models.magenta_rt2.tflite.network import InputInfo, TfliteNetwork

DATA: Final = Path(__file__).parent / "data"
NETWORKS: Final = sorted(path.relative_to(DATA).as_posix() for path in DATA.rglob("*.tflite"))
RANDOM: Final = np.random.default_rng(8)


def example(info: InputInfo) -> NDArray[np.generic]:
    """Values such as MusicCoCa has for an input."""
    if info.type == np.int32:
        return RANDOM.integers(0, 250, info.shape).astype(np.int32)
    values = RANDOM.standard_normal(info.shape).astype(np.float32)
    if info.shape == (1, 128):  # paddings: ones after the words
        return (np.arange(128)[None] >= RANDOM.integers(2, 128)).astype(np.float32)
    return values


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_litert_s(name: str) -> None:
    pytest.importorskip("ai_edge_litert", reason="no build for this machine")
    from tests.models.magenta_rt2.tflite.litert import run_litert

    network = TfliteNetwork(DATA / name)
    results = []
    for _ in range(4):
        inputs = [example(info) for info in network.inputs]
        (mine,), (theirs,) = network.run(inputs), run_litert(DATA / name, inputs)
        assert mine.dtype == theirs.dtype and mine.shape == theirs.shape
        assert np.abs(mine.astype(np.float64) - theirs).max() <= 1e-4 * np.abs(theirs).max()
        results.append(mine)
    assert not np.array_equal(results[0], results[1])


def test_networks_are_there() -> None:
    assert len(NETWORKS) == 9


def test_damage_is_an_error_of_ours(tmp_path: Path) -> None:
    """Neither torch nor the reader ends the program, whatever a file holds."""
    whole = (DATA / "float32" / "mapper.tflite").read_bytes()
    damaged = [b"", whole[:3], whole[:5000], b"TFL3" * 100, whole[:4] + b"TFL2" + whole[8:]]
    # The graph's tables are at both ends of the file, the weights between.
    spots = [*range(8, 400, 7), *range(len(whole) - 3000, len(whole), 31)]
    for spot in spots:
        spoilt = bytearray(whole)
        spoilt[spot] ^= 1 << int(RANDOM.integers(8))
        damaged.append(bytes(spoilt))
    failures = 0
    for number, data in enumerate(damaged):
        path = tmp_path / f"{number}.tflite"
        path.write_bytes(data)
        try:
            network = TfliteNetwork(path)
            network.run([np.zeros(info.shape, info.type) for info in network.inputs])
        except (DamagedFileError, UnknownOperatorError) as error:
            assert str(error)
            failures += 1
    assert failures > 20


def test_inputs_that_do_not_fit() -> None:
    network = TfliteNetwork(DATA / "float32" / "mapper.tflite")
    vector = np.zeros((1, 768), np.float32)
    for inputs in ([vector], [vector, vector[0]], [vector, vector.astype(np.float64)]):
        with pytest.raises(DamagedFileError):
            network.run(inputs)
