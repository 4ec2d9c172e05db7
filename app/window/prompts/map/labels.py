"""Placement of the prompt names on the map, so that they do not overlap.

Greedy point-feature label placement among four sides (J. Christensen, J. Marks and S. Shieber,
"An empirical study of algorithms for point-feature label placement", 1995, section 3.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

Box = tuple[float, float, float, float]
"""Left, top, width, height."""
Point = tuple[float, float]

GAP: Final = 4.0


def place_labels(
    points: Sequence[Point],
    sizes: Sequence[tuple[float, float]],
    radius: float,
    field: tuple[float, float],
) -> list[Box]:
    """Box for each label, next to its point and within the `field` (width, height).

    Of the sides below, above, right and left, in this order of preference, the one that overlaps
    least with the other points (discs of `radius`) and with the labels placed before.
    """
    dots = [(x - radius, y - radius, 2 * radius, 2 * radius) for x, y in points]
    boxes: list[Box] = []
    for index, ((x, y), (w, h)) in enumerate(zip(points, sizes, strict=True)):
        offset = radius + GAP
        candidates = (
            (x - w / 2, y + radius, w, h),
            (x - w / 2, y - radius - h, w, h),
            (x + offset, y - h / 2, w, h),
            (x - offset - w, y - h / 2, w, h),
        )
        others = [dot for n, dot in enumerate(dots) if n != index] + boxes
        own = dots[index]

        def cost(box: Box, others: list[Box] = others, own: Box = own) -> tuple[float, float]:
            inside = _clamp(box, field)
            return (
                sum(overlap_area(inside, other) for other in others) + overlap_area(inside, own),
                abs(inside[0] - box[0]) + abs(inside[1] - box[1]),
            )

        boxes.append(_clamp(min(candidates, key=cost), field))
    return boxes


def overlap_area(a: Box, b: Box) -> float:
    """Area of the intersection of two boxes."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return width * height if width > 0.0 and height > 0.0 else 0.0


def _clamp(box: Box, field: tuple[float, float]) -> Box:
    x, y, w, h = box
    return (min(max(x, GAP), field[0] - w - GAP), min(max(y, GAP), field[1] - h - GAP), w, h)
