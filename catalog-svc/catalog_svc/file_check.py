"""Asks the address of a firmware file whether the file is there and how large it is; the file itself is not read."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpx

from catalog_svc.metrics import ASKED
from catalog_svc.networks import Ip, Network, NotAsked, Resolver
from pulse.contracts.addresses import AddressWarningCode as Code
from pulse.contracts.addresses import web_address

TOTAL_SECONDS = 3.0
"""For one address with all its redirects."""
WAIT_SECONDS = 2.0
AT_ONCE = 8
MOST_REDIRECTS = 3
MOST_ADDRESSES = 4
"""Of one name that are tried, one after another."""
_TIMES = httpx.Timeout(TOTAL_SECONDS, connect=1.0)
_SHOWN = 200
_REDIRECTS = (301, 302, 303, 307, 308)
_HEAD_REFUSED = (403, 405, 501)
"""403: links that are signed for GET refuse HEAD."""
_WHOLE = re.compile(r"bytes (?:\d+-\d+|\*)/(\d{1,15})")
_LENGTH = re.compile(r"\d{1,15}")
_HEADERS = {"user-agent": "pulse-ota", "accept": "*/*", "accept-encoding": "identity"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What an address answered. `reachable` None: it was not asked; `size_bytes`: of the file, as the address says."""

    reachable: bool | None
    status: int | None = None
    size_bytes: int | None = None
    code: Code | None = None
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of one HTTP answer."""

    status: int
    size_bytes: int | None
    location: str | None


class _Failed(Exception):
    """The question ends here, with this finding."""

    def __init__(self, code: Code, warning: str) -> None:
        super().__init__(warning)
        self.finding = Finding(reachable=None if code == "not_checked" else False, code=code, warning=warning)


class FileCheck:
    """Asks at most AT_ONCE addresses at a time. `networks` may be asked beside public ones; None: nobody is asked."""

    def __init__(self, networks: Sequence[Network] | None) -> None:
        self._resolver = None if networks is None else Resolver(networks)
        self._places = asyncio.Semaphore(AT_ONCE)
        self._tls = httpx.create_ssl_context()

    async def ask(self, url: str, size: int) -> Finding:
        """Whether a file of `size` bytes is at `url`. Takes TOTAL_SECONDS and WAIT_SECONDS at most."""
        try:
            finding = judged(await self._in_time(url), size)
        except _Failed as failed:
            finding = failed.finding
        ASKED.labels(finding.code or "found").inc()
        return finding

    async def _in_time(self, url: str) -> Answer:
        if self._resolver is None:
            raise _Failed("not_checked", "not checked: FILE_CHECK is off")
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise _Failed("not_checked", "not checked: too many addresses are being asked; ask again") from None
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                return await self._follow(self._resolver, url)
        except TimeoutError:
            raise _Failed("unreachable", f"no answer within {TOTAL_SECONDS:g} s") from None
        finally:
            self._places.release()

    async def _follow(self, resolver: Resolver, url: str) -> Answer:
        for _ in range(MOST_REDIRECTS + 1):
            answer = await self._at(resolver, _readable(url, "unreachable", "the address"))
            if answer.status not in _REDIRECTS or answer.location is None:
                return answer
            url = _readable(urljoin(url, answer.location), "bad_redirect", "the address that it redirects to")
        raise _Failed("bad_redirect", f"redirects more than {MOST_REDIRECTS} times")

    async def _at(self, resolver: Resolver, url: str) -> Answer:
        """The answer of the first address of the name that takes a connection; no name is looked up a second time."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or {"http": 80, "https": 443}[parts.scheme]
        try:
            found = await resolver.addresses(host, port)
        except NotAsked as refusal:
            raise _Failed("not_checked", f"not checked: {refusal}") from refusal
        except OSError as error:
            raise _Failed("unreachable", f"{host} has no address: {error.strerror or error}") from error
        problem: Exception = OSError("it has no address")
        for ip in found[:MOST_ADDRESSES]:
            try:
                return await self._ask(url, host, port, ip)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                problem = error
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise _Failed("unreachable", _words(host, error)) from error
        raise _Failed("unreachable", _words(host, problem)) from problem

    async def _ask(self, url: str, host: str, port: int, ip: Ip) -> Answer:
        """HEAD, or where that is refused or names no size the first byte. A client each time keeps no cookies."""
        parts = urlsplit(url)
        numeric = parts._replace(netloc=f"[{ip}]:{port}" if ip.version == 6 else f"{ip}:{port}").geturl()
        headers = _HEADERS | {"host": parts.netloc}
        async with httpx.AsyncClient(verify=self._tls, trust_env=False, timeout=_TIMES) as client:
            answer = await _head_of(client, "HEAD", numeric, headers, host)
            if answer.status in _HEAD_REFUSED or (answer.status == httpx.codes.OK and not answer.size_bytes):
                answer = await _head_of(client, "GET", numeric, headers | {"range": "bytes=0-0"}, host)
            return answer


async def _head_of(client: httpx.AsyncClient, method: str, url: str, headers: dict[str, str], host: str) -> Answer:
    """Hangs up before the body. TLS is checked for `host`, whatever the address in `url` is."""
    async with client.stream(method, url, headers=headers, extensions={"sni_hostname": host.rstrip(".")}) as answer:
        return Answer(answer.status_code, _size(answer), answer.headers.get("location"))


def _size(answer: httpx.Response) -> int | None:
    if answer.status_code == httpx.codes.PARTIAL_CONTENT:
        whole = _WHOLE.fullmatch(answer.headers.get("content-range", ""))
        return int(whole[1]) if whole else None
    length = answer.headers.get("content-length", "")
    plain = answer.headers.get("content-encoding", "identity") == "identity"
    return int(length) if plain and _LENGTH.fullmatch(length) else None


def _readable(url: str, code: Code, what: str) -> str:
    try:
        return web_address(url)
    except ValueError as error:
        raise _Failed(code, f"{what} {error}") from error


def _words(host: str, error: Exception) -> str:
    return f"{host} does not answer: {str(error) or type(error).__name__}"[:_SHOWN]


def judged(answer: Answer, size: int) -> Finding:
    """What an answer says of a file that should have `size` bytes."""
    status, found = answer.status, answer.size_bytes
    if status not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
        return Finding(reachable=False, status=status, code="bad_status", warning=f"it answers {status}, not the file")
    if found is None:
        warning = "it does not say how large the file is"
        return Finding(reachable=True, status=status, code="size_unknown", warning=warning)
    if found != size:
        warning = f"the file there has {found:,} bytes, not {size:,}"
        return Finding(reachable=True, status=status, size_bytes=found, code="size_mismatch", warning=warning)
    return Finding(reachable=True, status=status, size_bytes=found)
