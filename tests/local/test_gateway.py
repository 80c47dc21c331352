"""The gateway sends each path where it belongs, and nothing else anywhere."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from local_stack import child
from local_stack.gateway import Gateway
from local_stack.ports import HOST, free_ports
from tests.local.upstream import Upstream, upstream


@asynccontextmanager
async def gateway(folder: Path, catalogs: tuple[int, ...], campaigns: tuple[int, ...]) -> AsyncIterator[Gateway]:
    [port] = free_ports(1)
    made = Gateway(
        folder / "gateway", folder / "files", port, catalogs, campaigns, folder / "sign-in.sock", folder / "console"
    )
    process = await child.start(await made.prepare(), folder / "gateway.log")
    try:
        await process.until_ready()
        yield made
    finally:
        await process.stop()


@pytest.fixture(scope="module")
async def catalog() -> AsyncIterator[Upstream]:
    async with upstream("catalog") as served:
        yield served


@pytest.fixture(scope="module")
async def campaign() -> AsyncIterator[Upstream]:
    async with upstream("campaign") as served:
        yield served


@pytest.fixture(scope="module")
async def door(
    catalog: Upstream, campaign: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path_factory.mktemp("gateway"), (catalog.port,), (campaign.port,)) as made:
        yield made


@pytest.fixture
async def client(door: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=door.url, timeout=10, trust_env=False) as made:
        yield made


@pytest.mark.parametrize("path", ["/customer/firmware", "/customer/devices", "/files/x", "/"])
async def test_a_method_that_nobody_knows_is_a_problem_with_405(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.request("PROPFIND", path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/customer/firmware", "catalog"),
        ("/customer/firmware?search=2.1", "catalog"),
        ("/customer/firmware/7/withdraw", "catalog"),
        ("/customer/ota/campaigns", "campaign"),
        ("/customer/devices/d1?x=%2F", "campaign"),
        ("/customer/device-groups/g/members", "campaign"),
        ("/customer/firmwares", "campaign"),
    ],
)
async def test_both_prefixes_reach_the_service_under_the_short_path(
    client: httpx.AsyncClient, catalog: Upstream, campaign: Upstream, prefix: str, path: str, service: str
) -> None:
    answer = await client.post(prefix + path, json={})
    assert answer.text == service
    assert {"catalog": catalog, "campaign": campaign}[service].targets[-1] == path


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/metrics",
        "/readyz",
        "/redoc",
        "/openapi.json",
        "/docs/oauth2-redirect",
        "/api/v1/docs",
        "/api/v1/metrics",
        "/customers",
    ],
)
async def test_any_other_path_is_a_problem_with_404(
    client: httpx.AsyncClient, catalog: Upstream, campaign: Upstream, path: str
) -> None:
    before = catalog.targets + campaign.targets
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"
    assert answer.json()["request_id"]
    assert catalog.targets + campaign.targets == before


@pytest.mark.parametrize(
    "target", ["/customer/../metrics", "/customer/%2e%2e/metrics", "//metrics", "/files/../metrics"]
)
async def test_a_detour_never_reaches_what_is_behind(door: Gateway, campaign: Upstream, target: str) -> None:
    reader, writer = await asyncio.open_connection(HOST, door.port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert b" 404 " in answer.split(b"\r\n")[0]
    assert not any("metrics" in seen for seen in campaign.targets)


async def test_the_gateway_answers_for_itself(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).text == "ok"


async def test_firmware_files_are_served_also_in_parts(client: httpx.AsyncClient, door: Gateway) -> None:
    (door.files_dir / "fw.bin").write_bytes(bytes(range(256)))
    assert (await client.get("/files/fw.bin")).content == bytes(range(256))
    part = await client.get("/files/fw.bin", headers={"Range": "bytes=16-31"})
    assert part.status_code == 206
    assert part.content == bytes(range(16, 32))


async def test_a_file_that_is_not_there_is_a_problem_with_404(client: httpx.AsyncClient) -> None:
    answer = await client.get("/files/none.bin")
    assert (answer.status_code, answer.json()["status"]) == (404, 404)


async def test_an_event_arrives_while_the_stream_goes_on(client: httpx.AsyncClient, campaign: Upstream) -> None:
    async with client.stream("GET", "/customer/ota/campaigns/1/events") as answer:
        first = await asyncio.wait_for(anext(answer.aiter_bytes()), 5)
        campaign.finish_stream.set()
        assert first == b"data: first\n\n"


async def test_a_replica_that_is_gone_is_passed_over(tmp_path: Path) -> None:
    [nobody] = free_ports(1)
    async with (
        upstream("alive") as alive,
        gateway(tmp_path, (alive.port,), (nobody, alive.port)) as door,
        httpx.AsyncClient(base_url=door.url, timeout=10, trust_env=False) as client,
    ):
        answers = [await client.post("/customer/ota/campaigns", json={}) for _ in range(20)]
    assert [answer.text for answer in answers] == ["alive"] * 20


async def test_no_replica_at_all_is_a_problem_with_503_or_502(tmp_path: Path) -> None:
    [nobody] = free_ports(1)
    async with (
        gateway(tmp_path, (), (nobody,)) as door,
        httpx.AsyncClient(base_url=door.url, timeout=15, trust_env=False) as client,
    ):
        none, dead = await asyncio.gather(client.get("/customer/firmware"), client.get("/customer/devices"))
    for answer in (none, dead):
        assert answer.status_code in (502, 503)
        assert answer.json()["code"] == "unavailable"


@pytest.fixture(scope="module")
def built(door: Gateway) -> Path:
    """A console as small as can be."""
    (door.console_dir / "assets").mkdir(parents=True)
    (door.console_dir / "index.html").write_text("<title>console</title>")
    (door.console_dir / "assets" / "index-1a2b.js").write_text("go()")
    return door.console_dir


@pytest.mark.parametrize(
    "path", ["/app/", "/app/ota/campaigns", "/app/ota/campaigns/7?state=FAILED", "/app/devices/d.1"]
)
async def test_every_address_of_the_console_is_its_page(client: httpx.AsyncClient, built: Path, path: str) -> None:
    answer = await client.get(path)
    assert answer.text == "<title>console</title>"
    assert answer.headers["cache-control"] == "no-cache"
    assert "script-src 'self' 'wasm-unsafe-eval';" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_the_console_is_found_without_its_slash(client: httpx.AsyncClient, built: Path) -> None:
    answer = await client.get("/app")
    assert (answer.status_code, answer.headers["location"]) == (302, "/app/")


@pytest.mark.parametrize(
    "target",
    [
        "/app",
        "/app/assets",
        "/app/index.html",
        "/app//evil.example/..",
        "/app/%2fevil.example/%2e%2e/assets",
        "/app/assets/index-1a2b.js/",
        "/files/folder",
        "/files//evil.example/../folder",
        "/files/%2f%2fevil.example/%2e%2e/%2e%2e/folder",
        "//evil.example/app",
        "/files/folder/../folder?//evil.example",
    ],
)
async def test_wherever_the_gateway_sends_somebody_it_is_a_path_of_its_own(
    door: Gateway, built: Path, target: str
) -> None:
    (door.files_dir / "folder").mkdir(exist_ok=True)
    reader, writer = await asyncio.open_connection(HOST, door.port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".encode())
    head = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")[0].decode()
    writer.close()
    places = [line.partition(": ")[2] for line in head.split("\r\n") if line.lower().startswith("location:")]
    assert len(places) == (" 30" in head.split("\r\n")[0])
    assert all(place.startswith(("/", "./", "../")) and place[1:2] != "/" and "\\" not in place for place in places)


async def test_a_built_script_may_be_kept_for_good_and_one_that_is_gone_is_not_a_page(
    client: httpx.AsyncClient, built: Path
) -> None:
    script = await client.get("/app/assets/index-1a2b.js")
    assert script.text == "go()"
    assert "immutable" in script.headers["cache-control"]
    assert (await client.get("/app/assets/index-0000.js")).status_code == 404


@pytest.fixture(scope="module")
def page(built: Path) -> Path:
    """An API's page as small as can be."""
    (built / "docs" / "assets").mkdir(parents=True)
    (built / "docs" / "index.html").write_text("<title>API</title>")
    (built / "docs" / "openapi.json").write_text("{}")
    (built / "docs" / "assets" / "index-1a2b.js").write_text("show()")
    return built / "docs"


