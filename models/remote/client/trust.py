"""Trust in a server: its certificate and the token that it wants, kept for the next time."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from models.command import PROGRAM_NAME
from models.errors import SegueError
from models.remote.client.known import known_server, remember
from models.remote.credentials import TOKEN_VARIABLE, fingerprint
from models.remote.protocol.address import RemoteAddress

CONNECT_SECONDS: Final = 5.0


class Trust:
    """What is known of a server. Used by the line's thread."""

    def __init__(
        self, address: RemoteAddress, tell: Callable[[str, str], object], folder: Path | None = None
    ) -> None:
        """tell: takes level and sentence for the performer. folder: of the known servers."""
        self._address, self._tell, self._folder = address, tell, folder
        self._known = known_server(address, folder)
        self._vouched = False  # by authorities
        self.token = address.token or os.environ.get(TOKEN_VARIABLE, "") or self._known.token

    async def context(self) -> ssl.SSLContext:
        """TLS for the next connection.

        A certificate that authorities vouch for is trusted; so is the one that was kept, or, where
        none was, the one that the server shows first. OSError where nothing answers.
        """
        if not self._known.certificate and not self._vouched:
            shown, self._vouched = await asyncio.to_thread(self._look)
            if not self._vouched:
                self._known = replace(self._known, certificate=shown)
                self._tell(
                    "info",
                    f"{self._address.place} is new here, its certificate is kept. Compare its "
                    f"fingerprint with the one that the server printed: {_fingerprint(shown)}",
                )
        if self._vouched:
            return ssl.create_default_context()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # the certificate itself is known
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=self._known.certificate)
        return context

    @property
    def mistrust(self) -> str:
        """Sentence for a server that shows another certificate than the one that was kept."""
        return (
            f"{self._address.place} shows another certificate than before: somebody may be "
            f"listening. If it was made anew, run {PROGRAM_NAME} models forget {self._address.name}"
        )

    def _look(self) -> tuple[str, bool]:
        """The certificate that the server shows, as PEM, and whether authorities vouch for it."""
        address = (self._address.host, self._address.port)
        for vouched in (True, False):
            context = ssl.create_default_context()
            if not vouched:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            try:
                with (
                    socket.create_connection(address, CONNECT_SECONDS) as plain,
                    context.wrap_socket(plain, server_hostname=self._address.host) as line,
                ):
                    shown = line.getpeercert(binary_form=True)
                    return ssl.DER_cert_to_PEM_cert(shown or b""), vouched
            except ssl.SSLCertVerificationError:
                continue
        raise ConnectionError("no certificate")

    def keep(self) -> None:
        """Keep certificate and token, as the server has let us in."""
        server = replace(self._known, token=self.token)
        try:
            remember(server, self._folder)
        except SegueError as error:
            self._tell("warning", str(error))
        self._known = server


def _fingerprint(certificate: str) -> str:
    return fingerprint(ssl.PEM_cert_to_DER_cert(certificate))
