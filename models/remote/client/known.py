"""Servers that were connected to: their certificates and tokens, in one file.

The file is readable by its owner only. A certificate that no authority vouches for is kept at the
first connection; from then on another one at that address is refused, as it may be somebody else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from models.errors import SegueError
from models.remote.credentials import data_folder, write_private
from models.remote.protocol.address import RemoteAddress

FILE_NAME: Final = "servers.json"
MAX_SERVERS: Final = 100


@dataclass(frozen=True)
class KnownServer:
    """A server. name, place: of `RemoteAddress`. certificate: PEM, '' where none need be kept."""

    name: str
    place: str
    certificate: str = ""
    token: str = ""


def known_servers(folder: Path | None = None) -> tuple[KnownServer, ...]:
    """Servers that were connected to, the latest first; none where the file is missing."""
    path = (folder or data_folder()) / FILE_NAME
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            KnownServer(*(str(row.get(n, "")) for n in ("name", "place", "certificate", "token")))
            for row in rows[:MAX_SERVERS]
        )
    except (OSError, ValueError, TypeError, AttributeError):
        return ()


def known_server(address: RemoteAddress, folder: Path | None = None) -> KnownServer:
    """What is known of a server; its certificate belongs to the place, whatever it plays."""
    servers = known_servers(folder)
    same = [server for server in servers if server.place == address.place]
    if not same:
        return KnownServer(address.name, address.place)
    exact = next((server for server in same if server.name == address.name), same[0])
    return replace(exact, name=address.name)


def remember(server: KnownServer, folder: Path | None = None) -> None:
    """Keep a server, as the latest one. SegueError where that is not possible."""
    folder = folder or data_folder()
    servers = known_servers(folder)
    if servers and servers[0] == server:
        return
    others = [each for each in servers if each.name != server.name]
    rows = [vars(each) for each in (server, *others)][:MAX_SERVERS]
    write_private(folder / FILE_NAME, json.dumps(rows, indent=1) + "\n")


def forget(name: str, folder: Path | None = None) -> None:
    """Forget a server and every other of its place. SegueError where there is none."""
    folder = folder or data_folder()
    servers = known_servers(folder)
    places = {server.place for server in servers if server.name == name}
    if not places:
        raise SegueError(f"{name} is not known: nothing to forget.")
    rows = [vars(each) for each in servers if each.place not in places]
    write_private(folder / FILE_NAME, json.dumps(rows, indent=1) + "\n")
