"""Suspends the X server's own screen saver and power saving. Not thread-safe.

Under a plain window manager (Openbox, i3) there is no desktop service, and the X server itself
blanks the screen after ten minutes without input. The request is `Suspend` of the MIT Screen Saver
extension, version 1.1 (X.Org, "X11 Screen Saver Extension"), which ends with the connection that
made it. It is sent through libxcb, which Qt needs anyway, by its published
`xcb_send_request`: the libraries that wrap it (libXss, libxcb-screensaver) are often not installed.
"""

from __future__ import annotations

import ctypes
from typing import Final

EXTENSION: Final = b"MIT-SCREEN-SAVER"
SUSPEND: Final = 5
CHECKED: Final = 1
LIBRARY: Final = "libxcb.so.1"


class _Extension(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("global_id", ctypes.c_int))


class _Request(ctypes.Structure):
    _fields_ = (
        ("count", ctypes.c_size_t),
        ("extension", ctypes.POINTER(_Extension)),
        ("opcode", ctypes.c_uint8),
        ("is_void", ctypes.c_uint8),
    )


class _Part(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Cookie(ctypes.Structure):
    _fields_ = (("sequence", ctypes.c_uint),)


class XScreenSaver:
    """Screen saver of the X server, suspended from `suspend` to `resume`."""

    def __init__(self) -> None:
        self._connection: int | None = None

    def suspend(self) -> bool:
        """Suspend it; False where there is no X server or it lacks the extension."""
        if self._connection is not None:
            return True
        try:
            xcb = _library()
        except (OSError, AttributeError):
            return False
        connection = xcb.xcb_connect(None, None)  # to the display that $DISPLAY names
        extension = _Extension(EXTENSION, 0)
        if not xcb.xcb_connection_has_error(connection):
            reply = xcb.xcb_get_extension_data(connection, ctypes.byref(extension))
            # Byte 8 of the reply says whether the server has the extension.
            if reply and ctypes.cast(reply, ctypes.POINTER(ctypes.c_uint8))[8]:
                self._send(xcb, connection, extension)
        if self._connection is None:
            xcb.xcb_disconnect(connection)
        return self._connection is not None

    def _send(self, xcb: ctypes.CDLL, connection: int, extension: _Extension) -> None:
        # xcb fills in opcodes and length, and may use the two parts before the one given.
        body = (ctypes.c_uint32 * 2)(0, 1)
        parts = (_Part * 3)()
        parts[2] = _Part(ctypes.addressof(body), ctypes.sizeof(body))
        request = _Request(1, ctypes.pointer(extension), SUSPEND, 1)
        first = ctypes.byref(parts, 2 * ctypes.sizeof(_Part))
        sequence = xcb.xcb_send_request(connection, CHECKED, first, ctypes.byref(request))
        error = xcb.xcb_request_check(connection, _Cookie(sequence))
        if error:
            _free(error)
        elif sequence and not xcb.xcb_connection_has_error(connection):
            self._connection = connection

    def resume(self) -> None:
        """Allow the screen saver again."""
        if self._connection is not None:
            _library().xcb_disconnect(self._connection)
            self._connection = None


def _free(pointer: int) -> None:
    free = ctypes.CDLL(None).free
    free.argtypes, free.restype = [ctypes.c_void_p], None
    free(pointer)


def _library() -> ctypes.CDLL:
    """Load libxcb with its signatures; raises OSError where it is missing."""
    xcb = ctypes.CDLL(LIBRARY)
    address = ctypes.c_void_p
    for name, result, parameters in (
        ("xcb_connect", address, [ctypes.c_char_p, address]),
        ("xcb_connection_has_error", ctypes.c_int, [address]),
        ("xcb_get_extension_data", address, [address, address]),
        ("xcb_send_request", ctypes.c_uint, [address, ctypes.c_int, address, address]),
        ("xcb_request_check", address, [address, _Cookie]),
        ("xcb_disconnect", None, [address]),
    ):
        function = getattr(xcb, name)
        function.restype, function.argtypes = result, parameters
    return xcb
