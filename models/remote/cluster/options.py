"""Options of the application, as its command and its manifest give them. Pure logic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from models.errors import SegueError

STREAMS_AIM: Final = 0.75
"""Share of a replica's streams at which another replica is begun."""
UPSCALE_SECONDS: Final = 5.0
TOO_MANY: Final = 2
"""Clients beyond its streams that a replica hears, to tell them so; Serve lets others wait."""
GRACE_SECONDS: Final = 2.0
"""For which a replica that is to end waits for its clients: they go on elsewhere at once."""


@dataclass(frozen=True)
class ServeOptions:
    """Options.

    engine, device: as for `open_engine`. min_replicas, max_replicas: between them their number
    follows the load. streams: that a replica plays at most. cpus, gpus: of a replica; a GPU may be
    shared, as 0.5. directories: actors among which the records of sessions are spread. loopback:
    whether nobody but this machine can connect, so that no token is asked for. downscale_seconds:
    for which fewer replicas would do before one ends.
    """

    engine: str = "segue"
    device: str = "auto"
    min_replicas: int = 1
    max_replicas: int = 1
    streams: int = 4
    cpus: float = 1.0
    gpus: float = 0.0
    directories: int = 1
    loopback: bool = False
    downscale_seconds: float = 600.0

    def __post_init__(self) -> None:
        if not 1 <= self.min_replicas <= self.max_replicas:
            raise SegueError("there must be 1 replica or more, and no more at least than at most.")
        if self.streams < 1 or self.directories < 1:
            raise SegueError("streams and directories must be 1 or more.")
        if min(self.cpus, self.gpus, self.downscale_seconds) < 0:
            raise SegueError("cpus, gpus and downscale_seconds must be 0 or more.")

    @classmethod
    def of(cls, given: Mapping[str, object]) -> ServeOptions:
        """Options by their names. SegueError for a name or a value that does not fit."""
        types = {each.name: type(each.default) for each in fields(cls)}
        values: dict[str, object] = {}
        for name, value in given.items():
            kind = types.get(name)
            if kind is None:
                raise SegueError(f"there is no option '{name}': there are {', '.join(types)}.")
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not (type(value) is kind or (kind is float and whole)):
                raise SegueError(f"the option '{name}' is {value!r}: it must be a {kind.__name__}.")
            values[name] = value
        return cls(**values)  # type: ignore[arg-type]

    def deployment(self) -> dict[str, object]:
        """Options of the deployment in Ray Serve."""
        scaled = self.max_replicas > self.min_replicas
        number: dict[str, object] = {"num_replicas": self.min_replicas}
        if scaled:
            number = {
                "autoscaling_config": {
                    "min_replicas": self.min_replicas,
                    "max_replicas": self.max_replicas,
                    "target_ongoing_requests": max(1.0, STREAMS_AIM * self.streams),
                    # Players stay for long: how many were there at once counts, not the mean.
                    "aggregation_function": "max",
                    "upscale_delay_s": UPSCALE_SECONDS,
                    "downscale_delay_s": self.downscale_seconds,
                }
            }
        return {
            **number,
            "max_ongoing_requests": self.streams + TOO_MANY,
            "ray_actor_options": {"num_cpus": self.cpus, "num_gpus": self.gpus},
            "graceful_shutdown_timeout_s": GRACE_SECONDS,
            "graceful_shutdown_wait_loop_s": 0.5,
            "health_check_period_s": 5.0,
            "health_check_timeout_s": 20.0,
        }


def parse_replicas(text: str) -> tuple[int, int]:
    """Fewest and most replicas of '2' or '1-8'. SegueError for another text."""
    low, dash, high = text.partition("-")
    try:
        least = int(low)
        most = int(high) if dash else least
    except ValueError:
        least, most = 0, 0
    if not 1 <= least <= most:
        raise SegueError(f"'{text}' is no number of replicas: write 2, or 1-8 for what is needed.")
    return least, most
