"""Brokers that misbehave as a test tells them to, packet by packet, on a real socket."""

import asyncio
import datetime as dt
import ipaddress
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Protocol, TypeVar

import mqtt5
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

P = TypeVar("P", bound=mqtt5.Packet)


class Writable(Protocol):
    def write(self) -> bytes: ...


class Peer:
    """The broker's side of one connection; `number` counts connections from 1."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer
        self._buffer = b""

    def send(self, *packets: Writable) -> None:
        self.writer.write(b"".join(packet.write() for packet in packets))

    async def packet(self) -> mqtt5.Packet:
        """The next packet. Raises EOFError when the client has closed."""
        while True:
            with suppress(IndexError):
                packet, length = mqtt5.read(memoryview(self._buffer))
                self._buffer = self._buffer[length:]
                return packet
            data = await self.reader.read(65536)
            if not data:
                raise EOFError
            self._buffer += data

    async def next(self, kind: type[P]) -> P:
        """The next packet of a kind; pings before it are answered, others passed over. Raises EOFError at the end."""
        while True:
            packet = await self.packet()
            if isinstance(packet, kind):
                return packet
            if isinstance(packet, mqtt5.PingReqPacket):
                self.send(mqtt5.PingRespPacket())
            has_left = isinstance(packet, mqtt5.DisconnectPacket)
            if has_left:
                raise EOFError

    async def accept(self, connack: mqtt5.ConnAckPacket | None = None) -> mqtt5.ConnectPacket:
        connect = await self.next(mqtt5.ConnectPacket)
        self.send(connack or mqtt5.ConnAckPacket())
        return connect

    async def closed(self) -> None:
        """Serves pings until the client leaves."""
        with suppress(EOFError):
            await self.next(mqtt5.ConnAckPacket)

    def reset(self) -> None:
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def broker(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serves each connection by the script, then closes it; gives the port. A script's failure fails the test."""
    peers: list[Peer] = []
    async with asyncio.TaskGroup() as group:

        async def serve(peer: Peer) -> None:
            try:
                with suppress(EOFError, ConnectionError):
                    await script(peer)
            finally:
                peer.writer.close()

        def came(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peers.append(Peer(len(peers) + 1, reader, writer))
            tasks.append(group.create_task(serve(peers[-1])))

        tasks: list[asyncio.Task[None]] = []
        server = await asyncio.start_server(came, "127.0.0.1", 0, ssl=tls)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            for peer in peers:
                peer.reset()


def server_tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context for 127.0.0.1 with a certificate made now, and a client's that trusts only that."""
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, None)
        .public_bytes(serialization.Encoding.PEM)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.NamedTemporaryFile() as file:
        file.write(private + certificate)
        file.flush()
        server.load_cert_chain(file.name)
    return server, ssl.create_default_context(cadata=certificate.decode())
