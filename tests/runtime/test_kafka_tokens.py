"""Tokens for Kafka: fetched in time and once, whatever the endpoint does meanwhile."""

import asyncio
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaError
from structlog.testing import capture_logs

from pulse.runtime.kafka_tokens import EndpointTokens, FileTokens, NoToken, TokenRefused
from tests.runtime.token_endpoint import TokenEndpoint

OK = "200 OK"


def numbered(lifetime: Any) -> TokenEndpoint:
    """Its tokens are t1, t2, …"""
    numbers = count(1)
    return TokenEndpoint(lambda: (OK, {"access_token": f"t{next(numbers)}", "expires_in": lifetime}))


def tokens_of(
    endpoint: TokenEndpoint, *, secret: str = TokenEndpoint.secret, scope: str | None = None
) -> EndpointTokens:
    return EndpointTokens(endpoint.url, endpoint.client_id, secret, scope, {})


async def test_all_clients_of_a_process_ask_once_together() -> None:
    endpoint = numbered(60)
    async with endpoint.serving():
        tokens = tokens_of(endpoint, scope="kafka.write")
        assert await asyncio.gather(*(tokens.token() for _ in range(10))) == ["t1"] * 10
    assert endpoint.forms == [{"grant_type": ["client_credentials"], "scope": ["kafka.write"]}]


async def test_a_token_is_renewed_before_it_ends() -> None:
    endpoint = numbered(1)
    async with endpoint.serving():
        tokens = tokens_of(endpoint)
        seen = [await tokens.token()]
        await asyncio.sleep(0.5)
        seen.append(await tokens.token())
        await asyncio.sleep(0.4)
        seen.append(await tokens.token())
    assert seen == ["t1", "t1", "t2"]


async def test_a_token_without_a_lifetime_is_used_once() -> None:
    for lifetime in (None, "soon", -5):
        endpoint = numbered(lifetime)
        async with endpoint.serving():
            tokens = tokens_of(endpoint)
            assert [await tokens.token(), await tokens.token()] == ["t1", "t2"]


async def test_while_the_endpoint_is_away_a_token_is_used_to_its_end() -> None:
    endpoint = numbered(1.5)
    async with endpoint.serving():
        tokens = tokens_of(endpoint)
        await tokens.token()
    await asyncio.sleep(1.3)
    with capture_logs() as logs:
        assert await tokens.token() == "t1"
    assert [entry["event"] for entry in logs] == ["kafka_token_not_renewed"]
    await asyncio.sleep(0.3)
    with pytest.raises(NoToken, match="does not answer"):
        await tokens.token()
    async with endpoint.serving():
        assert await tokens.token() == "t2"


async def test_a_refused_client_is_said_with_the_settings_and_without_the_secret() -> None:
    endpoint = numbered(60)
    async with endpoint.serving():
        with pytest.raises(TokenRefused) as refused:
            await tokens_of(endpoint, secret="wr0ng").token()
    assert str(refused.value.args[0]) == (
        f"the token endpoint {endpoint.url} refuses client pulse svc: 401 invalid_client "
        "(KAFKA_OAUTH_CLIENT_ID, KAFKA_OAUTH_CLIENT_SECRET)"
    )


@pytest.mark.parametrize(
    "answer", [("503 Service Unavailable", {}), (OK, {}), (OK, []), (OK, {"access_token": "a\x01b"}), (OK, None)]
)
async def test_an_answer_without_a_token_is_an_outage(answer: tuple[str, Any]) -> None:
    endpoint = TokenEndpoint(lambda: answer)
    async with endpoint.serving():
        with pytest.raises(NoToken):
            await tokens_of(endpoint).token()


async def test_a_file_is_read_for_each_connection(tmp_path: Path) -> None:
    file = tmp_path / "token"
    tokens = FileTokens(file, {})
    for written in ("first", "second"):
        file.write_text(f"{written}\n")
        assert await tokens.token() == written


@pytest.mark.parametrize("content", [b"", b"two words", b"\xff", b"a\x01auth=x"])
async def test_a_file_without_a_token_is_a_refusal(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(TokenRefused, match="KAFKA_OAUTH_TOKEN_FILE: "):
        await FileTokens(tmp_path / "token", {}).token()


def test_what_goes_wrong_is_what_clients_of_kafka_wait_out() -> None:
    assert issubclass(TokenRefused, KafkaError)
    assert issubclass(NoToken, KafkaError)
