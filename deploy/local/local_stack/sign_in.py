"""The local stack's sign-in: a token for the tenant and role that the console's page asks for, over a Unix socket."""

import json
import os
import socketserver
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx

from local_stack import tokens
from local_stack.errors import StackError

LARGEST_BODY = 4096
PATH = "/local/token"


class Door(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers at `socket`; only this machine's gateway can reach it."""

    daemon_threads = True

    def __init__(self, socket: Path, key_file: Path) -> None:
        socket.unlink(missing_ok=True)
        super().__init__(str(socket), Asked)
        socket.chmod(0o600)
        self.key_file = key_file


class Asked(BaseHTTPRequestHandler):
    """One request: `{"tenant": …, "role": …}` becomes `{"token": …}`."""

    server: Door
    timeout = 10

    def do_GET(self) -> None:
        self._answer(HTTPStatus.OK, {})

    def do_POST(self) -> None:
        # A page elsewhere could send a form here, but no JSON without this machine's consent.
        if self.headers.get_content_type() != "application/json":
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send application/json")
            return
        try:
            tenant, role = self._wishes()
            token = tokens.make(self.server.key_file, tenant, role, subject=f"local-{role}")
        except (ValueError, KeyError, TypeError):
            self._refuse(HTTPStatus.BAD_REQUEST, "send tenant and role, both text")
        except StackError as error:
            self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        else:
            self._answer(HTTPStatus.OK, {"token": token})

    def _wishes(self) -> tuple[str, str]:
        """Raises ValueError, KeyError or TypeError."""
        body = json.loads(self.rfile.read(min(int(self.headers["Content-Length"]), LARGEST_BODY)))
        tenant, role = body["tenant"], body["role"]
        if not isinstance(tenant, str) or not isinstance(role, str):
            raise TypeError("not text")
        return tenant, role

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        self._answer(status, {"status": status, "title": status.phrase, "detail": detail})

    def _answer(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def address_string(self) -> str:
        return "gateway"


async def answers(socket: Path) -> bool:
    """Whether the door at `socket` is open."""
    try:
        transport = httpx.AsyncHTTPTransport(uds=str(socket))
        async with httpx.AsyncClient(transport=transport, timeout=2.0) as client:
            return (await client.get(f"http://local{PATH}")).status_code == HTTPStatus.OK
    except httpx.HTTPError:
        return False


def main() -> None:
    with Door(Path(os.environ["SIGN_IN_SOCKET"]), Path(os.environ["AUTH_KEY_FILE"])) as door:
        door.serve_forever()


if __name__ == "__main__":
    main()