async def test_the_apis_page_is_served_with_all_that_it_needs(client: httpx.AsyncClient, page: Path) -> None:
    bare = await client.get("/docs")
    assert (bare.status_code, bare.headers["location"]) == (302, "/docs/")
    shown = await client.get("/docs/")
    assert shown.text == "<title>API</title>"
    assert shown.headers["cache-control"] == "no-cache"
    policy = shown.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"} <= set(policy)
    assert (await client.get("/docs/openapi.json")).json() == {}
    script = await client.get("/docs/assets/index-1a2b.js")
    assert script.text == "show()"
    assert "immutable" in script.headers["cache-control"]


async def test_what_the_apis_page_does_not_have_is_a_problem_with_404(client: httpx.AsyncClient, page: Path) -> None:
    for path in ("/docs/assets/index-0000.js", "/docs/swagger.json"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_the_console_is_told_how_people_sign_in(client: httpx.AsyncClient) -> None:
    answer = await client.get("/app/config.json")
    assert answer.json() == {"auth": {"mode": "local"}, "local_token_url": "/local/token"}
    assert answer.headers["cache-control"] == "no-store"


async def test_a_console_that_is_not_built_is_a_problem_with_404(tmp_path: Path) -> None:
    async with (
        gateway(tmp_path, (1,), (1,)) as door,
        httpx.AsyncClient(base_url=door.url, timeout=10, trust_env=False) as client,
    ):
        answer = await client.get("/app/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
