"""Tokens for SASL OAUTHBEARER: from an identity provider's token endpoint, or from a file that somebody keeps fresh.

A client asks for one with each connection. What goes wrong is a KafkaError, which clients wait out.
"""

import asyncio
import base64
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import httpx
import structlog
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError, KafkaError

from pulse.runtime import certificates

log = structlog.get_logger()
ANSWER_SECONDS = 3.0
RENEWED_AFTER = 0.8
"""The share of its lifetime after which a token is replaced; as with Kafka's own clients."""
REFUSALS = (400, 401, 403)
MOST_OF_A_REASON = 200
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


class TokenRefused(KafkaError):  # type: ignore[misc]  # aiokafka carries no types
    """There is no token, and there will be none until a setting or a secret changes."""

    retriable = False


class NoToken(KafkaConnectionError):  # type: ignore[misc]  # aiokafka carries no types
    """The token endpoint does not answer as it should."""


class _Provider(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka carries no types
    def __init__(self, extensions: Mapping[str, str]) -> None:
        self._extensions = dict(extensions)

    def extensions(self) -> dict[str, str]:
        """What some clusters want to be told beside the token."""
        return self._extensions


class FileTokens(_Provider):
    """The token is in a file, and read for each connection."""

    def __init__(self, file: Path, extensions: Mapping[str, str]) -> None:
        super().__init__(extensions)
        self._file = file

    async def token(self) -> str:
        """Raises TokenRefused."""
        try:
            text = await asyncio.to_thread(self._file.read_text, encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise TokenRefused(f"KAFKA_OAUTH_TOKEN_FILE: {self._file} cannot be read: {error}") from error
        if not _TOKEN.fullmatch(text.strip()):
            raise TokenRefused(f"KAFKA_OAUTH_TOKEN_FILE: {self._file} holds no token")
        return text.strip()


class EndpointTokens(_Provider):
    """The token comes from an OAuth 2 token endpoint, by the grant `client_credentials`.

    It is kept for four fifths of its lifetime; where the endpoint is away then, until it ends.
    """

    def __init__(
        self, url: str, client_id: str, client_secret: str, scope: str | None, extensions: Mapping[str, str]
    ) -> None:
        super().__init__(extensions)
        self._url = url
        self._client_id = client_id
        pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}".encode()
        self._headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}", "Accept": "application/json"}
        self._form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        self._trusted = httpx.create_ssl_context()  # takes a while, so not with each question
        self._lock = asyncio.Lock()
        self._token = ""
        self._renew_at = self._ends_at = float("-inf")

    async def token(self) -> str:
        """Raises TokenRefused, NoToken."""
        async with self._lock:
            if time.monotonic() >= self._renew_at:
                await self._renew()
            return self._token

    async def _renew(self) -> None:
        asked_at = time.monotonic()
        try:
            token, lifetime = _read(await self._answer())
        except (TokenRefused, NoToken) as error:
            if asked_at >= self._ends_at:
                raise
            log.warning("kafka_token_not_renewed", reason=str(error))
            return
        self._token = token
        self._renew_at = asked_at + RENEWED_AFTER * lifetime
        self._ends_at = asked_at + lifetime

    async def _answer(self) -> httpx.Response:
        try:
            async with asyncio.timeout(ANSWER_SECONDS), httpx.AsyncClient(verify=self._trusted) as client:
                answer = await client.post(self._url, data=self._form, headers=self._headers)
                stream = answer.extensions["network_stream"]
                certificates.met("kafka token endpoint", stream.get_extra_info("ssl_object"))
        except (httpx.HTTPError, TimeoutError) as error:
            raise NoToken(f"the token endpoint {self._url} does not answer: {error!r}") from error
        if answer.status_code in REFUSALS:
            raise TokenRefused(
                f"the token endpoint {self._url} refuses client {self._client_id}: "
                f"{answer.status_code} {_reason(answer)} (KAFKA_OAUTH_CLIENT_ID, KAFKA_OAUTH_CLIENT_SECRET)"
            )
        if not answer.is_success:
            raise NoToken(f"the token endpoint {self._url} answers {answer.status_code}")
        return answer


def _read(answer: httpx.Response) -> tuple[str, float]:
    """The token, and for how many seconds it is good; 0 where that is not said. Raises NoToken."""
    found = _json(answer)
    token, lifetime = found.get("access_token"), found.get("expires_in", 0)
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise NoToken(f"the token endpoint {answer.request.url} answers without an access_token")
    try:
        return token, max(0.0, float(lifetime))
    except (TypeError, ValueError):
        return token, 0.0


def _reason(answer: httpx.Response) -> str:
    """As RFC 6749, section 5.2, has it."""
    found = _json(answer)
    said = [str(found[name]) for name in ("error", "error_description") if name in found]
    return ": ".join(said)[:MOST_OF_A_REASON] or answer.reason_phrase


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
