"""TLS as a client: whom it trusts and what it shows, from files in PEM that are read again when they have changed."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeAlias

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pulse.runtime import certificates

log = structlog.get_logger()
Stamp: TypeAlias = tuple[tuple[int, int, int], ...]
CLOSED = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
ALERT = "ALERT_"
WRONG_CERTIFICATE = ("CERTIFICATE", "UNKNOWN_CA", "HANDSHAKE_FAILURE", "ACCESS_DENIED", "DECRYPT_ERROR")
"""What the alerts have in their names by which a server refuses a client for its certificate, or for having none."""
NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")
"""What OpenSSL calls bytes that are no TLS."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files of a client, and what their settings begin with (`KAFKA`, `MQTT`).

    Without `authorities` those of the system are trusted. `certificate` and `key` are given together or not at all.
    `alpn` is the protocol to be asked for in the handshake.
    """

    setting: str
    whose: str
    """Whose certificate the authorities sign, for the metrics."""
    authorities: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    alpn: str | None = None

    def wrong(self) -> Iterator[str]:
        """What is wrong with certificate and key, each naming its setting."""
        if (self.certificate is None) != (self.key is None):
            yield f"{self.setting}_CERT_FILE and {self.setting}_KEY_FILE belong together, one of them is missing"
        if self.certificate is None or self.key is None:
            return
        try:
            shown = _certificate(f"{self.setting}_CERT_FILE", self.certificate)
            key = _key(f"{self.setting}_KEY_FILE", self.key)
        except ValueError as error:
            yield str(error)
            return
        if key.public_key() != shown.public_key():
            yield f"{self.setting}_KEY_FILE: {self.key} does not fit the certificate in {self.setting}_CERT_FILE"

    def context(self) -> ssl.SSLContext:
        """As the files are now; notes when their certificates end. Raises OSError, ssl.SSLError, ValueError."""
        context = ssl.create_default_context(cafile=self.authorities)
        if self.alpn is not None:
            context.set_alpn_protocols([self.alpn])
        if self.authorities is not None:
            certificates.trusted(self.whose, context)
        if self.certificate is not None and self.key is not None:
            shown = _certificate(f"{self.setting}_CERT_FILE", self.certificate)
            context.load_cert_chain(self.certificate, self.key, password=_no_passphrase)
            certificates.own(self.whose, shown.not_valid_after_utc)
        return context

    def stamp(self) -> Stamp:
        """Another one when a file has been replaced or written. Raises OSError."""
        files = [file for file in (self.authorities, self.certificate, self.key) if file is not None]
        return tuple((found.st_mtime_ns, found.st_ino, found.st_size) for found in (file.stat() for file in files))


class RenewedContext(ssl.SSLContext):
    """A client's context whose files may be replaced while the process runs: the next connection has the new ones.

    Files that cannot be used at that moment (half of a pair is there) are logged, and the last good ones kept.
    """

    def __new__(cls, files: TlsFiles) -> Self:  # noqa: ARG004  the signature is __init__'s
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, files: TlsFiles) -> None:
        """Raises OSError, ssl.SSLError, ValueError."""
        self._files = files
        self._seen = files.stamp()
        self._good = files.context()

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        """What an event loop calls for each connection."""
        return self._now().wrap_bio(*args, **options)

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
        """What clients with threads call for each connection."""
        return self._now().wrap_socket(*args, **options)

    def _now(self) -> ssl.SSLContext:
        try:
            stamp = self._files.stamp()
            if stamp != self._seen:
                self._good = self._files.context()
                self._seen = stamp
                log.info("tls_files_read_again", whose=self._files.whose)
        except (OSError, ValueError) as error:  # an ssl.SSLError is an OSError
            log.warning("tls_files_unusable", whose=self._files.whose, error=str(error))
        return self._good


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a server cannot be used. `is_refusal`: it will not change unless somebody changes a setting or a secret."""

    text: str
    is_refusal: bool = True


def explained(error: BaseException, setting: str) -> Trouble | None:
    """What a failure says of certificates and of TLS as such; None where it says nothing. `setting`: as in TlsFiles."""
    for each in _with_causes(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return Trouble(f"its certificate is not trusted: {each.verify_message} ({setting}_CA_FILE)")
        reason = getattr(each, "reason", None) if isinstance(each, ssl.SSLError) else None
        if isinstance(reason, str) and (found := _of_alert(reason, setting)):
            return found
    if isinstance(error, CLOSED):
        return Trouble("it closed the connection during the TLS handshake: does it speak TLS at this port?", False)
    return None


def _of_alert(reason: str, setting: str) -> Trouble | None:
    if reason in NO_TLS:
        return Trouble("it does not speak TLS at this port")
    alert = reason.partition(ALERT)[2]
    if "CERTIFICATE_REQUIRED" in alert:
        return Trouble(f"it asks for a client certificate ({setting}_CERT_FILE, {setting}_KEY_FILE)")
    if alert and any(word in alert for word in WRONG_CERTIFICATE):
        said = alert.replace("_", " ").lower()
        return Trouble(f"it refuses the client certificate, or that there is none: {said} ({setting}_CERT_FILE)")
    return None


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _certificate(setting: str, file: Path) -> x509.Certificate:
    """The first in the file, which must be good now. Raises ValueError, which names the setting."""
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())[0]
    except (OSError, ValueError) as error:
        raise ValueError(f"{setting}: {file} holds no certificate that can be read: {error}") from error
    now = datetime.now(UTC)
    ends = found.not_valid_after_utc
    if ends < now:
        raise ValueError(f"{setting}: the certificate in {file} ended at {ends:%Y-%m-%d %H:%M} UTC")
    return found


def _key(setting: str, file: Path) -> Any:
    """Raises ValueError, which names the setting and repeats nothing of the key."""
    try:
        return load_pem_private_key(file.read_bytes(), None)
    except OSError as error:
        raise ValueError(f"{setting}: {file} cannot be read: {error}") from error
    except TypeError as error:
        raise ValueError(f"{setting}: the key in {file} is encrypted; it must have no passphrase") from error
    except ValueError as error:
        raise ValueError(f"{setting}: {file} holds no private key that can be read") from error


def _no_passphrase() -> str:
    """Else OpenSSL would ask at the terminal."""
    raise ValueError("the key is encrypted; it must have no passphrase")
