"""Adaptation of the renderer: weights with learned sounds added, packed once for each mix.

The low-rank changes of several sounds add up by their scales (LoRA, Hu et al. 2022, section 4.1:
W + sum of s U V), so a mix of sounds costs no more to play than the network as it is. At scale 0
the network itself plays.
"""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

import numpy as np
import torch
from torch import Tensor

from models.errors import SegueError
from models.segue.renderer.inference import RendererInference
from models.segue.renderer.network import Renderer
from models.sounds.file import CHANGE, DOWN, UP, LearnedSound
from models.sounds.library import SoundLibrary

Mix: TypeAlias = tuple[tuple[LearnedSound, float], ...]
KEPT: Final = 3
"""Mixes that are kept packed, 50 MB each: the present one, and those before it that rewriting goes
back to."""


def with_changes(
    weights: Mapping[str, Tensor], sounds: Iterable[tuple[LearnedSound, float]]
) -> dict[str, Tensor]:
    """Weights with the changes of learned sounds.

    Args:
        weights: of the network, by name; those that no sound changes are passed on as they are.
        sounds: each with its scale.

    Raises:
        SegueError: a change of a tensor that the weights do not have, or of another shape.

    """
    changed = dict(weights)
    for sound, scale in sounds:
        try:
            for name, array in sound.changes.items():
                if name.endswith(UP):
                    layer = name.removesuffix(UP)
                    target, up = f"{layer}.weight", _tensor(array) * scale
                    difference = up @ _tensor(sound.changes[layer + DOWN])
                elif name.endswith(CHANGE):
                    target, difference = name.removesuffix(CHANGE), _tensor(array) * scale
                else:
                    continue
                before = changed[target]
                if before.shape != difference.shape:
                    raise ValueError(name)
                changed[target] = before + difference.to(before.device)
        except (KeyError, ValueError, RuntimeError) as error:
            raise SegueError(
                f"the sound '{sound.name}' does not fit this renderer: teach it again."
            ) from error
    return changed


def _tensor(array: np.ndarray) -> Tensor:  # type: ignore[type-arg]
    return torch.from_numpy(np.asarray(array, np.float32))


class RendererMixes:
    """Renderers of mixes of learned sounds. Thread-safe.

    Args:
        load: the renderer's network, read again when the first sound is played.
        base: the renderer without any sound.
        library: where the sounds are.

    """

    def __init__(
        self, load: Callable[[], Renderer], base: RendererInference, library: SoundLibrary
    ) -> None:
        self._load, self._base, self._library = load, base, library
        self._network: Renderer | None = None
        self._lock = threading.Lock()
        self._mixes: OrderedDict[Mix, RendererInference] = OrderedDict()

    def of(self, scales: Mapping[str, float]) -> RendererInference:
        """The renderer of a mix.

        Args:
            scales: how far each sound acts, by name, as of `Controls.sounds`.

        Returns:
            The base itself where none acts.

        Raises:
            SegueError: a sound that is not here, damaged or of other weights.

        """
        acting = [(name, scale) for name, scale in scales.items() if scale > 0.0]
        if not acting:
            return self._base
        # By the sounds themselves: one of the same name may have been taught anew.
        key = tuple((self._library.kept(name), scale) for name, scale in acting)
        with self._lock:
            found = self._mixes.pop(key, None) or self._make(key)
            self._mixes[key] = found
            while len(self._mixes) > KEPT:
                self._mixes.popitem(last=False)
            return found

    def _make(self, key: Mix) -> RendererInference:
        if self._network is None:
            self._network = self._load()
        return adapted(self._base, self._network, key)


def adapted(
    base: RendererInference, network: Renderer, sounds: Iterable[tuple[LearnedSound, float]]
) -> RendererInference:
    """Inference with the sounds' changes, which shares all else with `base`.

    Args:
        base: of the same network.
        network: whose weights are changed; it is not.
        sounds: each with its scale.

    """
    changed = copy.deepcopy(network)
    changed.load_state_dict(with_changes(network.state_dict(), sounds), assign=True)
    inference: RendererInference = base.with_weights(changed.requires_grad_(False))
    return inference
