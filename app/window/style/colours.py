"""Colour palette: interface colours, prompt strip colours, colour map of the spectrogram.

Strip colours are even steps of hue at equal lightness and chroma in OKLCH, so that none stands out
(B. Ottosson, "A perceptual color space for image processing", 2020, for the OKLab matrices).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

BACKGROUND: Final = "#0d0f12"
PANEL: Final = "#15181d"
RAISED: Final = "#1d2128"
EDGE: Final = "#2a303a"
LINE: Final = "#3a424f"
TEXT: Final = "#eceef1"
DIM: Final = "#9aa3af"
FAINT: Final = "#7b8592"
ACCENT: Final = "#f5ae5b"
DANGER: Final = "#ee6352"

STRIP_HUES: Final = 16


def oklch(lightness: float, chroma: float, hue: float) -> str:
    """'#rrggbb' of a colour in OKLCH (hue in degrees), clipped into sRGB."""
    a = chroma * math.cos(math.radians(hue))
    b = chroma * math.sin(math.radians(hue))
    cone = (
        (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3,
        (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3,
        (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3,
    )
    linear = (
        4.0767416621 * cone[0] - 3.3077115913 * cone[1] + 0.2309699292 * cone[2],
        -1.2684380046 * cone[0] + 2.6097574011 * cone[1] - 0.3413193965 * cone[2],
        -0.0041960863 * cone[0] - 0.7034186147 * cone[1] + 1.7076147010 * cone[2],
    )
    return "#" + "".join(f"{round(255 * _gamma(channel)):02x}" for channel in linear)


def _gamma(x: float) -> float:
    x = min(max(x, 0.0), 1.0)
    return 12.92 * x if x <= 0.0031308 else 1.055 * x ** (1 / 2.4) - 0.055


def _strip_colours() -> tuple[str, ...]:
    # The first eight are 45 degrees apart, the others lie between them and are darker; a stride of
    # 3 in 8 keeps neighbouring strips apart in hue.
    half = STRIP_HUES // 2
    hues = [
        (250.0 + 360.0 / half * (3 * n % half + (n >= half) / 2)) % 360.0 for n in range(STRIP_HUES)
    ]
    return tuple(
        oklch(0.78 if n < STRIP_HUES // 2 else 0.69, 0.115, hue) for n, hue in enumerate(hues)
    )


STRIPS: Final = _strip_colours()
"""Colours of prompts, by `Prompt.colour`."""


def mix_hex(a: str, b: str, position: float) -> str:
    """Linear mix of two '#rrggbb' colours; position 0 is a, 1 is b."""
    parts = [
        round(int(a[i : i + 2], 16) * (1 - position) + int(b[i : i + 2], 16) * position)
        for i in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02x}" for part in parts)


_STOPS: Final = (
    (0.00, BACKGROUND),
    (0.22, "#131722"),
    (0.40, "#1f2747"),
    (0.56, "#42396f"),
    (0.70, "#8a4a72"),
    (0.83, "#dd7f58"),
    (0.93, "#f9c578"),
    (1.00, "#fff3d9"),
)


def spectrum_table(dim: float = 0.0) -> NDArray[np.uint8]:
    """Colour map (256, 3) from silence to full scale; `dim` 0..1 fades it to the background.

    Lightness rises monotonically, so that it can be read without colour vision.
    """
    positions = np.linspace(0.0, 1.0, 256)
    stops = [stop for stop, _ in _STOPS]
    table = np.stack(
        [
            np.interp(positions, stops, [int(hex_color[i : i + 2], 16) for _, hex_color in _STOPS])
            for i in (1, 3, 5)
        ],
        axis=-1,
    )
    background = np.array([int(BACKGROUND[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.float64)
    grey = table.mean(axis=1, keepdims=True)
    muted = 0.55 * table + 0.45 * grey
    mixed = (1 - dim) * table + dim * (0.55 * muted + 0.45 * background)
    return np.asarray(np.round(mixed), np.uint8)
