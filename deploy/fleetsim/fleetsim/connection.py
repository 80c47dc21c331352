"""Where the broker is, and who logs in."""

import ssl
from dataclasses import dataclass, field


class LinkLostError(Exception):
    """There is no connection to the broker: not made, refused, cut, or without an answer in time."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is; `timeout` in seconds for every answer of it, `keepalive` in seconds; `tls` None: without."""

    host: str
    port: int
    keepalive: int = 60
    timeout: float = 10.0
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """A user of the broker. Without a password none is sent, without a name the login is anonymous."""

    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """A device and how it logs in: its user name is `{tenant_id}/device/{device_id}`."""

    tenant_id: str
    device_id: str
    password: str = field(default="", repr=False)
    device_type: str = ""
    version: str = ""

    @property
    def user(self) -> str:
        return f"{self.tenant_id}/device/{self.device_id}"

    @property
    def login(self) -> Login:
        return Login(self.user, self.password or None)
