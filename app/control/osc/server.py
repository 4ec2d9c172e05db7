"""OSC server over UDP: every parameter has an address.

A thread receives, counts and sorts; `drain`, in the GUI thread, applies; `tick` sends changes to
subscribers. In a flood the latest value of each address is kept, the rest is counted and dropped,
and the receiving thread pauses between batches, so that window and music are not disturbed.

    /segue/tempo 124.0             set, in the parameter's own unit ("auto" where it has one)
    /segue/unit/tempo 0.5          set, as a position from 0 to 1
    /segue/scene/3/recall          a trigger fires without an argument, or with one above 0
    /segue/tempo                   without an argument: a query, answered to the sender
    /segue/get tempo density       queries; without names: everything
    /segue/list [pattern]          all addresses: /segue/parameter name kind address low high unit
                                   value label, then /segue/list/done count
    /segue/subscribe [port] [pattern]     changes are sent from now on; /segue/unsubscribe [port]
    /segue/ping                    answered with /segue/pong
    /segue/status                  answered with /segue/underruns, /segue/xruns (of the output) and
                                   /segue/input_xruns, each a count; subscribers are told when one
                                   changes

What a parameter makes of each type of argument is the table in `values`.

A bundle with a time tag is applied at its time, up to `inbox.MAX_DELAY` seconds ahead, with at most
`inbox.MAX_DELAYED` messages; else at once. `messages.MAX_DEPTH` bundles may be inside each other.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from app.control.osc.inbox import MAX_LOG_ENTRIES, OscInbox, Packet, Peer
from app.control.osc.messages import (
    ROOT,
    Argument,
    MalformedPacketError,
    address_for,
    build,
    is_pattern,
    matches,
    name_from,
    parse,
)
from app.control.osc.subscribers import Subscribers
from app.control.osc.values import position_of, strength_of, value_of
from app.parameters.parameter import Value
from app.parameters.registry import Change, Registry
from models.errors import SegueError

BATCH: Final = 64
MAX_PACKETS_PER_SECOND: Final = 10_000
"""Rate limit of the receiving thread, applied to each batch, so that it leaves time to others."""
ERROR_PAUSE: Final = 0.001
"""Seconds to wait after an error of the socket."""
DRAIN_SECONDS: Final = 0.006
"""Time of the GUI thread that one `drain` may take, in seconds."""
REPLIES_AT_ONCE: Final = 40
"""Parameters that are answered between two ticks."""
MAX_REPLIES: Final = 10_000
MAX_ERRORS_PER_SECOND: Final = 10.0
"""Errors sent to one peer in a second; the rest are only counted."""


class _UnknownAddressError(SegueError):
    """There is no such address."""


class OscServer:
    """OSC server: `start`, `drain` after each `wake`, `tick` often, `stop`.

    host: address of the interface to listen on. port: 0 takes a free one. wake: called in the
    receiving thread. sent: the last packets that went out. incident: gets level and sentence.
    figures: counts that /segue/status tells, by name. clock: seconds, monotonic.
    """

    def __init__(
        self,
        registry: Registry,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        wake: Callable[[], None] = lambda: None,
        incident: Callable[[str, str], None] = lambda level, sentence: None,
        figures: Callable[[], Mapping[str, int]] = dict,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.registry, self.host, self.port = registry, host, port
        self.inbox = OscInbox(wake)
        self.counts = self.inbox.counts
        self.sent: deque[Packet] = deque(maxlen=MAX_LOG_ENTRIES)
        self._wake, self._incident, self._now, self._figures = wake, incident, clock, figures
        self._told: dict[str, int] = {}
        self._waiting: deque[Packet] = deque()
        self._replies: deque[Callable[[], None]] = deque()
        self._free = REPLIES_AT_ONCE
        self._commands: dict[str, Callable[[list[Argument], Peer], None]] = {
            "get": self._get,
            "list": self._list,
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe_peer,
            "ping": self._ping,
            "status": lambda arguments, peer: self._tell(peer, dict(self._figures())),
        }
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._subscribers = Subscribers(clock)
        self._changed: dict[str, str] = {}
        self._corrected: set[str] = set()
        self._next_error: dict[Peer, float] = {}
        self._unsubscribe: Callable[[], None] | None = None

    @property
    def running(self) -> bool:
        return self._thread is not None

    def start(self) -> None:
        """Listen. Raises SegueError where the address cannot be bound."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_DGRAM)
        try:
            listener.bind((self.host, self.port))
        except OSError as error:
            listener.close()
            raise SegueError(
                f"OSC cannot listen on {self.host}, port {self.port} ({error.strerror}); "
                "choose another port in the settings."
            ) from error
        self.port = listener.getsockname()[1]
        listener.settimeout(0.2)
        addresses = [
            (address_for(parameter.name, unit=unit).encode(), parameter.kind == "trigger")
            for parameter in self.registry
            for unit in (False, True)
        ]
        self.inbox.states = frozenset(each for each, trigger in addresses if not trigger)
        self.inbox.triggers = frozenset(each for each, trigger in addresses if trigger)
        self.inbox.questions = frozenset(f"{ROOT}{word}".encode() for word in self._commands)
        self._socket, self._stopping = listener, False
        self._unsubscribe = self.registry.subscribe(self._on_change)
        self._thread = threading.Thread(target=self._run, name="osc", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        if self._thread is not None:
            self._thread.join(2.0)
            self._thread = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._subscribers.clear()
        self._replies.clear()

    # -- the receiving thread --------------------------------------------------------------------
    def _run(self) -> None:
        listener = self._socket
        assert listener is not None
        batch, began = 0, time.monotonic()
        while not self._stopping:
            try:
                data, peer = listener.recvfrom(65536)
            except TimeoutError:
                continue
            except OSError:
                # Some systems report a subscriber that is gone as an error.
                time.sleep(ERROR_PAUSE)
                continue
            now = time.monotonic()
            self.inbox.receive(data, (peer[0], peer[1]), now)
            batch += 1
            if batch >= BATCH:
                # Only in a flood; the system drops what arrives too fast.
                time.sleep(max(began + BATCH / MAX_PACKETS_PER_SECOND - now, 0.0))
                batch, began = 0, time.monotonic()

    # -- the GUI thread --------------------------------------------------------------------------
    def drain(self) -> int:
        """Apply packets for a limited time; returns their number.

        `wake` asks for another call where packets are left.
        """
        self.inbox.release(time.monotonic())
        if not self._waiting:  # else the inbox limits a flood
            self._waiting.extend(self.inbox.take())
        count, end = 0, time.monotonic() + DRAIN_SECONDS
        with self.registry.batch():
            while self._waiting and (count % 16 or time.monotonic() < end):
                self._apply(self._waiting.popleft())
                count += 1
        if self._waiting or not self.inbox.empty:
            self._wake()  # the inbox does not wake anybody unless it was empty
        return count

    def _apply(self, packet: Packet) -> None:
        peer = packet.peer
        try:
            address, arguments = parse(packet.data)
        except MalformedPacketError:
            self.counts.malformed += 1
            packet.outcome = "malformed"
            return
        self._subscribers.heard(peer)
        try:
            command = self._commands.get(address[len(ROOT) :]) if address.startswith(ROOT) else None
            if command is not None:
                command(arguments, peer)
            else:
                self._parameter(address, arguments, peer)
        except SegueError as error:
            if isinstance(error, _UnknownAddressError):
                self.counts.unknown += 1
                packet.outcome = "unknown"
            else:
                self.counts.refused += 1
                packet.outcome = "refused"
            packet.reason = str(error)
            self._send_error(peer, str(error))
            return
        self.counts.applied += 1
        packet.outcome = "applied"

    def _parameter(self, address: str, arguments: list[Argument], peer: Peer) -> None:
        name, unit = name_from(address)
        if is_pattern(name):
            names = [each for each in self.registry.names() if matches(each, name)]
        else:
            names = [name] if name in self.registry else []
        if not names:
            raise _UnknownAddressError(f"There is nothing at '{address[:80]}'; ask /segue/list.")
        for each in names:
            kind = self.registry[each].kind
            if not arguments and kind != "trigger":
                self._answer(each, peer)
            else:
                self._set(each, arguments, unit, peer)

    def _set(self, name: str, arguments: list[Argument], unit: bool, peer: Peer) -> None:
        source = _source(peer)
        if self.registry[name].kind == "trigger":
            strength = strength_of(self.registry[name], arguments)
            if strength > 0.0:
                self.registry.trigger(name, source, strength)
            return
        if len(arguments) != 1:
            raise SegueError(f"'{name}' needs one value, not {len(arguments)}.")
        requested: Value
        if unit:
            position = position_of(self.registry[name], arguments[0])
            if position is not None:
                self.registry.set_unit(name, position, source)
                return
            requested = None
        else:
            requested = value_of(self.registry[name], arguments[0])
        self.registry.set(name, requested, source)
        if self.registry.get(name) != requested:
            # Rounded, clamped or refused: the sender gets the real value.
            self._corrected.add(name)

    def _get(self, arguments: list[Argument], peer: Peer) -> None:
        names = [str(each) for each in arguments] or self.registry.names()
        for name in names:
            plain = name_from(name)[0] if name.startswith(ROOT) else name.replace("/", ".")
            if plain not in self.registry:
                raise SegueError(f"There is no parameter '{name[:60]}'; ask /segue/list.")
            self._reply(partial(self._answer, plain, peer))

    def _reply(self, send: Callable[[], None]) -> None:
        """Send an answer, some of many with a later tick: a client's buffer holds some hundred."""
        if len(self._replies) < MAX_REPLIES:
            self._replies.append(send)
        self._send_replies()

    def _send_replies(self) -> None:
        while self._replies and self._free:
            self._free -= 1
            self._replies.popleft()()

    def _answer(self, name: str, peer: Peer) -> None:
        if self.registry[name].kind != "trigger":
            self._send(peer, address_for(name), [self.registry.get(name)])
            self._send(peer, address_for(name, unit=True), [self.registry.get_unit(name)])

    def _list(self, arguments: list[Argument], peer: Peer) -> None:
        pattern = str(arguments[0]).replace("/", ".") if arguments else "*"
        names = [name for name in self.registry.names() if matches(name, pattern)]
        for name in names:
            each = self.registry[name]
            row: list[Argument] = [
                name,
                each.kind,
                address_for(name),
                float(each.low),
                float(each.high),
                each.unit,
                each.text(self.registry.get(name)),
                each.label,
            ]
            self._reply(partial(self._send, peer, "/segue/parameter", row))
        self._reply(partial(self._send, peer, "/segue/list/done", [len(names)]))

    def _subscribe(self, arguments: list[Argument], peer: Peer) -> None:
        target, rest = _port_of(arguments, peer)
        pattern = str(rest[0]).replace("/", ".") if rest else "*"
        self._subscribers.add(target, pattern)
        for name in self.registry.names():
            if matches(name, pattern):
                self._reply(partial(self._answer, name, target))

    def _unsubscribe_peer(self, arguments: list[Argument], peer: Peer) -> None:
        target, _ = _port_of(arguments, peer)
        self._subscribers.remove(target)

    def _ping(self, arguments: list[Argument], peer: Peer) -> None:
        self._send(peer, "/segue/pong", [])

    def _tell(self, peer: Peer, figures: Mapping[str, int]) -> None:
        for name, count in figures.items():
            self._send(peer, f"{ROOT}{name}", [count])

    def _tell_changed(self) -> None:
        figures = dict(self._figures())
        changed = {name: n for name, n in figures.items() if n != self._told.get(name)}
        self._told = figures
        for peer, _ in self._subscribers.all() if changed else ():
            self._tell(peer, changed)

    def _send_error(self, peer: Peer, sentence: str) -> None:
        now = self._now()
        if now >= self._next_error.get(peer, 0.0):
            if len(self._next_error) > 256:
                self._next_error.clear()
            self._next_error[peer] = now + 1.0 / MAX_ERRORS_PER_SECOND
            self._send(peer, "/segue/error", [sentence])

    def _send(self, peer: Peer, address: str, arguments: list[Argument]) -> None:
        if self._socket is None:
            return
        data = build(address, arguments)
        try:
            self._socket.sendto(data, peer)
        except OSError as error:  # it may be back later
            lost = Packet(time.monotonic(), peer, data, "unsent")
            lost.reason = f"not sent ({error.strerror})"
            self.sent.append(lost)
            return
        self.sent.append(Packet(time.monotonic(), peer, data, "sent"))

    # -- pushes --------------------------------------------------------------------------------
    def _on_change(self, change: Change) -> None:
        if self._subscribers and change.source != "availability":
            self._changed[change.name] = change.source

    def tick(self) -> None:
        """Apply what is due; send changed values to subscribers, except to their sender."""
        self.inbox.release(time.monotonic())
        self._free = REPLIES_AT_ONCE
        self._send_replies()
        self._tell_changed()
        if not self._changed and not self._corrected:
            return
        corrected, self._corrected = self._corrected, set()
        changed, self._changed = dict.fromkeys(corrected, "") | self._changed, {}
        for peer, pattern in self._subscribers.all():
            for name, source in changed.items():
                due = source != _source(peer) or name in corrected
                if due and matches(name, pattern):
                    self._answer(name, peer)


def _source(peer: Peer) -> str:
    return f"osc:{peer[0]}:{peer[1]}"


def _port_of(arguments: list[Argument], peer: Peer) -> tuple[Peer, list[Argument]]:
    """Peer to send to: a port of the sender's own machine, never of another."""
    if arguments and isinstance(arguments[0], int | float) and not isinstance(arguments[0], bool):
        port = int(arguments[0])
        if not 1 <= port <= 65535:
            raise SegueError(f"{port} is no port; give one from 1 to 65535.")
        return (peer[0], port), arguments[1:]
    return peer, arguments
