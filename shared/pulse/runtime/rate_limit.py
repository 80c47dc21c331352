"""How many requests a tenant and a token may make: token buckets, each process for itself.

A service with three replicas so lets through up to three times the rate. Answers say where a caller stands in the
headers `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers), refusals also in `Retry-After`.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from math import ceil, floor
from typing import Annotated

from pydantic import Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pulse.runtime.bucket import Bucket
from pulse.runtime.settings import Seconds, ServiceSettings

REMEMBERED = 10_000
"""Callers; of more, the one that has been silent longest is forgotten, and may begin with a full burst again."""
PerSecond = Annotated[float, Field(ge=0.1, le=1_000_000)]


class RateLimitSettings(ServiceSettings):
    """Requests per second in each process; at once a caller may make as many as in `rate_limit_burst_seconds`."""

    rate_limit_tenant: PerSecond = 500.0
    rate_limit_token: PerSecond = 200.0
    rate_limit_burst_seconds: Seconds = 10.0


class Allowance:
    """One policy: `rate` requests per second, at most `seconds` of it at once, for each key."""

    def __init__(self, name: str, rate: float, seconds: float) -> None:
        self._name = name
        self._rate = rate
        self._burst = max(1.0, rate * seconds)
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    @property
    def policy(self) -> str:
        return f'"{self._name}";q={floor(self._burst)};w={ceil(self._burst / self._rate)}'

    def bucket(self, key: str, now: float) -> Bucket:
        """A new one is full."""
        bucket = self._buckets.get(key) or Bucket(self._rate, self._burst, empty_at=now - self._burst / self._rate)
        self._buckets[key] = bucket
        self._buckets.move_to_end(key)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return bucket

    def standing(self, bucket: Bucket, now: float) -> str:
        """What is left, and the seconds until all is there again."""
        return f'"{self._name}";r={floor(bucket.left(now))};t={ceil(max(0.0, bucket.full_at - now))}'


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether the request is admitted (`wait` is 0, else whole seconds), and what the answer's headers say."""

    wait: int
    headers: dict[str, str]


class RateLimits:
    """A request takes a token from its tenant's bucket and one from its bearer token's, or none."""

    def __init__(self, settings: RateLimitSettings, clock: Callable[[], float] = time.monotonic) -> None:
        seconds = settings.rate_limit_burst_seconds
        self._tenant = Allowance("tenant", settings.rate_limit_tenant, seconds)
        self._token = Allowance("token", settings.rate_limit_token, seconds)
        self._clock = clock

    def admit(self, tenant: str, token: str) -> Standing:
        """`token` is the bearer token; only its hash is remembered."""
        now = self._clock()
        of_tenant = self._tenant.bucket(tenant, now)
        of_token = self._token.bucket(sha256(token.encode()).hexdigest(), now)
        due = max(of_tenant.due, of_token.due)
        if due <= now:
            of_tenant.take(now)
            of_token.take(now)
        standing = (self._tenant.standing(of_tenant, now), self._token.standing(of_token, now))
        headers = {
            "ratelimit-policy": f"{self._tenant.policy}, {self._token.policy}",
            "ratelimit": ", ".join(standing),
        }
        return Standing(0 if due <= now else max(1, ceil(due - now)), headers)


class RateLimitHeaders:
    """Adds to every answer where its caller stands; plain ASGI."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_standing(message: Message) -> None:
            standing: Standing | None = scope.get("state", {}).get("standing")
            if message["type"] == "http.response.start" and standing is not None:
                headers = [(name.encode(), value.encode()) for name, value in standing.headers.items()]
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        await self.app(scope, receive, with_standing)
