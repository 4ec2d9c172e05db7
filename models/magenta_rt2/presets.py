"""Values with which the published front ends of Magenta RealTime 2 begin.

Of magenta-realtime (Apache-2.0): `MagentaRT2System` of `jax/system.py`, `MLXEngine` of
`core/src/mlx_engine.cpp`, and `examples/common/react_ui/defaultParams.ts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True)
class SamplingPreset:
    """Values of controls by their names. label, help: for the window."""

    label: str
    help: str
    values: Mapping[str, float]


def _preset(
    label: str, words: str, temperature: float, top_k: float, guidance: tuple[float, float, float]
) -> SamplingPreset:
    """guidance: of style, notes and drums."""
    style, notes, drums = guidance
    values = {
        "temperature": temperature,
        "top_k": top_k,
        "guidance": style,
        "guidance_notes": notes,
        "guidance_drums": drums,
    }
    return SamplingPreset(label, words, MappingProxyType(values))


PRESETS: Final[Mapping[str, SamplingPreset]] = MappingProxyType(
    {
        "python": _preset("Python", "the Python package", 1.3, 40, (3.0, 1.0, 1.0)),
        "runtime": _preset(
            "Max / Pd", "Max, Pd, SuperCollider and the C++ runtime", 1.0, 100, (3.0, 5.0, 1.0)
        ),
        "app": _preset("Jam", "the apps MRT2 and Jam, and the plug-in", 1.1, 50, (1.6, 2.4, 4.0)),
        "collider": _preset("Collider", "the app Collider", 1.1, 50, (5.0, 0.0, 4.0)),
    }
)
"""By their names, as in `render --preset` and the triggers `preset.*`."""
