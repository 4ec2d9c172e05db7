"""Names of our ports in JACK: PortAudio calls them out_0, out_1; here each gets its part's name.

JACK lets any client rename a port. Where that fails the ports keep their numbers.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
from collections.abc import Iterator, Sequence
from typing import Final

IS_OUTPUT: Final = 2
NO_START: Final = 1


class JackPorts:
    """A client that lists and renames ports. OSError where there is no JACK."""

    def __init__(self) -> None:
        name = ctypes.util.find_library("jack")
        if name is None:
            raise OSError("there is no JACK library")
        lib = ctypes.CDLL(name)
        lib.jack_client_open.restype = ctypes.c_void_p
        lib.jack_client_open.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
        lib.jack_client_close.argtypes = [ctypes.c_void_p]
        lib.jack_get_ports.restype = ctypes.POINTER(ctypes.c_char_p)
        lib.jack_get_ports.argtypes = [
            ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong,
        ]  # fmt: skip
        lib.jack_port_by_name.restype = ctypes.c_void_p
        lib.jack_port_by_name.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        lib.jack_port_rename.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p]
        lib.jack_free.argtypes = [ctypes.c_void_p]
        self._lib = lib
        self._client = lib.jack_client_open(b"segue-names", NO_START, None)
        if not self._client:
            raise OSError("JACK does not answer")

    def close(self) -> None:
        self._lib.jack_client_close(self._client)

    def outputs(self) -> list[str]:
        """PortAudio's ports that play, in the order of their channels."""
        found = self._lib.jack_get_ports(self._client, b"PortAudio", None, IS_OUTPUT)
        if not found:
            return []
        names: list[str] = []
        while found[len(names)]:
            names.append(found[len(names)].decode())
        self._lib.jack_free(found)
        return names

    def rename(self, port: str, name: str) -> None:
        """Give a port another name behind its client's."""
        known = self._lib.jack_port_by_name(self._client, port.encode())
        if known:
            self._lib.jack_port_rename(self._client, known, name.encode())


@contextlib.contextmanager
def named_ports(names: Sequence[str]) -> Iterator[None]:
    """Ports that are opened within get these names, in their order; '' for none."""
    try:
        ports = JackPorts()
    except (OSError, AttributeError):
        yield
        return
    try:
        before = set(ports.outputs())
        yield
        new = [port for port in ports.outputs() if port not in before]
        for port, name in zip(new, names, strict=False):
            if name:
                ports.rename(port, name)
    finally:
        ports.close()
