"""Application of Ray Serve: replicas that each hold an engine and play for several clients.

A client's WebSocket comes to one replica and stays there; where it is cut, Serve's multiplexed
routing leads the client back to it by the session's key (docs.ray.io, Serve, Model Multiplexing).
What another replica needs to go on is kept in actors of their own (`directory`).

`application` is what Ray Serve's configuration names: models.remote.cluster.application:application
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import uuid
from collections.abc import Mapping
from typing import Final

import ray
from ray import serve
from ray.exceptions import PendingCallsLimitExceeded, RayError
from ray.serve import metrics

from models.errors import SegueError
from models.registry import open_engine
from models.remote.cluster.asgi import HostApp
from models.remote.cluster.directory import SessionDirectory, shard_of
from models.remote.cluster.options import ServeOptions
from models.remote.credentials import SEAL_VARIABLE, TOKEN_VARIABLE, check_token
from models.remote.protocol.limits import Limits
from models.remote.server.handover import KeptSnapshot, SessionRecord, Step
from models.remote.server.host import EngineHost
from models.remote.server.statistics import BLOCK_BOUNDS, METRICS, Reading

NAMESPACE: Final = "segue"
CLAIM_SECONDS: Final = 2.0
REPORT_SECONDS: Final = 1.0
MAX_PENDING: Final = 2000
logger = logging.getLogger("ray.serve")


class ActorKeeper:
    """Keeper of sessions in actors, which outlive the replica."""

    def __init__(self, directories: int) -> None:
        self._owner = uuid.uuid4().hex
        actor = ray.remote(SessionDirectory)
        self._actors = [
            actor.options(
                name=f"sessions {number}", namespace=NAMESPACE, get_if_exists=True,
                lifetime="detached", num_cpus=0, max_restarts=-1, max_pending_calls=MAX_PENDING,
            ).remote()
            for number in range(directories)
        ]  # fmt: skip

    async def claim(self, key: str) -> SessionRecord | None:
        actor = self._actors[shard_of(key, len(self._actors))]
        try:
            async with asyncio.timeout(CLAIM_SECONDS):
                record: SessionRecord | None = await actor.claim.remote(key, self._owner)
        except (RayError, TimeoutError):
            logger.warning("the directory of sessions does not answer: a session begins afresh.")
            return None
        return record

    def write(self, key: str, entry: Step | KeptSnapshot) -> None:
        actor = self._actors[shard_of(key, len(self._actors))]
        with contextlib.suppress(PendingCallsLimitExceeded, RayError):
            actor.write.remote(key, self._owner, entry)

    def forget(self, key: str) -> None:
        actor = self._actors[shard_of(key, len(self._actors))]
        with contextlib.suppress(PendingCallsLimitExceeded, RayError):
            actor.forget.remote(key, self._owner)


class RayMetrics:
    """Metrics of a replica for Prometheus, which Ray offers at each node's metrics port."""

    def __init__(self) -> None:
        self._gauges = {m.name: metrics.Gauge(m.name, m.description) for m in METRICS
                        if m.kind == "gauge"}  # fmt: skip
        self._counters = {m.name: metrics.Counter(m.name, m.description) for m in METRICS
                          if m.kind == "counter"}  # fmt: skip
        self._histograms = {
            m.name: metrics.Histogram(m.name, m.description, boundaries=list(BLOCK_BOUNDS))
            for m in METRICS
            if m.kind == "histogram"
        }

    def report(self, reading: Reading) -> None:
        """Set the values of a reading."""
        for name, value in reading.gauges.items():
            self._gauges[name].set(value)
        for name, value in reading.counts.items():
            if value > 0.0:
                self._counters[name].inc(value)
        for name, values in reading.observations.items():
            for value in values:
                self._histograms[name].observe(value)


@serve.ingress()
class EngineReplica:
    """Replica: an engine, the sessions that it plays, and what is told of them."""

    def __init__(self, options: ServeOptions) -> None:
        token = check_token(os.environ.get(TOKEN_VARIABLE, ""))
        if not token and not options.loopback:
            raise SegueError(
                f"others could connect without a token: set {TOKEN_VARIABLE} where replicas run."
            )
        engine = open_engine(options.engine, options.device)
        self.host = EngineHost(
            engine, token=token, secret=os.environ.get(SEAL_VARIABLE, "").encode(),
            limits=Limits(sessions=options.streams, connections=4 * options.streams + 16),
            log=logger.info, keeper=ActorKeeper(options.directories), admitted=self._pin,
        )  # fmt: skip
        self._metrics = RayMetrics()
        self._tasks: set[asyncio.Task[object]] = set()

    def __serve_build_asgi_app__(self) -> HostApp:
        return HostApp(self.host, lambda: self._begin(asyncio.create_task(self._report())))

    def check_health(self) -> None:
        """Raise where the engine should be started anew."""
        illness = self.host.illness()
        if illness is not None:
            raise RuntimeError(illness)

    @serve.multiplexed(max_num_models_per_replica=1000)
    async def pinned(self, key: str) -> str:
        """Let Serve lead who asks for a session to this replica."""
        return key

    def _pin(self, key: str) -> None:
        self._begin(asyncio.ensure_future(self.pinned(key)))

    def _begin(self, task: asyncio.Task[object]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            self._metrics.report(self.host.read_statistics())


def application(given: Mapping[str, object]) -> serve.Application:
    """Application with options by their names, see `ServeOptions`."""
    options = ServeOptions.of(given)
    deployment = serve.deployment(EngineReplica, name="engine").options(**options.deployment())
    return deployment.bind(options)
