"""`python main.py models`: engines and their weights. Only `fetch` uses the network."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from app.cli.learned.sounds import list_sounds
from app.cli.rendering import progress
from models.command import PROGRAM_NAME
from models.errors import SegueError
from models.magenta_rt2.checkpoint import files as magenta
from models.magenta_rt2.checkpoint import published
from models.registry import ELSEWHERE, engine_names, engine_summary
from models.remote.client.known import forget as forget_server
from models.remote.client.known import known_servers
from models.remote.discovery import find_servers
from models.storage.weights import WEIGHTS, WeightsFile, fault_of, files_of


def list_engines(chosen: Namespace) -> int:
    """One line for each engine: name, weights, what it is; then the servers that are known, and
    the learned sounds.
    """
    names = engine_names()
    width = max(len(name) for name in names)
    for name in names:
        print(f"{name:<{width}}  {_state(name):<20}  {engine_summary(name)}")
    for server in known_servers():
        print(f"{server.name:<{width}}  on another machine")
    list_sounds()
    return 0


def find(chosen: Namespace) -> int:
    """Look for servers on the network, which is done only here."""
    found = find_servers()
    for address in found:
        print(address)
    if not found:
        print("no server is announced here: is `serve --announce` running on the same network?")
    return 0


def forget(chosen: Namespace) -> int:
    """Forget a server that was connected to."""
    forget_server(chosen.name)
    print(f"{chosen.name} is forgotten")
    return 0


def _state(name: str) -> str:
    """State of the weights, by their sizes; `verify` reads them."""
    if name in magenta.ENGINES:
        if not magenta.folder_of(name).exists():
            return "to be fetched"
        if not magenta.is_installed(name):
            return "weights damaged"
        return f"weights here, {sum(file.size for file in magenta.installed(name)) / 1e6:.0f} MB"
    if name in ELSEWHERE:
        return "needs a key"
    files = files_of(name)
    if not files:
        return "needs no weights"
    if any(not (WEIGHTS / file.name).is_file() for file in files):
        return "weights missing"
    if any((WEIGHTS / file.name).stat().st_size != file.size for file in files):
        return "weights damaged"
    return f"weights here, {sum(file.size for file in files) / 1e6:.0f} MB"


def fetch(chosen: Namespace) -> int:
    """Fetch an engine's weights once; those of the embedded engine come with Segue."""
    if chosen.name in magenta.ENGINES:
        return _fetch_magenta(chosen)
    if chosen.folder is not None:
        raise SegueError(f"{chosen.name} takes no folder: its weights come with Segue.")
    engine_summary(chosen.name)  # says so if there is no such engine
    files = files_of(chosen.name)
    missing = [file.name for file in files if not (WEIGHTS / file.name).is_file()]
    if missing:
        raise SegueError(
            f"{missing[0]} of {chosen.name} comes with Segue and cannot be fetched alone: "
            "get Segue's folder again."
        )
    print(f"{chosen.name}: its weights come with Segue, there is nothing to fetch")
    return 0


def verify(chosen: Namespace) -> int:
    """Compare every file of an engine with its checksum."""
    if chosen.name in magenta.ENGINES:
        return _verify_magenta(chosen.name)
    engine_summary(chosen.name)
    files = files_of(chosen.name)
    if not files:
        print(f"{chosen.name}: needs no weights")
        return 0
    faults: list[tuple[WeightsFile, str]] = []
    with progress(sum(file.size for file in files) / 1e6, "MB", chosen.name) as bar:
        for file in files:
            fault = fault_of(file, step=lambda count: bar.update(count / 1e6))
            if fault is not None:
                faults.append((file, fault))
            bar.write(f"{fault or 'whole':<10}  {file.sha256[:16]}  {file.name}")
    if faults:
        file, fault = faults[0]
        raise SegueError(f"{file.name} is {fault}: put the file from Segue's download back.")
    return 0


def _fetch_magenta(chosen: Namespace) -> int:
    """Fetch Magenta RealTime 2, or take it from a folder, once its terms are accepted."""
    from models.magenta_rt2.checkpoint import fetch
    from models.magenta_rt2.checkpoint import licence_terms as terms

    if not terms.accepted():
        print(terms.TEXT)
        if not chosen.accept:
            _ask()
        terms.accept()
    revision = chosen.revision or published.REVISION
    if chosen.folder is not None:
        place = fetch.install_from_folder(chosen.name, Path(chosen.folder), print, revision)
    else:
        place = fetch.fetch(chosen.name, print, _bar(), revision)
    print(f"{chosen.name} is in {place}")
    return 0


def _ask() -> None:
    """Ask for the word that accepts the terms; SegueError for another one, or no keyboard."""
    if not sys.stdin.isatty():
        raise SegueError("nobody is there to accept these terms: give --accept if you do.")
    if input("Accept these terms? yes or no: ").strip().lower() not in ("yes", "y"):
        raise SegueError("the terms were not accepted, so nothing was fetched.")


def _bar() -> type:
    """A progress bar for the transfer of one file; nothing where there is no terminal."""
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[type-arg, misc]
        def __init__(self, *words: object, **settings: object) -> None:
            settings.update(disable=None, leave=False, file=sys.stderr)
            settings.pop("name", None)
            super().__init__(*words, **settings)

    return Bar


def _verify_magenta(name: str) -> int:
    """Compare the fetched files with the checksums remembered and published. No network."""
    listed = magenta.installed(name)
    folder = magenta.folder_of(name)
    pinned = magenta.origin(name).endswith(f"@{published.REVISION}")
    faults: list[str] = []
    others: list[str] = []
    with progress(sum(file.size for file in listed) / 1e6, "MB", name) as bar:
        for file in listed:
            fault = fault_of(file, folder, step=lambda count: bar.update(count / 1e6))
            other = published.fault_of_file(file.name, file.size, file.sha256)
            if fault:
                faults.append(f"{file.name} is {fault}")
            elif other is not None:
                (faults if pinned else others).append(f"{file.name} {other}")
            bar.write(f"{fault or 'whole':<10}  {file.sha256[:16]}  {file.name}")
    if faults:
        raise SegueError(f"{faults[0]}: run {PROGRAM_NAME} models fetch {name}, which repairs it.")
    if others:
        print(f"{name}: from {magenta.origin(name)}, which is another revision: {others[0]}")
    return 0
