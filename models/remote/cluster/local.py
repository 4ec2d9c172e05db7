"""A cluster of one machine: Ray, Serve and the application, until it is interrupted."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import asdict
from pathlib import Path
from typing import Final

from models.errors import SegueError
from models.remote.cluster.options import ServeOptions
from models.remote.credentials import SEAL_VARIABLE, TOKEN_VARIABLE, Certificate

ROOT: Final = Path(__file__).resolve().parents[3]
METRICS_PORT: Final = 7179
INSTALL: Final = (
    "several replicas need the extra 'serve': pip install -c constraints.txt '.[serve]'"
)


class LocalCluster:
    """Ray with Serve on this machine.

    Clients connect to `host` and `port`. Ray itself opens further ports, on all interfaces, for its
    own processes, which know each other by a token of Ray's: a firewall should keep others away.
    """

    def __init__(
        self,
        options: ServeOptions,
        host: str,
        port: int,
        token: str = "",
        secret: bytes = b"",
        certificate: Certificate | None = None,
        metrics_port: int = METRICS_PORT,
    ) -> None:
        """Set up; what the replicas must know beside their options is in the environment.

        Args:
            options: of the application.
            host: interface for clients.
            port: for clients, not 0.
            token: that clients must give, '' for none.
            secret: that seals moments, ASCII.
            certificate: None for no encryption.
            metrics_port: where Prometheus finds the metrics.

        Raises:
            SegueError: the extra is not installed, or the port is in use.

        """
        if importlib.util.find_spec("ray") is None:
            raise SegueError(INSTALL)
        if not port:
            raise SegueError("several replicas need a port of their own: give --port.")
        os.environ[TOKEN_VARIABLE], os.environ[SEAL_VARIABLE] = token, secret.decode("ascii")
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # Ray would tell its makers
        os.environ.setdefault("RAY_worker_niceness", "0")  # 15, its own choice, is starved
        os.environ.setdefault("RAY_agent_register_timeout_ms", "120000")  # of a busy machine
        os.environ.setdefault("RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S", "60")  # likewise
        os.environ["PYTHONPATH"] = str(ROOT)
        os.environ.setdefault("RAY_SERVE_LOG_TO_STDERR", "0")
        import ray
        from ray import serve
        from ray.exceptions import RayError

        self._ray, self._serve = ray, serve
        cpus = max(os.cpu_count() or 1, round(options.max_replicas * options.cpus + 0.5))
        try:
            ray.init(
                num_cpus=cpus, include_dashboard=False, namespace="segue", log_to_driver=False,
                logging_level="warning", _node_ip_address="127.0.0.1",
                _metrics_export_port=metrics_port,
            )  # fmt: skip
        except Exception as error:  # Ray raises nothing more particular
            ray.shutdown()
            raise SegueError(
                f"Ray did not start ({_last_line(error)}): try when this machine is less busy."
            ) from error
        try:
            http: dict[str, object] = {"host": host, "port": port}
            if certificate is not None:
                http |= {"ssl_certfile": str(certificate.certificate)}
                http |= {"ssl_keyfile": str(certificate.key)}
            serve.start(http_options=http, proxy_location="HeadOnly")
            from models.remote.cluster.application import application

            serve.run(application(asdict(options)), name="segue", route_prefix="/")
        except BaseException as error:
            self.close()
            if isinstance(error, RuntimeError | RayError):
                raise SegueError(f"the replicas did not start ({_last_line(error)}).") from error
            raise

    def close(self) -> None:
        """End Serve and Ray."""
        self._serve.shutdown()
        self._ray.shutdown()


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
