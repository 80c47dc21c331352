"""Ports: free ones, and whether something listens on one."""

import random
import socket

HOST = "127.0.0.1"
UNCLAIMED = range(20_000, 32_000)
"""Below the ports that the kernel gives to outgoing connections, one of which might take a port before its server."""


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
