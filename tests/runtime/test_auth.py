"""Bearer tokens against an identity provider at the wire: whom they let in, and what is refused for which reason."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from joserfc import jws
from joserfc.jwk import RSAKey
from pydantic import ValidationError

from pulse.runtime import jwks
from pulse.runtime.app import create_app
from pulse.runtime.auth import AuthSettings, Verifier, Viewer
from tests.runtime.identity_provider import IdentityProvider, Key, claims, signed

ISSUER = "https://id.example.com"


@pytest.fixture
async def provider() -> AsyncIterator[IdentityProvider]:
    made = IdentityProvider()
    made.add("k1")
    async with made.serving():
        yield made


@pytest.fixture
async def http(provider: IdentityProvider) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app("t", ready={})
    app.state.verifier = Verifier(AuthSettings(auth_jwks_url=provider.url, auth_issuer=ISSUER))

    @app.get("/me")
    async def me(who: Viewer) -> list[str]:
        return [who.subject, who.tenant, *sorted(who.roles)]

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


async def ask(http: httpx.AsyncClient, token: str) -> tuple[int, str]:
    """Status, and whom the token lets in or why it does not."""
    answer = await http.get("/me", headers={"authorization": f"Bearer {token}"})
    return answer.status_code, str(answer.json() if answer.status_code == 200 else answer.json()["detail"])


def part(content: object) -> str:
    return urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def public_pem(key: Key) -> bytes:
    return key.as_pem(private=False)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_a_good_token_says_who_asks_for_whom_and_as_what(
    http: httpx.AsyncClient, provider: IdentityProvider, algorithm: str
) -> None:
    key = provider.add("k2", algorithm)
    token = signed(key, algorithm, roles=["viewer", "operator"], aud=["other", "pulse-ota"])
    assert await ask(http, token) == (200, "['ann', 'acme', 'operator', 'viewer']")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"aud": "another"}, "another audience"),
        ({"aud": None}, "another audience"),
        ({"iss": "https://evil.example.com"}, f"another issuer: its iss must be {ISSUER}"),
        ({"iss": f"{ISSUER}/"}, "another issuer"),
        ({"iss": [ISSUER]}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"exp": int(time.time()) - 60}, "expired"),
        ({"exp": None}, "expired"),
        *(
            ({claim: value}, f"{claim} must be a whole number of seconds")
            for claim in ("exp", "nbf", "iat")
            for value in ("tomorrow", "1796000000", True, time.time() + 60.5, 10**400, float("nan"), -1, [1])
        ),
        *(
            ({claim: value}, f"{claim} is more than ten years ahead; it is in seconds, not in milliseconds")
            for claim in ("exp", "nbf", "iat")
            for value in (int(time.time() * 1000), int(time.time()) + 11 * 366 * 86_400)
        ),
        ({"nbf": int(time.time()) + 3600}, "not valid yet"),
        ({"tenant_id": None}, "tenant_id"),
        ({"tenant_id": "a/b"}, "tenant_id"),
        ({"tenant_id": ["acme"]}, "tenant_id"),
        ({"sub": None}, "sub"),
        ({"roles": "admin"}, "roles"),
        ({"roles": [1]}, "roles"),
    ],
)
async def test_a_token_with_wrong_claims_is_refused_with_the_reason(
    http: httpx.AsyncClient, provider: IdentityProvider, wrong: dict[str, Any], reason: str
) -> None:
    status, detail = await ask(http, signed(provider.keys["k1"], **wrong))
    assert status == 401
    assert reason in detail


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 5_000 + b"]" * 5_000,
        json.dumps(claims(sub="\ud800")).encode(),
        json.dumps(claims(tenant_id="\ud800")).encode(),
    ],
    ids=["nested", "sub", "tenant"],
)
async def test_a_signed_token_that_nobody_could_use_is_refused(
    http: httpx.AsyncClient, provider: IdentityProvider, payload: bytes
) -> None:
    token = jws.serialize_compact({"alg": "RS256", "kid": "k1"}, payload, provider.keys["k1"], algorithms=["RS256"])
    assert (await ask(http, token))[0] == 401


async def test_a_token_without_a_signature_is_refused(http: httpx.AsyncClient, provider: IdentityProvider) -> None:
    signature = signed(provider.keys["k1"]).rpartition(".")[2]
    for end in ("", signature):
        for algorithm in ("none", "None", "NONE"):
            token = f"{part({'alg': algorithm, 'kid': 'k1'})}.{part(claims(roles=['admin']))}.{end}"
            assert (await ask(http, token))[0] == 401


async def test_the_public_key_is_no_secret_to_sign_with(http: httpx.AsyncClient, provider: IdentityProvider) -> None:
    for secret in (public_pem(provider.keys["k1"]), json.dumps(provider.keys["k1"].as_dict(private=False)).encode()):
        content = f"{part({'alg': 'HS256', 'kid': 'k1'})}.{part(claims(roles=['admin']))}"
        mac = urlsafe_b64encode(hmac.digest(secret, content.encode(), "sha256")).rstrip(b"=").decode()
        assert (await ask(http, f"{content}.{mac}"))[0] == 401


async def test_a_changed_token_and_one_signed_by_a_stranger_are_refused(
    http: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    head, content, signature = signed(provider.keys["k1"]).split(".")
    stranger = RSAKey.generate_key(2048, {"kid": "k1"})
    tokens = [
        f"{head}.{part(claims(tenant_id='other'))}.{signature}",
        signed(stranger),
        f"{head}.{content}.",
        "x",
        "a.b.c",
    ]
    for token in tokens:
        assert (await ask(http, token))[0] == 401


async def test_after_a_rotation_the_new_key_is_fetched_and_the_old_one_is_no_longer_good(
    http: httpx.AsyncClient, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = provider.keys["k1"]
    assert (await ask(http, signed(old)))[0] == 200
    monkeypatch.setattr(jwks, "COOLDOWN_SECONDS", 0.0)
    new = provider.add("k2")
    del provider.keys["k1"]
    assert (await ask(http, signed(new)))[0] == 200
    assert (await ask(http, signed(old))) == (401, "the token is signed by an unknown key")


async def test_unknown_keys_do_not_make_a_storm_of_requests(
    http: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    assert (await ask(http, signed(provider.keys["k1"])))[0] == 200
    for n in range(20):
        assert (await ask(http, signed(provider.keys["k1"], kid=f"no-{n}")))[0] == 401
    assert provider.requests == 1


async def test_known_keys_stay_good_while_the_provider_is_away_or_talks_nonsense(
    http: httpx.AsyncClient, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = signed(provider.keys["k1"])
    assert (await ask(http, token))[0] == 200
    monkeypatch.setattr(jwks, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(jwks, "COOLDOWN_SECONDS", 0.0)
    for nonsense in (b"not json", b"[]", b'{"keys": 7}', b'{"keys": [{"kty": "RSA"}]}', b"{}"):
        provider.answer = nonsense
        assert (await ask(http, token))[0] == 200, nonsense
    assert provider.requests == 6


async def test_with_no_key_known_the_answer_is_503_until_the_provider_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "RETRY_SECONDS", 0.0)
    provider = IdentityProvider()
    key = provider.add("k1")
    async with provider.serving():
        pass  # now its port is known, and nobody listens on it
    app = create_app("t", ready={})
    app.state.verifier = Verifier(AuthSettings(auth_jwks_url=provider.url, auth_issuer=ISSUER))

    @app.get("/me")
    async def me(who: Viewer) -> str:
        return who.subject

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await ask(client, signed(key)))[0] == 503
        async with provider.serving():
            assert await ask(client, signed(key)) == (200, "ann")


def test_an_identity_provider_s_keys_alone_do_not_start_a_service() -> None:
    with pytest.raises(ValidationError, match="set AUTH_ISSUER to the `iss` of your identity provider's tokens"):
        AuthSettings(auth_jwks_url="https://id.example.com/jwks")


def test_a_key_of_one_s_own_without_an_issuer_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"x" * 32)
    with structlog.testing.capture_logs() as said:
        Verifier(AuthSettings(auth_key_file=tmp_path / "key", auth_issuer="us"))
        assert said == []
        Verifier(AuthSettings(auth_key_file=tmp_path / "key"))
    assert [(line["log_level"], line["event"]) for line in said] == [("warning", "tokens_of_every_issuer_are_taken")]


async def test_a_missing_header_and_another_scheme_are_401_and_say_what_is_needed(http: httpx.AsyncClient) -> None:
    for headers in ({}, {"authorization": "Basic YTpi"}, {"authorization": "Bearer"}):
        answer = await http.get("/me", headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
