"""Underruns and xruns over OSC: asked for, and told to subscribers when they change."""

from __future__ import annotations

import socket

from app.control.osc.messages import build, parse
from app.control.osc.server import OscServer
from app.parameters.catalogue import build_registry


def test_figures_are_answered_and_pushed() -> None:
    figures = {"underruns": 0, "xruns": 570}
    server = OscServer(build_registry(), figures=lambda: figures)
    server.start()
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(0.02)

    def hear(wanted: int) -> list[tuple[str, list[object]]]:
        found: list[tuple[str, list[object]]] = []
        for _ in range(200):
            server.drain()
            server.tick()
            try:
                address, arguments = parse(client.recv(65536))
            except TimeoutError:
                continue
            found.append((address, list(arguments)))
            if len(found) == wanted:
                break
        return found

    def send(address: str, *arguments: str) -> None:
        client.sendto(build(address, arguments), ("127.0.0.1", server.port))

    try:
        send("/segue/status")
        assert hear(2) == [("/segue/underruns", [0]), ("/segue/xruns", [570])]
        send("/segue/subscribe", "no/such")
        send("/segue/ping")
        assert hear(1) == [("/segue/pong", [])]
        figures["xruns"] = 571
        assert hear(1) == [("/segue/xruns", [571])]
    finally:
        client.close()
        server.stop()
