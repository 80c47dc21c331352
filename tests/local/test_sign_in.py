"""The local stack's sign-in gives tokens to the console's page, and to nobody else's."""

from collections.abc import AsyncIterator
from pathlib import Path
from threading import Thread

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from local_stack import child, sign_in
from local_stack.files import secret
from local_stack.gateway import Gateway
from local_stack.ports import free_ports

WISH = {"tenant": "acme", "role": "operator"}


@pytest.fixture(scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """A gateway with a sign-in behind it."""
    folder = tmp_path_factory.mktemp("sign-in")
    key_file, socket = folder / "key", folder / "sign-in.sock"
    secret(key_file)
    [port] = free_ports(1)
    made = Gateway(folder / "gateway", folder / "files", port, (1,), (1,), socket)
    with sign_in.Door(socket, key_file) as served:
        thread = Thread(target=served.serve_forever)
        thread.start()
        process = await child.start(await made.prepare(), folder / "gateway.log")
        try:
            await process.until_ready()
            yield made
        finally:
            await process.stop()
            served.shutdown()
            thread.join()


@pytest.fixture
async def client(door: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=door.url, timeout=10, trust_env=False) as made:
        yield made


async def test_the_page_gets_a_token_for_the_tenant_and_role_it_asks_for(
    client: httpx.AsyncClient, door: Gateway
) -> None:
    answer = await client.post("/local/token", json=WISH)
    key = OctKey.import_key((door.sign_in.parent / "key").read_bytes())
    claims = jwt.decode(answer.json()["token"], key).claims
    assert (claims["tenant_id"], claims["roles"], claims["sub"]) == ("acme", ["operator"], "local-operator")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("wish", "status", "says"),
    [
        ({"tenant": "acme", "role": "king"}, 422, "no role king"),
        ({"tenant": "a/b", "role": "viewer"}, 422, "cannot be a tenant"),
        ({"tenant": "acme"}, 400, "send tenant and role"),
        ({"tenant": 7, "role": "viewer"}, 400, "send tenant and role"),
        ([], 400, "send tenant and role"),
    ],
)
async def test_a_wish_that_cannot_be_is_refused_with_the_reason(
    client: httpx.AsyncClient, wish: object, status: int, says: str
) -> None:
    answer = await client.post("/local/token", json=wish)
    assert (answer.status_code, says in answer.json()["detail"]) == (status, True)


async def test_a_form_of_another_page_gets_nothing(client: httpx.AsyncClient) -> None:
    answer = await client.post("/local/token", data=WISH)
    assert answer.status_code == 415


async def test_under_another_name_the_sign_in_is_not_there(client: httpx.AsyncClient) -> None:
    answer = await client.post("/local/token", json=WISH, headers={"Host": "evil.example"})
    assert answer.status_code == 404


async def test_it_is_ready_when_it_answers(door: Gateway, tmp_path: Path) -> None:
    assert await sign_in.answers(door.sign_in)
    assert not await sign_in.answers(tmp_path / "none.sock")
