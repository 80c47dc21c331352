"""How many requests a tenant and a token may make, and what callers are told of it."""

from pathlib import Path

import httpx
import pytest

from pulse.runtime import rate_limit
from pulse.runtime.app import create_app
from pulse.runtime.auth import Operator
from pulse.runtime.rate_limit import RateLimits, RateLimitSettings
from tests.rest import Caller, caller, token, verifier


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def limits(clock: Clock, *, tenant: float = 100, each: float = 2, seconds: float = 5) -> RateLimits:
    settings = RateLimitSettings(rate_limit_tenant=tenant, rate_limit_token=each, rate_limit_burst_seconds=seconds)
    return RateLimits(settings, clock)


def admitted(made: RateLimits, tenant: str, bearer: str, tries: int) -> int:
    return sum(made.admit(tenant, bearer).wait == 0 for _ in range(tries))


def test_a_token_has_its_burst_and_then_its_rate() -> None:
    clock = Clock()
    made = limits(clock)
    assert admitted(made, "acme", "t1", 50) == 10
    assert made.admit("acme", "t1").wait == 1
    clock.now += 3
    assert admitted(made, "acme", "t1", 50) == 6


def test_one_tokens_excess_leaves_the_others_alone_and_takes_nothing_from_the_tenant() -> None:
    made = limits(Clock(), tenant=4, each=2)
    assert admitted(made, "acme", "t1", 500) == 10
    assert admitted(made, "acme", "t2", 50) == 10
    assert admitted(made, "acme", "t3", 50) == 0
    assert admitted(made, "other", "t4", 50) == 10


def test_headers_say_the_policies_and_where_the_caller_stands() -> None:
    clock = Clock()
    made = limits(clock)
    headers = made.admit("acme", "t1").headers
    assert headers["ratelimit-policy"] == '"tenant";q=500;w=5, "token";q=10;w=5'
    assert headers["ratelimit"] == '"tenant";r=499;t=1, "token";r=9;t=1'
    admitted(made, "acme", "t1", 9)
    assert made.admit("acme", "t1").headers["ratelimit"] == '"tenant";r=490;t=1, "token";r=0;t=5'


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "REMEMBERED", 3)
    made = limits(Clock(), each=0.2)
    for bearer in ("a", "b", "c", "a", "d"):
        made.admit("acme", bearer)
    assert admitted(made, "acme", "a", 1) == 0
    assert admitted(made, "acme", "b", 1) == 1


@pytest.fixture
def api(tmp_path: Path) -> Caller:
    app = create_app("t", ready={})
    app.state.verifier = verifier(tmp_path)
    app.state.limits = limits(Clock(), each=1, seconds=2)

    @app.get("/thing")
    async def thing(who: Operator) -> str:
        return who.tenant

    return caller(app)


async def test_too_many_requests_are_refused_with_the_time_to_wait(api: Caller) -> None:
    for left in (1, 0):
        answer = await api.ask("GET", "/thing")
        assert answer.status_code == 200
        assert f'"token";r={left};' in answer.headers["ratelimit"]
    answer = await api.ask("GET", "/thing")
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["ratelimit-policy"] == '"tenant";q=200;w=2, "token";q=2;w=2'


async def test_a_refusal_for_another_reason_counts_too_and_one_without_a_tenant_does_not(api: Caller) -> None:
    viewer = Caller(api.client, token("viewer", sub="v"))
    answers = [await viewer.ask("GET", "/thing") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [403, 403, 429]
    assert "ratelimit" in answers[0].headers
    stranger = await httpx.AsyncClient.get(api.client, "/thing")
    assert (stranger.status_code, "ratelimit" in stranger.headers) == (401, False)
    assert "ratelimit" not in (await api.client.get("/healthz")).headers
