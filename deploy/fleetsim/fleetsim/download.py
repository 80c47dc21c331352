"""Fetch a file as a device does: streamed, at its own pace, its size and SHA-256 checked."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import httpx

_TIMEOUT = httpx.Timeout(10.0, pool=None)


class DownloadError(Exception):
    """The file is not here, or not the right one. `code` is the report's `error_code`."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file: `size` in bytes, `checksum` SHA-256 in hex; how long its transfer takes at least, in seconds, and each
    how many percent it is told of. `damaged`: it arrives changed.
    """

    url: str
    size: int
    checksum: str
    seconds: float = 0.0
    step_percent: int = 20
    damaged: bool = False


async def fetch(client: httpx.AsyncClient, wanted: Wanted, progress: Callable[[int], None]) -> None:
    """Read the whole file; `progress` hears of each step.

    Raises DownloadError: `download_failed` (not reachable, not 200, cut), `bad_size`, `bad_checksum`.
    """
    try:
        async with client.stream("GET", wanted.url, timeout=_TIMEOUT) as response:
            if response.status_code != httpx.codes.OK:
                raise DownloadError("download_failed", f"the server answered {response.status_code}")
            await _read(response, wanted, progress)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DownloadError("download_failed", f"{type(error).__name__}: {error}") from error


async def _read(response: httpx.Response, wanted: Wanted, progress: Callable[[int], None]) -> None:
    started = asyncio.get_running_loop().time()
    digest, have, told = hashlib.sha256(), 0, 0
    async for chunk in response.aiter_bytes(65_536):
        digest.update(chunk)
        have += len(chunk)
        if have > wanted.size:
            raise DownloadError("bad_size", f"more than the announced {wanted.size} bytes")
        await _keep_pace(started, wanted.seconds * have / wanted.size)
        percent = 100 * have // wanted.size
        if told + wanted.step_percent <= percent < 100:
            told = percent - percent % wanted.step_percent
            progress(told)
    if wanted.damaged:
        digest.update(b"damage")
    if have != wanted.size:
        raise DownloadError("bad_size", f"{have} bytes instead of {wanted.size}")
    if digest.hexdigest() != wanted.checksum.lower():
        raise DownloadError("bad_checksum", f"SHA-256 is {digest.hexdigest()}")


async def _keep_pace(started: float, due: float) -> None:
    late = asyncio.get_running_loop().time() - started - due
    if late < 0:
        await asyncio.sleep(-late)
