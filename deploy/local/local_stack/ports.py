"""Ports: free ones from the kernel, and whether something listens on one."""

import socket

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different."""
    opened = [socket.create_server((HOST, 0)) for _ in range(count)]
    try:
        return [int(one.getsockname()[1]) for one in opened]
    finally:
        for one in opened:
            one.close()


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
