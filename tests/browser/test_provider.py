"""Signing in to the console with a real identity provider, which the services trust by its published keys."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import campaign_svc.main
import catalog_svc.main
from campaign_svc.announce import Announcer
from local_stack import child, console
from local_stack.gateway import Gateway
from local_stack.http_probe import answers
from local_stack.ports import HOST, free_ports
from pulse.runtime import db, kafka
from pulse.runtime.auth import AuthSettings, Verifier
from pulse.runtime.kafka_cluster import Cluster
from tests.api.world import served
from tests.browser.conftest import Play
from tests.real_parts import Database, Topics

pytestmark = pytest.mark.timeout(300)


@asynccontextmanager
async def provider(node: console.Node, folder: Path, console_url: str) -> AsyncIterator[str]:
    """The issuer's address."""
    [port] = free_ports(1)
    issuer = f"http://{HOST}:{port}"
    command = (str(node.folder / "node"), str(console.FRONTEND / "e2e" / "provider.mjs"))
    environment = {"ISSUER": issuer, "PORT": str(port), "CONSOLE_URL": console_url}
    ready = f"{issuer}/.well-known/openid-configuration"
    process = await child.start(
        child.Part("provider", command, lambda: answers(ready), environment), folder / "provider.log"
    )
    try:
        await process.until_ready()
        yield issuer
    finally:
        await process.stop()


@asynccontextmanager
async def trusting(issuer: str, door: Gateway, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The gateway with a console that signs in at `issuer`."""
    monkeypatch.setenv("CONSOLE_CONNECT", issuer)
    part = await door.prepare()
    config = {"auth": {"mode": "oidc", "authority": issuer, "client_id": "console", "scope": "openid"}}
    (door.directory / "console" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    process = await child.start(part, folder / "gateway.log")
    try:
        await process.until_ready()
        yield
    finally:
        await process.stop()


async def test_a_person_signs_in_at_the_organisations_provider(
    postgres: Database,
    topics: Topics,
    node: console.Node,
    play: Play,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [port] = free_ports(1)
    console_url = f"http://{HOST}:{port}"
    async with (
        provider(node, tmp_path, console_url) as issuer,
        db.pool(postgres.dsn_of("catalog_svc"), size=2) as catalog_pool,
        db.pool(postgres.dsn_of("campaign_svc"), size=2) as campaign_pool,
        kafka.producer(Cluster(topics.bootstrap)) as producer,
    ):
        checks = Verifier(AuthSettings(auth_jwks_url=f"{issuer}/jwks", auth_issuer=issuer))
        campaign = campaign_svc.main.build(campaign_pool, checks, Announcer(campaign_pool, producer, 2), {})
        async with (
            served(catalog_svc.main.build(catalog_pool, checks)) as catalog_port,
            served(campaign) as campaign_port,
        ):
            behind = (catalog_port,), (campaign_port,)
            door = Gateway(tmp_path / "gateway", tmp_path / "files", port, *behind, tmp_path / "none.sock")
            async with trusting(issuer, door, tmp_path, monkeypatch):
                await play("sign-in.spec.ts", url=door.url, seconds=120, ISSUER=issuer)
