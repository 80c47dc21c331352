"""Asks a broker one question: would it accept this user?"""

import socket

from mqtt5 import ConnectPacket, DisconnectPacket

from local_stack.ports import HOST

CONNACK = 0x20


def connect_code(port: int, user: str, password: str, timeout: float = 2.0) -> int | None:
    """The reason code of the broker's CONNACK (0: accepted), or None when nothing answers within `timeout` seconds."""
    hello = ConnectPacket("", username=user, password=password.encode(), clean_start=True, keep_alive=10)
    try:
        with socket.create_connection((HOST, port), timeout) as connection:
            connection.sendall(hello.write())
            answer = connection.recv(1024)
            connection.sendall(DisconnectPacket().write())
    except OSError:
        return None
    return answer[3] if len(answer) > 3 and answer[0] == CONNACK else None
