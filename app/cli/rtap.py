"""`python main.py rtap`: accompaniment for Max, Pd or any OSC client."""

from __future__ import annotations

import ipaddress
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Mapping

import numpy as np

from app.cli.render import seed_of
from app.control.rtap.batches import ContextBatch
from app.control.rtap.messages import CLIENT_PORT, PORT, Samples
from app.control.rtap.server import RtapServer, summary
from app.session.accompaniment.accompanist import WindowAccompanist
from models.engine.controls import Controls
from models.engine.prompts import PromptEmbedder, check_weights, parse_prompt
from models.errors import SegueError
from models.registry import open_engine
from models.remote.protocol.address import is_loopback


def rtap(chosen: Namespace) -> int:
    """Accompany until Ctrl-C. Everything is checked before the engine is opened."""
    port = PORT if chosen.port is None else chosen.port
    client_port = CLIENT_PORT if chosen.client_port is None else chosen.client_port
    for number, least in ((port, 0), (client_port, 1)):
        if not least <= number <= 65_535:
            raise SegueError(f"there is no port {number}: give one from 1 to 65535.")
    host = "127.0.0.1" if chosen.host == "localhost" else chosen.host
    client = client_of(host, chosen.client)
    prompts = [parse_prompt(text) for text in chosen.prompt]
    check_weights(prompts)
    controls, seed = Controls(dream=chosen.dream), seed_of(chosen.seed, None)
    engine = open_engine(getattr(chosen, "engine", "segue"), getattr(chosen, "device", "auto"))
    try:
        if prompts:
            controls = controls.with_(style=PromptEmbedder(engine).mix(prompts))
        player = BatchPlayer(WindowAccompanist(engine, controls, seed=seed))
        server = RtapServer(
            player, host, port, (client, client_port), only=not is_loopback(host), log=_log
        )
        server.start()
        try:
            print(
                f"{engine.info.name} accompanies: context to {host}, port {server.port}; answers "
                f"to {client}, port {client_port}"
            )
            print("Ctrl-C ends it.", flush=True)
            threading.Event().wait()
        except KeyboardInterrupt:
            pass
        finally:
            server.stop()
            print(f"segue: {summary(server.figures())}.", file=sys.stderr)
    finally:
        engine.close()
    return 0


def client_of(host: str, named: str | None) -> str:
    """The address that is answered.

    Args:
        host: interface to listen on.
        named: on the command line; None where it was not.

    Raises:
        SegueError: none was named and the interface is not this machine's own, or no address.

    """
    if named is None:
        if is_loopback(host):
            return host
        raise SegueError(
            "beyond this machine name the client too, such as --client 192.168.1.20: it alone is "
            "heard and answered, as the protocol knows neither token nor encryption."
        )
    try:
        return str(ipaddress.ip_address("127.0.0.1" if named == "localhost" else named))
    except ValueError:
        raise SegueError(f"'{named}' is no address: write one such as 192.168.1.20.") from None


class BatchPlayer:
    """WindowAccompanist as the server's player."""

    def __init__(self, accompanist: WindowAccompanist) -> None:
        self._accompanist = accompanist

    def reset(self) -> None:
        self._accompanist.reset()

    def hear(self, batch: ContextBatch, step: int) -> int:
        """Take a batch in, and the batches that were lost before it as gaps."""
        if batch.restarted:
            self._accompanist.reset()
        for _ in range(batch.skipped):
            self._accompanist.hear(np.zeros(step, np.float32), [(0, step)])
        return self._accompanist.hear(batch.samples, batch.missing)

    def window(self, start: int, end: int, stems: tuple[str, ...]) -> Mapping[str, Samples]:
        return self._accompanist.window(start, end, stems)


def _log(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)
