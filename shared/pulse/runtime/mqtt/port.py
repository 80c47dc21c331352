"""What a service gives the MQTT client, and what it gets from it."""

import ssl
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import msgspec

T = TypeVar("T")
"""A service's own name for a publish, handed back with its answer."""

MOST_16 = 65535
"""The largest number in two bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttOptions:
    """How to connect. Times in seconds."""

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    clean_start: bool = True
    session_expiry: int = 0
    """How long the broker keeps the session once the connection is gone; 0–4,294,967,295 (for ever)."""
    keep_alive: int = 10
    """1–65,535; a broker that falls silent is noticed within 1.5 of it. A smaller one that the broker names counts."""
    window: int = 500
    """The most unanswered publishes, at least 1; or the broker's Receive Maximum, if that is less."""
    receive_max: int = 65535
    """1–65,535, announced and not enforced: Mosquitto before 2.0.13 exceeds it when a session is resumed."""
    connect_timeout: float = 5.0
    """For TCP, TLS and CONNACK together; also for the answer to a SUBSCRIBE or UNSUBSCRIBE."""

    def __post_init__(self) -> None:
        """Raises ValueError for a number outside its range."""
        if self.window < 1 or not 1 <= self.keep_alive <= MOST_16 or not 1 <= self.receive_max <= MOST_16:
            raise ValueError(f"window, keep_alive or receive_max out of range: {self}")


class Received(msgspec.Struct, frozen=True, gc=False):
    """An incoming PUBLISH. `packet_id` is None with QoS 0; `connection` grows with each connection."""

    topic: str
    payload: bytes
    qos: int
    packet_id: int | None
    duplicate: bool
    connection: int
    user_properties: tuple[tuple[str, str], ...]


class Handler(Protocol[T]):
    """Called on the event loop, in the order of the wire; must not block. What it raises ends `MqttClient.run`."""

    def connected(self, session_present: bool) -> None:
        """The broker accepted the connection; with `session_present` it still had the session."""

    def received(self, message: Received) -> None:
        """A message came in. With QoS 1 it is the broker's to repeat until it is acknowledged."""

    def answered(self, token: T, reason_code: int) -> None:
        """The broker's answer to a publish: 0 taken, 16 taken but nobody subscribes, 128 and above refused.

        Each token comes here once, or once in `lost`.
        """

    def lost(self, tokens: list[T]) -> None:
        """The connection that `connected` told of has gone; these publishes stayed without an answer."""

    def room(self) -> None:
        """`free` may have risen from 0."""
