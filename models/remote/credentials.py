"""Secrets of the server: token, seal and certificate, made at the first start and kept.

The certificate is made by the program `openssl`; Python has nothing that makes one.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.errors import SegueError

TOKEN_VARIABLE: Final = "SEGUE_TOKEN"
SEAL_VARIABLE: Final = "SEGUE_SEAL"
"""Secret with which the replicas of a cluster seal moments."""
MIN_TOKEN: Final = 16
CERTIFICATE_DAYS: Final = 3650


@dataclass(frozen=True)
class Certificate:
    """Files of a certificate and its key, in PEM, and its fingerprint."""

    certificate: Path
    key: Path
    fingerprint: str


def data_folder() -> Path:
    """Folder of the secrets and of the list of known servers."""
    from platformdirs import user_data_path

    return user_data_path("Segue", appauthor=False) / "remote"


def kept_secret(folder: Path, name: str) -> str:
    """A secret of a folder, which only its owner may read; made where there is none."""
    path = folder / name
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        pass
    made = secrets.token_urlsafe(24)
    write_private(path, made + "\n")
    return made


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read. SegueError where that is not possible."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        part.replace(path)
    except OSError as error:
        raise SegueError(
            f"{path.name} cannot be written to {path.parent} ({error.strerror}): make room there."
        ) from error


def server_token(folder: Path) -> str:
    """Token that clients must give: of the environment, or of the folder.

    Raises:
        SegueError: the one of the environment is short.

    """
    token = check_token(os.environ.get(TOKEN_VARIABLE, ""))
    return token or kept_secret(folder, "token")


def check_token(token: str) -> str:
    """The token. SegueError where it is one that is easily guessed, or does not travel."""
    if not token:
        return token
    if len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable():
        raise SegueError(f"{TOKEN_VARIABLE} must have {MIN_TOKEN} ASCII characters or more.")
    return token


def own_certificate(folder: Path, host: str) -> Certificate:
    """Certificate of a folder, made for a host where there is none."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if not (certificate.is_file() and key.is_file()):
        _make_certificate(certificate, key, host)
    return load_certificate(certificate, key)


def _make_certificate(certificate: Path, key: Path, host: str) -> None:
    program = shutil.which("openssl")
    if program is None:
        raise SegueError(
            "a certificate is made by the program openssl, which is not here: install it, or give "
            "--certificate FILE --key FILE."
        )
    write_private(key, "")  # so that nobody else may ever read it
    run = subprocess.run(
        [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-sha256", "-days", str(CERTIFICATE_DAYS), "-subj", "/CN=Segue",
         "-keyout", str(key), "-out", str(certificate)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if run.returncode != 0:
        key.unlink(missing_ok=True)
        reason = (run.stderr.strip().splitlines() or ["for no reason that it gave"])[-1]
        raise SegueError(f"openssl made no certificate for {host} ({reason}).")


def load_certificate(certificate: Path, key: Path) -> Certificate:
    """A certificate from its files. SegueError where they are none, or do not belong together."""
    try:
        server_context(certificate, key)
        pem = certificate.read_text(encoding="ascii")
        end = "-----END CERTIFICATE-----"
        der = ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN") : pem.index(end) + len(end)])
    except (OSError, ValueError) as error:
        raise SegueError(
            f"{certificate.name} and {key.name} are no certificate and its key ({error})."
        ) from error
    return Certificate(certificate, key, fingerprint(der))


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS of the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of a certificate (DER), in pairs of hex digits."""
    return hashlib.sha256(certificate).digest().hex(":").upper()
