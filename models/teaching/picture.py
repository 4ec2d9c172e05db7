"""Picture of a learned sound: a small spectrogram of what it was learned from. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

HEIGHT: Final = 48
WIDTH: Final = 96
_RAMP: Final = np.array(
    [[12, 14, 24], [44, 36, 92], [128, 52, 120], [222, 92, 82], [250, 196, 110], [255, 246, 214]],
    np.float64,
)


def picture_of(bands: NDArray[np.floating]) -> NDArray[np.uint8]:
    """A picture (HEIGHT, WIDTH, 3) of bands (T, B), low bands first: time to the right, highs
    above, the softest dark.
    """
    columns = np.array_split(np.asarray(bands, np.float64), min(WIDTH, len(bands)))
    rows = [np.array_split(column.mean(axis=0), HEIGHT) for column in columns]
    image = np.array([[part.mean() for part in row] for row in rows]).T[::-1]
    low, high = np.percentile(image, (5, 99.5))
    level = np.clip((image - low) / max(high - low, 1e-9), 0.0, 1.0) * (len(_RAMP) - 1)
    places = np.arange(len(_RAMP))
    colours = [np.interp(level, places, _RAMP[:, channel]) for channel in range(3)]
    stretched = np.stack(colours, axis=-1)[:, np.arange(WIDTH) * image.shape[1] // WIDTH]
    return np.asarray(np.rint(stretched), np.uint8)
