"""Prompt map: weights by distance, and a cursor that glides and orbits.

The plane is the square -1..1 on both axes, y upwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

Point = tuple[float, float]

FRICTION: Final = 0.9
"""Decay of the speed of a gliding cursor, in 1/s."""
REST_SPEED: Final = 0.01
"""Speed in plane units per second below which a gliding cursor stops."""
MIN_ORBIT_RADIUS: Final = 0.12


def map_weights(cursor: Point, points: Sequence[Point], reach: float) -> list[float]:
    """Weight 0 to 1 of each point: a Gaussian of its distance, scaled so that the nearest has 1.

    reach: standard deviation in plane units. The scaling keeps the mix defined however far the
    cursor is from all points.
    """
    if not points:
        return []
    squares = [(x - cursor[0]) ** 2 + (y - cursor[1]) ** 2 for x, y in points]
    nearest = min(squares)
    return [math.exp((nearest - square) / (2.0 * reach * reach)) for square in squares]


@dataclass(frozen=True)
class MapCursor:
    """Cursor of the map: position and motion.

    velocity: plane units per second while it glides. centre: of its orbit, or None. radius, angle
    (radians): of the orbit. direction: +1 anticlockwise or -1.
    """

    position: Point = (0.0, 0.0)
    velocity: Point = (0.0, 0.0)
    centre: Point | None = None
    radius: float = 0.0
    angle: float = 0.0
    direction: int = 1

    @property
    def moving(self) -> bool:
        return self.centre is not None or math.hypot(*self.velocity) > 0.0

    def moved_to(self, position: Point) -> MapCursor:
        """Cursor at rest at a position."""
        return MapCursor(position=_clamped(position))

    def thrown(self, velocity: Point) -> MapCursor:
        """Cursor that glides with a velocity and bounces off the edges."""
        return replace(self, velocity=velocity, centre=None)

    def stopped(self) -> MapCursor:
        return MapCursor(position=self.position)

    def orbiting(self, centre: Point = (0.0, 0.0)) -> MapCursor:
        """Cursor that orbits a centre at its current distance and in its current direction."""
        dx, dy = self.position[0] - centre[0], self.position[1] - centre[1]
        radius = max(math.hypot(dx, dy), MIN_ORBIT_RADIUS)
        vx, vy = self.velocity
        direction = -1 if dx * vy - dy * vx < 0.0 else 1
        return MapCursor(self.position, (0.0, 0.0), centre, radius, math.atan2(dy, dx), direction)

    def advanced(self, seconds: float, turns_per_second: float) -> MapCursor:
        """Cursor after `seconds`."""
        if self.centre is not None:
            angle = self.angle + self.direction * 2.0 * math.pi * turns_per_second * seconds
            x = self.centre[0] + self.radius * math.cos(angle)
            y = self.centre[1] + self.radius * math.sin(angle)
            return replace(self, position=_clamped((x, y)), angle=math.remainder(angle, math.tau))
        if not self.moving:
            return self
        keep = math.exp(-FRICTION * seconds)
        glide = (1.0 - keep) / FRICTION  # the integral of the decaying speed
        x, vx = _bounced(self.position[0] + self.velocity[0] * glide, self.velocity[0] * keep)
        y, vy = _bounced(self.position[1] + self.velocity[1] * glide, self.velocity[1] * keep)
        if math.hypot(vx, vy) < REST_SPEED:
            vx = vy = 0.0
        return MapCursor((x, y), (vx, vy))


def spread(count: int) -> list[Point]:
    """Points for `count` prompts: on a circle, clockwise from the top."""
    radius = 0.8
    turn = [math.tau * (0.25 - index / max(count, 1)) for index in range(count)]
    return [(radius * math.cos(angle), radius * math.sin(angle)) for angle in turn]


def free_point(points: Sequence[Point]) -> Point:
    """Point for one more prompt: the candidate on two rings that is farthest from all others."""
    candidates = [
        (radius * math.cos(math.tau * k / 16), radius * math.sin(math.tau * k / 16))
        for radius in (0.8, 0.4)
        for k in range(16)
    ]
    if not points:
        return (0.0, 0.8)
    return max(candidates, key=lambda c: min(math.dist(c, point) for point in points))


def _clamped(point: Point) -> Point:
    return (min(max(point[0], -1.0), 1.0), min(max(point[1], -1.0), 1.0))


def _bounced(x: float, v: float) -> tuple[float, float]:
    """Fold a coordinate back into -1..1; an odd number of folds reverses the speed."""
    if -1.0 <= x <= 1.0:
        return x, v
    # Reflection in both walls is a triangle wave of period 4.
    phase = (x + 1.0) % 4.0
    return (phase - 1.0, v) if phase <= 2.0 else (3.0 - phase, -v)
