"""Players on a cluster of this machine whose replicas come and go. Prints JSON.

python -m tests.benchmarks.remote.cluster drain   as many play as one replica takes: a second comes;
                                                  when most have left, Serve ends one of the two
python -m tests.benchmarks.remote.cluster kill    the same, but one of the two is killed

Needs the extra `serve`. With `--engine tone` the engine costs nothing: what is heard of a handover
is then not what a busy machine renders too late. Two players stay, one on each replica: one of them
is handed over. `silent` is what each of the two heard of it, in seconds, before and after it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Final

from models.errors import SegueError
from models.remote.cluster.local import LocalCluster
from models.remote.cluster.options import ServeOptions
from models.remote.protocol.address import parse_address
from models.storage.json_types import JsonObject
from tests.benchmarks.remote.__main__ import free_port
from tests.benchmarks.remote.load import Listener
from tests.support.tone_engine import register_tone_engine

LOOK_SECONDS: Final = 0.25
TONE: Final = "tone"
MODULE: Final = "tests.benchmarks.remote.cluster"
LONG_SECONDS: Final = 3600.0
STREAMS: Final = 3


def offer_tone() -> None:
    """Let the engine for tests be known in a process of the cluster."""
    register_tone_engine(TONE, block_seconds=0.08)


def with_tone(runtime_env: Mapping[str, object] | None) -> Mapping[str, object]:
    """Environment of Ray's processes that know the engine for tests."""
    setup = f"{MODULE}.{offer_tone.__name__}"
    return {**(runtime_env or {}), "worker_process_setup_hook": setup}


class Cluster:
    """A cluster of one or two replicas on this machine, and what comes and goes in it."""

    def __init__(self, engine: str, streams: int = STREAMS) -> None:
        """streams: of a replica."""
        # Sooner than by Ray's own choice, so that a trial does not take minutes.
        os.environ.setdefault("RAY_SERVE_HANDLE_AUTOSCALING_METRIC_PUSH_INTERVAL_S", "1")
        if engine == TONE:
            os.environ["RAY_RUNTIME_ENV_HOOK"] = f"{MODULE}.{with_tone.__name__}"
        self.streams = streams
        options = ServeOptions(
            engine, min_replicas=1, max_replicas=2, streams=streams, cpus=0.25, loopback=True,
            downscale_seconds=5.0,
        )  # fmt: skip
        port = free_port()
        self._cluster = LocalCluster(options, "127.0.0.1", port, metrics_port=free_port())
        self.address = parse_address(f"remote://127.0.0.1:{port}/{engine}")

    def close(self) -> None:
        """End it."""
        self._cluster.close()

    def running(self) -> int:
        """Replicas that are ready for players."""
        from ray import serve

        deployments = serve.status().applications["segue"].deployments
        return int(deployments["engine"].replica_states.get("RUNNING", 0))

    def kill(self) -> None:
        """Kill one replica, without a word to it."""
        import ray

        replicas = [
            each for each in ray.util.list_named_actors(all_namespaces=True)
            if each["name"].startswith("SERVE_REPLICA::")
        ]  # fmt: skip
        ray.kill(ray.get_actor(**replicas[0]))


class Players:
    """Players of a cluster, in a thread with an event loop."""

    def __init__(self, cluster: Cluster, plan_seconds: float) -> None:
        self._cluster, self._plan_seconds = cluster, plan_seconds
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._playing: dict[int, Future[None]] = {}

    def join(self, number: int, seconds: float) -> list[Listener]:
        """Let so many begin; SegueError where not all hear something within `seconds`."""
        found = []
        for _ in range(number):
            listener = Listener(self._cluster.address, len(self._playing), self._plan_seconds, 0.0)
            coroutine = listener.play(time.monotonic() + LONG_SECONDS)
            self._playing[listener.seed] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
            found.append(listener)
        await_that(lambda: all(each.received for each in found), seconds, "not all players came in")
        return found

    def leave(self, listeners: Sequence[Listener]) -> None:
        """Let these end."""
        for each in listeners:
            self._playing[each.seed].cancel()

    def close(self) -> None:
        """Let all end."""
        for playing in self._playing.values():
            playing.cancel()
        self._loop.call_soon_threadsafe(self._loop.call_later, 0.5, self._loop.stop)
        self._thread.join()


def await_that(is_so: Callable[[], bool], seconds: float, otherwise: str) -> float:
    """Wait; the seconds that it took. SegueError with the sentence where it is not in time."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > seconds:
            raise SegueError(f"{otherwise} in time.")
        time.sleep(LOOK_SECONDS)
    return round(time.monotonic() - began, 1)


def trial(
    cluster: Cluster, end: str, seconds: float, patience: float, plan_seconds: float
) -> JsonObject:
    """Figures of a trial that goes on for `seconds` after a replica ended.

    end: 'drain' or 'kill'. patience: seconds that each step may take. plan_seconds: of a player.
    """
    players = Players(cluster, plan_seconds)
    try:
        many = players.join(cluster.streams, patience)
        up = await_that(lambda: cluster.running() == 2, patience, "no second replica was there")
        staying = [many[0], *players.join(1, patience)]
        before = [each.silent for each in staying]
        players.leave(many[1:])
        if end == "kill":
            cluster.kill()
        handed = await_that(
            lambda: any(each.gaps for each in staying), patience, "nobody was handed over"
        )
        until = [each.received for each in staying]
        time.sleep(seconds)
        after = [each.silent for each in staying]
        return {
            "up_after_seconds": up,
            "handed_over_after_seconds": handed,
            "replicas": cluster.running(),
            "silent": [[round(a, 2), round(b - a, 2)] for a, b in zip(before, after, strict=True)],
            "blocks_since": [each.received - was for each, was in zip(staying, until, strict=True)],
            "each": [each.figures() for each in staying],
        }
    finally:
        players.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("ends", nargs="+", choices=("drain", "kill"))
    parser.add_argument("--engine", default="segue")
    parser.add_argument("--seconds", type=float, default=15.0, help="after a replica ended")
    parser.add_argument("--plan", type=float, default=2.5, help="seconds that are asked for ahead")
    parser.add_argument("--patience", type=float, default=180.0, help="seconds for each step")
    chosen = parser.parse_args()
    try:
        cluster = Cluster(chosen.engine)
    except SegueError as error:
        raise SystemExit(str(error)) from None
    try:
        figures = {
            end: trial(cluster, end, chosen.seconds, chosen.patience, chosen.plan)
            for end in chosen.ends
        }
    finally:
        cluster.close()
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
