"""What every service's HTTP side does: probes, metrics, request ids, and errors that nobody foresaw."""

import asyncio

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from pulse.runtime.app import create_app, serve
from pulse.runtime.errors import StartRefused


def client(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def good() -> bool:
    return True


async def bad() -> bool:
    return False


async def hanging() -> bool:
    await asyncio.sleep(60)
    return True


async def test_ready_means_that_every_part_answers() -> None:
    async with client(create_app("t", ready={"database": good})) as http:
        assert (await http.get("/healthz")).json() == {"status": "alive"}
        assert (await http.get("/readyz")).json() == {"ready": True, "checks": {"database": True}}
    async with client(create_app("t", ready={"database": good, "kafka": bad, "mqtt": hanging})) as http:
        answer = await http.get("/readyz")
        assert (answer.status_code, answer.json()["checks"]) == (503, {"database": True, "kafka": False, "mqtt": False})
        assert (await http.get("/healthz")).status_code == 200


async def test_a_callers_request_id_comes_back_and_a_strange_one_is_replaced() -> None:
    async with client(create_app("t", ready={})) as http:
        assert (await http.get("/healthz", headers={"x-request-id": "abc-1"})).headers["x-request-id"] == "abc-1"
        replaced = (await http.get("/healthz", headers={"x-request-id": 'a"b\\n{'})).headers["x-request-id"]
        assert len(replaced) == 32


async def test_an_unknown_path_and_method_are_problems_too() -> None:
    async with client(create_app("t", ready={})) as http:
        for method, path, code in (("GET", "/nothing", "not_found"), ("POST", "/healthz", "method_not_allowed")):
            answer = await http.request(method, path)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == code
            assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_a_wrong_method_is_told_all_that_the_path_has() -> None:
    router = APIRouter(prefix="/things")

    @router.get("/{thing}")
    @router.delete("/{thing}")
    async def thing(thing: str) -> str:
        return thing

    app = create_app("t", ready={})
    app.include_router(router)
    async with client(app) as http:
        answer = await http.post("/things/1")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, DELETE")


async def test_an_outage_is_503_and_any_other_failure_500_without_its_secrets() -> None:
    app = create_app("t", ready={}, outages=(OSError,))

    @app.get("/away")
    async def away() -> None:
        raise ConnectionRefusedError("password=hunter2")

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("password=hunter2")

    async with client(app) as http:
        answer = await http.get("/away")
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")
        assert "hunter2" not in answer.text
        answer = await http.get("/broken")
        assert (answer.status_code, answer.json()["code"]) == (500, "internal")
        assert "hunter2" not in answer.text


async def test_metrics_name_routes_never_paths() -> None:
    app = create_app("t", ready={})

    @app.get("/things/{thing}")
    async def thing(thing: str) -> str:
        return thing

    async with client(app) as http:
        await http.get("/things/secret-name")
        await http.get("/no-such-thing")
        text = (await http.get("/metrics")).text
    assert 'pulse_http_requests_total{method="GET",route="/things/{thing}",status="200"}' in text
    assert 'route="unmatched",status="404"' in text
    assert "secret-name" not in text


async def test_metrics_tell_failures_that_nobody_foresaw_and_parts_that_do_not_answer() -> None:
    app = create_app("t", ready={"database": good, "kafka": bad})

    @app.get("/unforeseen")
    async def unforeseen() -> None:
        raise RuntimeError

    async with client(app) as http:
        await http.get("/unforeseen")
        text = (await http.get("/metrics")).text
    assert 'pulse_http_requests_total{method="GET",route="/unforeseen",status="500"} 1.0' in text
    assert 'pulse_ready{check="database"} 1.0' in text
    assert 'pulse_ready{check="kafka"} 0.0' in text
    assert "_created" not in text


async def test_an_address_that_is_taken_is_said() -> None:
    async with asyncio.timeout(10):
        taken = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
        port = taken.sockets[0].getsockname()[1]
        async with taken:
            with pytest.raises(ExceptionGroup) as raised:
                await serve(create_app("t", ready={}), "127.0.0.1", port, asyncio.Event())
    assert raised.group_contains(StartRefused, match=f"HTTP_PORT: cannot listen on 127.0.0.1:{port}")
