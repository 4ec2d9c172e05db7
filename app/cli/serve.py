"""`python main.py serve`: an engine for a Segue elsewhere."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
import time
from argparse import Namespace
from pathlib import Path

from models.engine.interface import Engine
from models.errors import SegueError
from models.registry import REMOTE, open_engine
from models.remote import credentials
from models.remote.discovery import Announcement, check_announcement
from models.remote.protocol.address import DEFAULT_PORT, RemoteAddress, is_loopback
from models.remote.protocol.limits import Limits


def serve(chosen: Namespace) -> int:
    """Serve an engine until Ctrl-C. Everything is checked before the engine is opened."""
    name = getattr(chosen, "engine", "segue")
    if name.startswith(REMOTE):
        raise SegueError("an engine elsewhere is served there: name one of this machine.")
    host = chosen.host
    port = DEFAULT_PORT if chosen.port is None else chosen.port
    if not 0 <= port <= 65_535:
        raise SegueError(f"there is no port {port}: give one from 1 to 65535, or 0 for any.")
    if chosen.sessions < 1:
        raise SegueError("--sessions must be 1 or more.")
    folder = credentials.data_folder()
    token, certificate, fingerprint = "", None, ""
    if not is_loopback(host):
        token = credentials.server_token(folder)
        certificate = _certificate(chosen.certificate, chosen.key, folder, host)
        fingerprint = certificate.fingerprint
    elif chosen.certificate or chosen.key:
        raise SegueError("on this machine alone nothing is encrypted: leave --certificate out.")
    if chosen.announce:
        check_announcement(host)
    secret = credentials.kept_secret(folder, "seal").encode()
    if chosen.replicas is not None:
        return _serve_many(chosen, name, port, token, certificate, secret)
    tls = None if certificate is None else credentials.server_context(
        certificate.certificate, certificate.key
    )  # fmt: skip
    engine = open_engine(name, getattr(chosen, "device", "auto"))
    try:
        return _run(
            engine, host, port, chosen.sessions, token, tls, secret, fingerprint, chosen.announce
        )
    finally:
        engine.close()


def _certificate(
    certificate: Path | None, key: Path | None, folder: Path, host: str
) -> credentials.Certificate:
    """Certificate of the files given, or one made here."""
    if (certificate is None) != (key is None):
        raise SegueError("give both --certificate and --key, or neither.")
    if certificate is not None and key is not None:
        return credentials.load_certificate(certificate, key)
    return credentials.own_certificate(folder, host)


def _serve_many(
    chosen: Namespace, name: str, port: int, token: str,
    certificate: credentials.Certificate | None, secret: bytes,
) -> int:  # fmt: skip
    """Serve several engines of this machine until Ctrl-C."""
    from models.remote.cluster.local import METRICS_PORT, LocalCluster
    from models.remote.cluster.options import ServeOptions, parse_replicas

    if chosen.announce:
        raise SegueError("--announce is for a single engine: leave --replicas or it out.")
    least, most = parse_replicas(chosen.replicas)
    options = ServeOptions(
        name, getattr(chosen, "device", "auto"), least, most, chosen.sessions,
        gpus=chosen.gpus, loopback=not token,
    )  # fmt: skip
    cluster = LocalCluster(options, chosen.host, port, token, secret, certificate)
    fingerprint = "" if certificate is None else certificate.fingerprint
    try:
        for line in greeting(name, chosen.host, port, token, fingerprint):
            print(line, flush=True)
        print(f"metrics for Prometheus: http://127.0.0.1:{METRICS_PORT}/metrics", flush=True)
        while True:
            time.sleep(3600.0)
    except KeyboardInterrupt:
        print("segue: the server has ended.", file=sys.stderr)
    finally:
        cluster.close()
    return 0


def _run(
    engine: Engine, host: str, port: int, sessions: int, token: str, tls: ssl.SSLContext | None,
    secret: bytes, fingerprint: str, announce: bool,
) -> int:  # fmt: skip
    from models.remote.server.server import RemoteServer

    server = RemoteServer(
        engine, host, port, token=token, tls=tls, secret=secret,
        limits=Limits(sessions=sessions), log=_log,
    )  # fmt: skip

    announced: list[Announcement] = []

    def ready(port: int) -> None:
        if announce:
            try:
                announced.append(Announcement(engine.info.name, host, port))
            except SegueError as error:  # it plays all the same
                print(f"segue: {error}", file=sys.stderr, flush=True)
        for line in greeting(engine.info.name, host, port, token, fingerprint):
            print(line, flush=True)

    try:
        asyncio.run(server.run(ready))
    except KeyboardInterrupt:
        print("segue: the server has ended.", file=sys.stderr)
    finally:
        for each in announced:
            each.close()
    return 0


def greeting(engine: str, host: str, port: int, token: str, fingerprint: str) -> list[str]:
    """What is printed when the server is ready."""
    if not token:
        address = RemoteAddress(host, port, engine).name
        return [f"{engine} plays for this machine at {address}", "Ctrl-C ends it."]
    everywhere = host in ("0.0.0.0", "::", "")
    address = RemoteAddress(socket.gethostname() if everywhere else host, port, engine).name
    return [
        f"{engine} plays for others at {address}",
        f"token: {token}",
        f"fingerprint of the certificate: {fingerprint}",
        f"Elsewhere: python main.py --engine {address.replace('://', f'://{token}@')}",
        "Ctrl-C ends it.",
    ]


def _log(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)
