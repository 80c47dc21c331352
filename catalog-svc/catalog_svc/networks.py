"""Which addresses on the network may be asked for a file: public ones, and those that the installation names."""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

Ip: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
_NAT64 = IPv6Network("64:ff9b::/96")
_RESOLVERS = 4
"""Threads of their own: a name server that hangs holds up no other look-up of this process."""


def _networks(text: object) -> object:
    return tuple(ip_network(part.strip()) for part in text.split(",")) if isinstance(text, str) else text


Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)]
"""A setting: networks with commas between, such as `10.20.0.0/16,fd00::/8`."""


class NotAsked(Exception):
    """The address must not be asked; the words say why, and nothing of the network."""


def may_ask(ip: Ip, allowed: Sequence[Network]) -> bool:
    """Whether `ip` is public (not private, loopback, link-local, multicast or reserved), or in an `allowed` network."""
    plain = _carried(ip)
    if any(plain in network for network in allowed if network.version == plain.version):
        return True
    site_local = isinstance(plain, IPv6Address) and plain.is_site_local
    return plain.is_global and not (plain.is_multicast or plain.is_reserved or site_local)


def _carried(ip: Ip) -> Ip:
    """The IPv4 address that an IPv6 address stands for; any other as it is."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


class Resolver:
    """Names become addresses that may be asked; `allowed` beside the public ones."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed
        self._threads = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="resolve")

    async def addresses(self, host: str, port: int) -> list[Ip]:
        """All addresses of `host`. Raises NotAsked where one of them must not be asked, OSError for no address."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _look_up, host, port)
        if not all(may_ask(ip, self._allowed) for ip in found):
            raise NotAsked(f"{host} is in a network that is not asked; FILE_CHECK_NETWORKS names those that are")
        return found


def _look_up(host: str, port: int) -> list[Ip]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label that is too long for DNS
        raise OSError(f"{host} is no name") from error
    return list(dict.fromkeys(ip_address(address[0]) for *_, address in found))
