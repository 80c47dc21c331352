"""How a command reaches the supervisor: one line of JSON each way, over a Unix socket of the stack's folder."""

import asyncio
import hashlib
import json
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from local_stack.errors import StackError

LONGEST_SOCKET_PATH = 100
"""The kernel takes no more than 107 bytes; a deep checkout has its socket in the temporary folder."""

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


def socket_path(run_dir: Path, name: str = "control") -> Path:
    """Where the stack of `run_dir` has its socket `name`."""
    inside = run_dir / f"{name}.sock"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_PATH:
        return inside
    digest = hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"pulse-ota-{os.getuid()}-{digest}.sock"


@asynccontextmanager
async def listening(run_dir: Path, handle: Handler) -> AsyncIterator[None]:
    """Answers requests with `handle`; a StackError becomes the answer `{"error": …}`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(await reader.readline())
            answer = await handle(request)
        except StackError as error:
            answer = {"error": str(error)}
        except ValueError:
            answer = {"error": "not a request"}
        writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()

    path = socket_path(run_dir)
    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(serve, path)
    path.chmod(0o600)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


async def ask(run_dir: Path, request: dict[str, Any], timeout: float = 90.0) -> dict[str, Any]:
    """The supervisor's answer. Raises StackError when there is no supervisor, it refuses, or it does not answer."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_unix_connection(socket_path(run_dir))
            writer.write(json.dumps(request).encode() + b"\n")
            line = await reader.readline()
            writer.close()
    except (OSError, TimeoutError) as error:
        raise StackError("the stack does not answer; is it up? (`make up` starts it)") from error
    answer: dict[str, Any] = json.loads(line or b'{"error": "the stack is stopping"}')
    if "error" in answer:
        raise StackError(answer["error"])
    return answer
