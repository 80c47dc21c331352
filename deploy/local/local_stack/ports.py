"""Ports: free ones, and whether something listens on one."""

import random
import socket

HOST = "127.0.0.1"
UNCLAIMED = range(20_000, 32_000)
"""Below the ports that the kernel gives to outgoing connections, one of which might take a port before its server."""

# fmt: off
BAD_PORTS = frozenset((
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
    110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531,
    532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060,
    5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
))
# fmt: on
"""Ports that browsers do not open, whatever listens there: the Fetch standard's "bad ports"."""


def browsers_refuse(port: int) -> bool:
    """Whether no browser opens an address with this port."""
    return port in BAD_PORTS


def next_for_browsers(port: int) -> int:
    """The first port after this one that browsers open."""
    return next(other for other in range(port + 1, 65_536) if not browsers_refuse(other))


def free_ports(count: int) -> list[int]:
    """Ports that are free now, all different, drawn at random so that two runs side by side hardly meet."""
    found: list[int] = []
    while len(found) < count:
        port = random.choice(UNCLAIMED)
        if port not in found and is_free(port):
            found.append(port)
    return found


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback address now."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


def listens(port: int) -> bool:
    """Whether something accepts connections on this port of the loopback address."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0
