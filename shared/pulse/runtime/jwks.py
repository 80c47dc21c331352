"""An identity provider's public keys, fetched when needed and kept while it is away."""

import asyncio
import time

import httpx
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from pulse.runtime import certificates
from pulse.runtime.errors import Unauthenticated, Unavailable

log = structlog.get_logger()
FRESH_SECONDS = 300.0
COOLDOWN_SECONDS = 10.0
RETRY_SECONDS = 1.0
"""The pause between two questions while no key is known."""


class Jwks:
    """Keys by their id: fetched again after five minutes, and for an unknown id at most every ten seconds.

    When the provider does not answer, the keys that are known stay good; with none known: Unavailable.
    """

    def __init__(self, url: str, algorithms: tuple[str, ...]) -> None:
        self.algorithms = algorithms
        self._url = url
        self._keys: KeySet | None = None
        self._fetched = self._asked = float("-inf")
        self._lock = asyncio.Lock()

    async def for_token(self, token: str) -> KeySet:
        """Raises Unauthenticated for a token without a readable header or of an unknown key."""
        try:
            kid = extract_compact(token.encode()).headers().get("kid")
        except (JoseError, ValueError, TypeError) as error:
            raise Unauthenticated("the token cannot be read") from error
        async with self._lock:
            now = time.monotonic()
            stale = now - self._fetched > FRESH_SECONDS or not self._knows(kid)
            if stale and now - self._asked > (COOLDOWN_SECONDS if self._keys else RETRY_SECONDS):
                self._asked = now
                await self._fetch()
        if self._keys is None:
            raise Unavailable("the identity provider's keys cannot be had; try again")
        if not self._knows(kid):
            raise Unauthenticated("the token is signed by an unknown key")
        return self._keys

    def _knows(self, kid: object) -> bool:
        return self._keys is not None and (kid is None or any(key.kid == kid for key in self._keys.keys))

    async def _fetch(self) -> None:
        try:
            async with httpx.AsyncClient(timeout=3) as client:
                answer = await client.get(self._url)
                certificates.met("identity provider", answer.extensions["network_stream"].get_extra_info("ssl_object"))
            answer.raise_for_status()
            self._keys = KeySet.import_key_set(answer.json())
            self._fetched = time.monotonic()
        except (httpx.HTTPError, JoseError, ValueError, TypeError, KeyError) as error:
            log.warning("jwks_unreachable", url=self._url, error=repr(error))
