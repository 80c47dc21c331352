"""A download is right to the last byte, or it says what is wrong."""

import hashlib
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from fleetsim.download import DownloadError, Wanted, fetch
from tests.fleetsim.http_files import file, serving

BODY = bytes(range(256)) * 1200
CHECKSUM = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as made:
        yield made


async def test_whole_file_is_fetched_with_progress(client: httpx.AsyncClient) -> None:
    heard: list[int] = []
    async with serving({"/fw": file(BODY)}) as url:
        await fetch(client, Wanted(f"{url}/fw", len(BODY), CHECKSUM.upper()), heard.append)
    assert heard == sorted(set(heard))
    assert heard
    assert all(0 < percent < 100 and percent % 20 == 0 for percent in heard)


async def test_download_keeps_its_pace(client: httpx.AsyncClient) -> None:
    started = time.monotonic()
    async with serving({"/fw": file(BODY)}) as url:
        await fetch(client, Wanted(f"{url}/fw", len(BODY), CHECKSUM, seconds=0.4), lambda _: None)
    assert 0.4 <= time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("answer", "code", "text"),
    [
        (file(BODY[::-1]), "bad_checksum", "SHA-256"),
        (file(BODY[:-1]), "bad_size", f"{len(BODY) - 1} bytes"),
        (file(BODY + b"!"), "bad_size", "more than"),
        (file(BODY[:-1], length=len(BODY)), "download_failed", "without sending complete"),
        (file(b"", status="404 Not Found"), "download_failed", "404"),
        (file(b"", status="503 Service Unavailable"), "download_failed", "503"),
        (b"no http at all\r\n\r\n", "download_failed", "Protocol"),
    ],
    ids=["other bytes", "short file", "long file", "cut", "404", "503", "no HTTP"],
)
async def test_wrong_file_is_told_apart(client: httpx.AsyncClient, answer: bytes, code: str, text: str) -> None:
    async with serving({"/fw": answer}) as url:
        with pytest.raises(DownloadError, match=text) as refused:
            await fetch(client, Wanted(f"{url}/fw", len(BODY), CHECKSUM), lambda _: None)
    assert refused.value.code == code


async def test_dead_server_is_a_failed_download(client: httpx.AsyncClient) -> None:
    async with serving({}) as url:
        pass
    with pytest.raises(DownloadError, match="ConnectError") as refused:
        await fetch(client, Wanted(f"{url}/fw", len(BODY), CHECKSUM), lambda _: None)
    assert refused.value.code == "download_failed"


async def test_url_that_is_none_is_a_failed_download(client: httpx.AsyncClient) -> None:
    with pytest.raises(DownloadError):
        await fetch(client, Wanted("not a url", len(BODY), CHECKSUM), lambda _: None)
