"""A network of MusicCoCa: released as a TFLite file, run in torch or, if need be, in LiteRT.

LiteRT is an optional package, for a file with an operator that `models.magenta_rt2.tflite` does not
know.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.magenta_rt2.tflite.flatbuffer import DamagedFileError
from models.magenta_rt2.tflite.kernels.call import UnknownOperatorError
from models.magenta_rt2.tflite.network import InputInfo, TfliteNetwork

Values: TypeAlias = NDArray[np.floating | np.integer]
"""Input or output of a network."""


class _Network(Protocol):
    @property
    def inputs(self) -> Sequence[InputInfo]: ...

    def run(self, inputs: Sequence[NDArray[np.generic]], /) -> Sequence[NDArray[np.generic]]: ...


class LitertNetwork:
    """A network run by LiteRT. ImportError where that is not installed."""

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._network = Interpreter(model_path=str(path), num_threads=1)
            self._network.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise DamagedFileError(str(error)) from None
        details = self._network.get_input_details()
        self.inputs = [
            InputInfo(tuple(int(size) for size in detail["shape"]), np.dtype(detail["dtype"]))
            for detail in details
        ]
        self._places = [detail["index"] for detail in details]

    def run(self, inputs: Sequence[NDArray[np.generic]]) -> Sequence[NDArray[np.generic]]:
        """As `TfliteNetwork.run`."""
        try:
            for place, values in zip(self._places, inputs, strict=True):
                self._network.set_tensor(place, values)
            self._network.invoke()
            outputs = self._network.get_output_details()
            return [self._network.get_tensor(detail["index"]) for detail in outputs]
        except (ValueError, RuntimeError) as error:
            raise DamagedFileError(str(error)) from None


class StyleNetwork:
    """A network by its file. Not thread-safe."""

    def __init__(self, path: Path) -> None:
        """Open a file.

        Raises:
            DamagedFileError: it is no TFLite file.
            UnknownOperatorError: an operator is not known, and LiteRT is not installed.

        """
        self._path = path
        self._network: _Network
        try:
            self._network = TfliteNetwork(path)
        except UnknownOperatorError as error:
            self._network = _litert(path, error)

    @property
    def inputs(self) -> Sequence[InputInfo]:
        """Shape and type of each input."""
        return self._network.inputs

    def run(self, inputs: Sequence[Values]) -> Values:
        """The first output, for inputs with as many numbers as the network takes, in any shape.

        Raises:
            DamagedFileError: the network does not take these inputs, or cannot be run.
            UnknownOperatorError: as for the constructor.

        """
        try:
            shaped = [
                values.reshape(info.shape) for values, info in zip(inputs, self.inputs, strict=True)
            ]
        except ValueError as error:
            raise DamagedFileError(str(error)) from None
        try:
            result = self._network.run(shaped)[0]
        except UnknownOperatorError as error:
            self._network = _litert(self._path, error)
            result = self._network.run(shaped)[0]
        return result  # type: ignore[return-value]


def _litert(path: Path, reason: UnknownOperatorError) -> LitertNetwork:
    try:
        return LitertNetwork(path)
    except ImportError:
        raise reason from None
