"""Streaming inference of the codec's decoder.

A block is six latent frames, so that decoding takes as long as reading the weights: they are packed
once (`PackedLinear`), and on a CPU the operations are traced (`models.runtime.tracing`). The
network's last layer and the linear path are one matrix product.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from models.runtime.packed_linear import PackedLinear
from models.runtime.tracing import trace
from models.segue.codec.autoencoder import Autoencoder, CausalBlock, State

_EPS = 1e-5


class StreamingDecoder:
    """`Autoencoder.decode` for a batch of one, equal but for rounding; stateless.

    The weights are copied from the network at construction.
    """

    def __init__(self, network: Autoencoder) -> None:
        net = network.decoder
        blocks = [block for block in net.blocks if isinstance(block, CausalBlock)]
        self.kernel, self.width = network.config.kernel, net.width
        with torch.no_grad():
            leave = torch.cat([net.leave.weight, network.unproject.weight], dim=1)
            linears = [PackedLinear(net.enter.weight, net.enter.bias)]
            for block in blocks:
                linears += [PackedLinear(part.weight, part.bias) for part in (block.mix, block.out)]
            linears.append(PackedLinear(leave, net.leave.bias + network.patch_mean))
        self._norms = [norm.weight.detach() for norm in (*(b.norm for b in blocks), net.norm)]
        self._linears = linears
        self._weights = [linear.weight for linear in linears]
        self._run = self._decode
        if leave.device.type == "cpu":
            example = torch.zeros(6, network.config.latent)
            self._run = trace(self._decode, (example, *net.start(1), *self._weights))

    def __call__(self, latents: Tensor, state: State) -> tuple[Tensor, State]:
        """Patches (k, 1320) of latents (k, D), and the state for the next call."""
        patches, *after = self._run(latents, *state, *self._weights)
        return patches, tuple(after)

    def _linear(self, index: int, x: Tensor, weight: Tensor) -> Tensor:
        return self._linears[index].linear(x, weight)

    def _norm(self, index: int, h: Tensor) -> Tensor:
        return functional.rms_norm(h, (self.width,), self._norms[index], _EPS)

    def _decode(self, latents: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        """Patches and next states of latents, states and weights, for `trace`."""
        blocks = len(self._norms) - 1
        state, weights = rest[:blocks], rest[blocks:]
        h = self._linear(0, latents, weights[0])
        after = []
        for i, history in enumerate(state):
            buffer = torch.cat([history[0], self._norm(i, h)])
            # Indexed from the end, so that the traced function takes any number of frames.
            first = [buffer[j : j + 1 - self.kernel] for j in range(self.kernel - 1)]
            shifted = torch.cat([*first, buffer[self.kernel - 1 :]], dim=1)
            mixed = functional.gelu(self._linear(2 * i + 1, shifted, weights[2 * i + 1]))
            h = h + self._linear(2 * i + 2, mixed, weights[2 * i + 2])
            # A copy: a view would keep the whole buffer alive as long as a snapshot.
            after.append(buffer[None, 1 - self.kernel :].clone())
        joined = torch.cat([self._norm(blocks, h), latents], dim=1)
        return self._linear(2 * blocks + 1, joined, weights[-1]), *after
