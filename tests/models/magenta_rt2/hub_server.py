"""Local server with enough of the Hugging Face protocol for downloads, and with faults."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """The files by path, what goes wrong, and the requests received.

    drop_after: bytes of a body after which the connection breaks off, once for each entry.
    corrupted: paths whose first byte is sent wrong. short: paths sent without the last byte, with a
    Content-Length to match. absent: paths that the hub does not have. status: answered to every
    transfer, if set. stall_after: bytes of the next body after which the server waits for `go_on`,
    having set `stalled`. revisions: those asked for. plain: paths that are not in LFS and have
    git's SHA-1 alone.
    """

    files: dict[str, bytes]
    drop_after: list[int] = field(default_factory=list)
    corrupted: set[str] = field(default_factory=set)
    short: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    plain: set[str] = field(default_factory=set)
    status: int | None = None
    stall_after: int | None = None
    stalled: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    revisions: list[str] = field(default_factory=list)
    sent: int = 0
    address: str = ""

    def listing(self) -> dict[str, object]:
        siblings = []
        for path, content in self.files.items():
            if path in self.absent:
                continue
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            entry: dict[str, object] = {"rfilename": path, "size": len(content), "blobId": blob}
            if path not in self.plain:
                sha256 = hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 134}
            siblings.append(entry)
        return {"id": "google/magenta-realtime-2", "sha": COMMIT, "siblings": siblings}


class _Handler(BaseHTTPRequestHandler):
    """Answers as the hub does; `hub` is set by `serving`."""

    hub: Hub

    def log_message(self, format: str, *words: object) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/api/models/google/magenta-realtime-2/revision/"):
            self.hub.revisions.append(path.rpartition("/")[2])
            self._answer(200, json.dumps(self.hub.listing()).encode())
            return
        found = re.fullmatch(rf"/google/magenta-realtime-2/resolve/{COMMIT}/(.+)", path)
        if self.hub.status is not None:
            self._answer(self.hub.status, b"")
        elif found and found[1] in self.hub.files and found[1] not in self.hub.absent:
            self._file(found[1])
        else:
            self._answer(404, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self._send(body)

    def _send(self, body: bytes) -> None:
        with suppress(ConnectionError):  # the client may be gone: that is tested
            self.wfile.write(body)

    def _file(self, name: str) -> None:
        content = self.hub.files[name]
        byte_range = self.headers.get("Range")
        self.hub.requests.append((name, byte_range))
        start = int(byte_range.removeprefix("bytes=").rstrip("-")) if byte_range else 0
        body = content[start:]
        if name in self.hub.corrupted and start == 0:
            body = bytes([body[0] ^ 1]) + body[1:]
        if name in self.hub.short:
            body = body[:-1]
        self.send_response(206 if byte_range else 200)
        if byte_range:
            end = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.send_header("Content-Range", end)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.hub.drop_after and self.hub.drop_after[0] < len(body):
            body = body[: self.hub.drop_after.pop(0)]
            self.close_connection = True
        self.hub.sent += len(body)
        if self.hub.stall_after is not None:
            self._send(body[: self.hub.stall_after])
            body, self.hub.stall_after = body[self.hub.stall_after :], None
            self.hub.stalled.set()
            self.hub.go_on.wait(60)
        self._send(body)


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """The hub on a free port of the loopback device."""

    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
