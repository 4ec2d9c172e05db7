"""Main axes of the style space, and styles that are moved along them.

The axes are the plane within the first principal components of the terms' anchors (Jolliffe 2002,
"Principal Component Analysis", section 3.1) that is turned towards two musical traits, so that they
can be named by what they do: from acoustic to electronic, and from sustained to percussive.

A style is moved by mixing in the terms at that end of the axis that are nearest to it, so that it
stays a mixture of a few terms, as those are that the networks were trained on: jazz becomes electro
swing rather than techno.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.control_values import AXES as AXES
from models.engine.controls import Controls, Style
from models.errors import SegueError
from models.segue.style.anchors import Array, trait_features

Floats = NDArray[np.float64]

COMPONENTS: Final = 3
"""Principal components in which the axes lie."""
ELECTRONIC, PERCUSSIVE, SUSTAIN = 2, 3, 6
"""Columns of `trait_features`."""
DEPTH: Final = 0.7
"""Share of the terms at the end of an axis in a style that is moved there."""
PLACE_SHARPNESS: Final = 2.0
LIKENESS_SHARPNESS: Final = 6.0
"""How sharply those terms are chosen by their place on the axis (standard deviations), and by their
cosine to the style.
"""
RELATED: Final = 0.45
"""Cosine that counts at most: the style's own terms are no better than related ones."""


class StyleAxes:
    """Axes through anchors (terms, style_dim), whose rows are in the order of the term table."""

    def __init__(self, anchors: Array) -> None:
        self._anchors = anchors.astype(np.float64)

    @cached_property
    def places(self) -> Floats:
        """Places of the terms on each axis, (2, terms), of zero mean and unit variance."""
        traits = trait_features()
        centred = self._anchors - self._anchors.mean(0)
        _, _, components = np.linalg.svd(centred, full_matrices=False)
        scores = centred @ components[:COMPONENTS].T
        wanted = np.stack((traits[:, ELECTRONIC], traits[:, PERCUSSIVE] - traits[:, SUSTAIN]))
        turned, *_ = np.linalg.lstsq(scores, wanted.T, rcond=None)
        first, second = turned.T
        second = second - first * (first @ second) / (first @ first)
        found = scores @ np.stack((first, second)).T
        return np.asarray(found / found.std(0)).T

    def move(self, style: Style, amounts: tuple[float, float]) -> Style:
        """A style (style_dim,) moved along the axes.

        Args:
            style: to be moved.
            amounts: along each axis, -1 to 1.

        """
        vector = style.astype(np.float64)
        cosines = self._anchors @ (vector / max(float(np.linalg.norm(vector)), 1e-9))
        likeness = np.minimum(cosines, RELATED)
        moved = vector
        for places, amount in zip(self.places, amounts, strict=True):
            if amount:
                side = np.sign(amount) * places
                weights = np.exp(PLACE_SHARPNESS * side + LIKENESS_SHARPNESS * likeness)
                end = weights @ self._anchors / weights.sum()
                moved = moved + DEPTH * abs(amount) * (end - moved)
        return moved.astype(np.float32)

    def steered(self, controls: Controls) -> Controls:
        """Controls with the style moved as they say. SegueError for another engine's style."""
        size = self._anchors.shape[1]
        if controls.style is not None and controls.style.shape != (size,):
            raise SegueError(
                f"the style has {len(controls.style)} numbers, this engine's have {size}: embed "
                "the prompt with this engine."
            )
        amounts = (controls.electronic or 0.0, controls.percussive or 0.0)
        if controls.style is None or not any(amounts):
            return controls
        return controls.with_(style=self.move(controls.style, amounts))
