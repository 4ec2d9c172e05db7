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
    token, tls, fingerprint = "", None, ""
    if not is_loopback(host):
        token = credentials.server_token(folder)
        tls, fingerprint = _encryption(chosen.certificate, chosen.key, folder, host)
    elif chosen.certificate or chosen.key:
        raise SegueError("on this machine alone nothing is encrypted: leave --certificate out.")
    if chosen.announce:
        check_announcement(host)
    secret = credentials.kept_secret(folder, "seal").encode()
    engine = open_engine(name, getattr(chosen, "device", "auto"))
    try:
        return _run(
            engine, host, port, chosen.sessions, token, tls, secret, fingerprint, chosen.announce
        )
    finally:
        engine.close()


def _encryption(
    certificate: Path | None, key: Path | None, folder: Path, host: str
) -> tuple[ssl.SSLContext, str]:
    """TLS and the certificate's fingerprint: of the files given, or of one made here."""
    if (certificate is None) != (key is None):
        raise SegueError("give both --certificate and --key, or neither.")
    if certificate is not None and key is not None:
        made = credentials.load_certificate(certificate, key)
    else:
        made = credentials.own_certificate(folder, host)
    return credentials.server_context(made.certificate, made.key), made.fingerprint


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
