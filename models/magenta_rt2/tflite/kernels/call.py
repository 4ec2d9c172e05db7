"""One call of an operator: its operands, options, and what it may ask of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import torch
from torch import Tensor

from models.magenta_rt2.tflite.flatbuffer import FlatTable
from models.magenta_rt2.tflite.model_file import QuantizedTensor, TensorInfo

Operand: TypeAlias = Tensor | QuantizedTensor | None


class UnknownOperatorError(ValueError):
    """An operator, or a use of one, that cannot be run here; its text names the operator."""


@dataclass(frozen=True)
class Call:
    """Arguments of a kernel.

    operands: the inputs, None for one left out. outputs: as the file declares them.
    """

    name: str
    operands: Sequence[Operand]
    outputs: Sequence[TensorInfo]
    options: FlatTable | None

    def tensor(self, number: int) -> Tensor:
        operand = self.operands[number]
        if operand is None or isinstance(operand, QuantizedTensor):
            kind = "an input less" if operand is None else "eight-bit numbers"
            raise UnknownOperatorError(f"{self.name} with {kind}")
        return operand

    def optional(self, number: int) -> Tensor | None:
        """An operand that may be left out."""
        if number >= len(self.operands) or self.operands[number] is None:
            return None
        return self.tensor(number)

    def weights(self, number: int) -> Tensor | QuantizedTensor:
        """An operand that may be in eight bits."""
        operand = self.operands[number]
        return operand if isinstance(operand, QuantizedTensor) else self.tensor(number)

    def integers(self, number: int) -> list[int]:
        """Values of a small operand, such as a shape."""
        return [int(value) for value in self.tensor(number).reshape(-1).tolist()]

    def option(self, field: int, kind: str = "i", default: int = 0) -> int:
        return default if self.options is None else self.options.scalar(field, kind, default)

    def option_list(self, field: int) -> list[int]:
        return [] if self.options is None else list(self.options.integers(field))

    def activate(self, x: Tensor, field: int) -> Tensor:
        """The result after the activation that is fused with the operator."""
        number = self.option(field, "b")
        if number not in ACTIVATIONS:
            raise UnknownOperatorError(f"{self.name} with the fused activation {number}")
        return ACTIVATIONS[number](x)


Kernel: TypeAlias = Callable[[Call], Tensor | Sequence[Tensor]]

ACTIVATIONS: Final[dict[int, Callable[[Tensor], Tensor]]] = {
    0: lambda x: x,
    1: torch.relu,
    2: lambda x: x.clamp(-1, 1),
    3: lambda x: x.clamp(0, 6),
    4: torch.tanh,
}
"""`ActivationFunctionType` in the schema."""
