"""Servers on the network by multicast DNS: announced and looked for only when asked.

The package zeroconf is under the LGPL: it is an extra, and no part of the packages for download.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
from types import ModuleType
from typing import Final

from models.errors import SegueError
from models.remote.protocol.address import RemoteAddress, is_loopback

TYPE: Final = "_segue._tcp.local."
FIND_SECONDS: Final = 2.5
INFO_MS: Final = 1500
EVERYWHERE: Final = ("", "0.0.0.0", "::")


def _package() -> ModuleType:
    """The package. SegueError where it is not installed."""
    try:
        import zeroconf
    except ImportError:
        raise SegueError(
            "servers are found on the network with the package zeroconf, which is not here: "
            "python -m pip install zeroconf, or write the server's address."
        ) from None
    return zeroconf


def check_announcement(host: str) -> None:
    """Raise SegueError where a server on this interface cannot be announced."""
    if is_loopback(host):
        raise SegueError(
            "only a server that others reach can be announced: name an interface with --host."
        )
    _package()


class Announcement:
    """Announcement of a server, until `close`. It begins in a thread, as it takes seconds."""

    def __init__(self, engine: str, host: str, port: int, *, interfaces: list[str] | None = None):
        """Announce an engine.

        Args:
            engine: its name.
            host: interface that the server listens on.
            port: of the server.
            interfaces: addresses to announce on; by default that of the host, or all.

        Raises:
            SegueError: the package is missing, or the server is reached from its machine only.

        """
        if interfaces is None:
            check_announcement(host)
        package = _package()
        reached = interfaces or _addresses(host)
        everywhere = interfaces is None and host in EVERYWHERE
        try:
            self._zeroconf = package.Zeroconf(
                interfaces=package.InterfaceChoice.All if everywhere else reached
            )
        except OSError as error:
            raise SegueError(f"the server cannot be announced ({error.strerror}).") from None
        machine = socket.gethostname().partition(".")[0]
        self._info = package.ServiceInfo(
            TYPE, f"{engine} on {machine} {port}.{TYPE}", port=port,
            addresses=[ipaddress.ip_address(each).packed for each in reached],
            properties={"engine": engine}, server=f"{machine}.local.",
        )  # fmt: skip
        self._thread = threading.Thread(target=self._begin, name="announcement", daemon=True)
        self._thread.start()

    def _begin(self) -> None:
        with contextlib.suppress(Exception):  # the network may go at any time
            self._zeroconf.register_service(self._info)

    def close(self) -> None:
        """Take it back."""
        self._thread.join()
        with contextlib.suppress(Exception):
            self._zeroconf.unregister_service(self._info)
        self._zeroconf.close()


def _addresses(host: str) -> list[str]:
    """Addresses under which a server is reached. SegueError for a name that has none."""
    if host not in EVERYWHERE:
        try:
            return [str(socket.getaddrinfo(host, None)[0][4][0])]
        except OSError as error:
            raise SegueError(f"{host} has no address to announce ({error.strerror}).") from None
    import ifaddr  # comes with zeroconf

    found = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4]
    return [str(each) for each in found if not is_loopback(str(each))]


def find_servers(
    seconds: float = FIND_SECONDS, *, interfaces: list[str] | None = None
) -> tuple[str, ...]:
    """Addresses of the servers that are announced, remote://HOST:PORT/ENGINE each, sorted.

    Args:
        seconds: to wait for them.
        interfaces: addresses to look on; by default all.

    Raises:
        SegueError: the package is missing, or there is no network.

    """
    package = _package()
    names: set[str] = set()

    class FoundServices:
        def add_service(self, zeroconf: object, kind: str, name: str) -> None:
            names.add(name)

        update_service = add_service

        def remove_service(self, zeroconf: object, kind: str, name: str) -> None:
            names.discard(name)

    try:
        opened = package.Zeroconf(interfaces=interfaces or package.InterfaceChoice.All)
    except OSError as error:
        raise SegueError(f"the network cannot be looked at ({error.strerror}).") from None
    try:
        package.ServiceBrowser(opened, TYPE, FoundServices())
        time.sleep(seconds)
        infos = [opened.get_service_info(TYPE, name, INFO_MS) for name in sorted(names)]
    finally:
        opened.close()
    found = set()
    for info in infos:
        engine = (info.properties.get(b"engine") or b"").decode("utf-8", "ignore") if info else ""
        if info is not None and engine and info.port:
            hosts = info.parsed_addresses() or [str(info.server).rstrip(".")]
            found.add(RemoteAddress(hosts[0], info.port, engine).name)
    return tuple(sorted(found))
