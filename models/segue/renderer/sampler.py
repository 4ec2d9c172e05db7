"""Sampling schedule of a renderer: noise levels, solver, guidance input. Pure.

A flow is played in several steps, weights distilled from it in one or two, and only distilled
weights were taught what a guidance weight means. So a weights file says in its header how it is to
be played; a file that says nothing holds a plain flow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

SOLVERS: Final = ("euler", "adams-bashforth")


@dataclass(frozen=True)
class GuidanceInput:
    """Guidance weights that a network takes as an input (Meng et al. 2023, section 3): the least,
    the usual and the most that it was taught. 1 is the conditional model alone.
    """

    least: float
    usual: float
    most: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.least <= self.usual <= self.most < math.inf:
            raise ValueError(f"guidance weights do not ascend: {self}")


@dataclass(frozen=True)
class Sampler:
    """How latents are drawn from a renderer's network.

    levels: ascending noise levels from 0 (pure noise), one pass each; the last step ends at 1.
    solver: 'euler', or 'adams-bashforth', the two-step method, in which the velocity of the pass
    before tells how the path bends. guidance: None where the network was not taught any.

    The defaults are a plain flow's. The two-step method is that of Adams and Bashforth; it costs no
    pass.
    """

    levels: tuple[float, ...] = (0.0, 0.3, 0.6, 0.85)
    solver: str = "adams-bashforth"
    guidance: GuidanceInput | None = None

    def __post_init__(self) -> None:
        edges = (*self.levels, 1.0)
        if len(edges) < 2 or edges[0] != 0.0 or not all(map(float.__lt__, edges, edges[1:])):
            raise ValueError(f"noise levels must ascend from 0 and stay under 1: {self.levels}")
        if self.solver not in SOLVERS:
            raise ValueError(f"there is no solver {self.solver!r}: {', '.join(SOLVERS)}")

    @property
    def weight(self) -> float:
        """The guidance weight at which the network is played where nobody asks for another."""
        return 1.0 if self.guidance is None else self.guidance.usual

    def guide_share(self, sigma: float) -> float:
        """Share of a guide in what the second pass starts from; the first pass has the rest.

        Args:
            sigma: noise over guide at the start of the second pass, above 0. At its level l noise
                and clean sound have the ratio (1 - l) / l, so no less noise than that is possible.

        Returns:
            1 for the guide alone, towards 0 where sigma is large.

        Raises:
            ValueError: there is no second pass.

        """
        if len(self.levels) < 2:
            raise ValueError("a network with one pass was not trained with a guide: it needs two")
        level = self.levels[1]
        return min(1.0, (1.0 - level) / level / sigma)

    def as_metadata(self) -> dict[str, str]:
        """Entries for the header of a safetensors file."""
        entries = {"levels": _text(*self.levels), "solver": self.solver}
        if self.guidance is not None:
            each = self.guidance
            entries["guidance"] = _text(each.least, each.usual, each.most)
        return entries

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Sampler:
        """The sampler of a weights file, from its header.

        Args:
            metadata: Text by name; `levels`, `solver` and `guidance` are read.

        Returns:
            What the header says; the flow's defaults for what it does not say.

        Raises:
            ValueError: An entry is not what `as_metadata` writes.

        """
        plain = cls()
        levels = metadata.get("levels")
        given = metadata.get("guidance")
        guidance = None
        if given is not None:
            least, usual, most = _numbers(given)
            guidance = GuidanceInput(least, usual, most)
        return cls(
            levels=plain.levels if levels is None else _numbers(levels),
            solver=metadata.get("solver", plain.solver),
            guidance=guidance,
        )


def _text(*numbers: float) -> str:
    return " ".join(f"{number:g}" for number in numbers)


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(word) for word in text.split())
