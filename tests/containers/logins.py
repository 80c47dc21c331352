"""Whom the stack's parts let in: asked as a client that has this password, certificate or session."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mqtt5 import ConnectPacket, DisconnectPacket

from tests.containers.stack import Stack

SECONDS = 10
CONNACK, PING, PONG = 0x20, b"\xc0\x00", b"\xd0\x00"


def secret(stack: Stack, name: str) -> str:
    return (stack.deploy / "secrets" / name).read_text(encoding="utf-8")


def authority(stack: Stack) -> Path:
    """The file of the authorities by which the broker's certificate is checked."""
    return stack.deploy / "secrets" / "mqtt_ca.crt"


def database_takes(stack: Stack, role: str, password: str) -> bool:
    """Whether the database lets a role in with this password. Fails if it says anything but yes or no."""
    address = f"postgresql://{role}:{password}@postgres/iotcloud"
    said = stack.run("docker", "exec", "iot-postgres", "sh", "-c", f"psql '{address}' -tAc 'SELECT 1' 2>&1 || true")
    assert said.strip() == "1" or "password authentication failed" in said, said
    return said.strip() == "1"


@dataclass(frozen=True, slots=True)
class Welcome:
    """The broker's answer to a CONNECT."""

    code: int
    """0: accepted."""
    had_session: bool
    certificate: str
    """The serial number of the broker's."""


@contextmanager
def held(
    stack: Stack, user: str, password: str, *, client_id: str = "", trusted: Path | None = None
) -> Iterator[tuple[ssl.SSLSocket, Welcome]]:
    """A connection to the broker as a device makes it, from outside. Raises ssl.SSLCertVerificationError.

    The broker is checked by the authorities of `trusted`, or the stack's own. A session that there was goes with the
    connection.
    """
    tls = ssl.create_default_context(cafile=trusted or authority(stack))
    address = ("127.0.0.1", int(stack.environment["MQTT_PORT"]))
    hello = ConnectPacket(client_id, username=user, password=password.encode(), clean_start=False, keep_alive=60)
    with (
        socket.create_connection(address, SECONDS) as plain,
        tls.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        secured.sendall(hello.write())
        answer = secured.recv(1024)
        assert answer[0] == CONNACK
        yield secured, Welcome(answer[3], bool(answer[2] & 1), str((secured.getpeercert() or {})["serialNumber"]))
        if answer[3] == 0:
            secured.sendall(DisconnectPacket().write())


def welcome(stack: Stack, user: str, password: str, *, client_id: str = "", trusted: Path | None = None) -> Welcome:
    with held(stack, user, password, client_id=client_id, trusted=trusted) as (_, answer):
        return answer


def still_served(connection: ssl.SSLSocket) -> bool:
    """Whether the broker answers on a connection that was made before."""
    connection.sendall(PING)
    return connection.recv(2) == PONG
