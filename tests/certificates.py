"""A certificate authority for tests: certificates for 127.0.0.1 and for clients, made now, as files in PEM."""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOUR = dt.timedelta(hours=1)
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, in a file each."""

    certificate: Path
    key: Path

    @property
    def both(self) -> str:
        """Key and certificate, as Kafka wants them in one file."""
        return self.key.read_text() + self.certificate.read_text()

    def replace(self, other: "Pair") -> None:
        """The other's content at this one's place."""
        for file, new in ((self.certificate, other.certificate), (self.key, other.key)):
            fresh = file.with_suffix(".fresh")
            fresh.write_bytes(new.read_bytes())
            fresh.rename(file)


class Authority:
    """Its own certificate is in `file`; what it signs goes to files in the same folder."""

    def __init__(self, folder: Path, name: str = "tests") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(f"authority of {name}")
        made = _builder(self._name, self._name, self._key.public_key(), HOUR)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.file = folder / f"ca-{next(_numbers)}.crt"
        self.file.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def server(self, *, host: str = "127.0.0.1") -> Pair:
        """For a server at `host`, an address."""
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
        return self._signed(_named("server"), ExtendedKeyUsageOID.SERVER_AUTH, HOUR, names)

    def client(self, name: str, *, ends_in: dt.timedelta = HOUR, passphrase: str = "") -> Pair:
        """For a client with this common name; `passphrase` encrypts its key."""
        return self._signed(_named(name), ExtendedKeyUsageOID.CLIENT_AUTH, ends_in, None, passphrase)

    def _signed(
        self,
        subject: x509.Name,
        usage: x509.ObjectIdentifier,
        ends_in: dt.timedelta,
        names: x509.SubjectAlternativeName | None,
        passphrase: str = "",
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        made = _builder(subject, self._name, key.public_key(), ends_in)
        made = made.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names is not None:
            made = made.add_extension(names, critical=False)
        place = self._folder / f"pair-{next(_numbers)}"
        pair = Pair(place.with_suffix(".crt"), place.with_suffix(".key"))
        pair.certificate.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        sealed = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed))
        return pair


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, ends_in: dt.timedelta
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=2))
        .not_valid_after(now + ends_in)
    )
