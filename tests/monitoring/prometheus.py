"""A real Prometheus with the product's own rules, that scrapes a running local stack."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import yaml

from local_stack import stack_env
from local_stack.child import Part
from local_stack.http_probe import answers
from local_stack.layout import DEPLOY
from local_stack.mosquitto import find_program
from local_stack.ports import HOST, free_ports
from tests.e2e.stack import Stack
from tests.real_parts import RunningPart

CONFIG = DEPLOY / "monitoring" / "prometheus" / "prometheus.yml"
RULES = sorted((CONFIG.parent / "rules").glob("*.yml"))
SCRAPE_SECONDS = 1
RATE_INTERVAL = "10s"
"""What Grafana's `$__rate_interval` would be, and then some: the pace is a second."""
Json = dict[str, Any]


class Prometheus:
    """Asks a running one. Raises AssertionError with Prometheus's words for a query that it refuses."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def query(self, expression: str) -> list[Json]:
        """The present value of each series."""
        found: list[Json] = (await self._get("query", query=expression))["result"]
        return found

    async def over_time(self, expression: str, start: float, end: float, step: float) -> list[Json]:
        """The values of each series from `start` to `end`, seconds since 1970."""
        asked: dict[str, str | float] = {"query": expression, "start": start, "end": end, "step": step}
        found: list[Json] = (await self._get("query_range", **asked))["result"]
        return found

    async def series(self, selector: str, start: float) -> list[Json]:
        """The labels of all series that there have been since `start`."""
        answer = await self._http.get("/api/v1/series", params={"match[]": selector, "start": start})
        assert answer.status_code == httpx.codes.OK, f"{selector}: {answer.text}"
        found: list[Json] = answer.json()["data"]
        return found

    async def alerts(self) -> set[str]:
        """The names of all that is pending or firing."""
        return {alert["labels"]["alertname"] for alert in (await self._get("alerts"))["alerts"]}

    async def has_scraped(self, targets: int) -> bool:
        return len(await self.query("up{job=~'.+-svc'} == 1")) == targets

    async def _get(self, what: str, **asked: str | float) -> Json:
        answer = await self._http.get(f"/api/v1/{what}", params=asked)
        assert answer.status_code == httpx.codes.OK, f"{asked}: {answer.text}"
        data: Json = answer.json()["data"]
        return data


@asynccontextmanager
async def watching(stack: Stack, folder: Path) -> AsyncIterator[Prometheus]:
    """Prometheus on a free port, its data in `folder`; every process of the stack has been scraped."""
    program = await find_program("prometheus", "prometheus", print)
    [port] = free_ports(1)
    url = f"http://{HOST}:{port}"
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "prometheus.yml"
    config.write_text(yaml.safe_dump(configuration(stack, port)), encoding="utf-8")
    shutil.copytree(CONFIG.parent / "rules", folder / "rules")
    command = (
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={HOST}:{port}",
    )
    process = RunningPart(Part("prometheus", command, partial(answers, f"{url}/-/ready")), folder / "prometheus.log")
    await process.start()
    try:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as http:
            prometheus = Prometheus(http)
            async with asyncio.timeout(30):
                while not await prometheus.has_scraped(len(targets(stack))):
                    await asyncio.sleep(0.2)
            yield prometheus
    finally:
        await process.stop()


def configuration(stack: Stack, port: int) -> Json:
    """The product's own, with the stack's processes in place of names that only containers know, and a quick pace."""
    config: Json = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    config["global"] = dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), f"{SCRAPE_SECONDS}s")
    del config["alerting"]
    found = targets(stack)
    config["scrape_configs"] = [
        {"job_name": name, "static_configs": [{"targets": [at for job, at in found if job == name]}]}
        for name in (job["job_name"] for job in config["scrape_configs"])
        if name.endswith("-svc")
    ] + [{"job_name": "prometheus", "static_configs": [{"targets": [f"{HOST}:{port}"]}]}]
    return config


def targets(stack: Stack) -> list[tuple[str, str]]:
    """Each process's job and address."""
    found = []
    for job in ("catalog-svc", "campaign-svc", "dispatcher-svc", "status-ingest-svc"):
        for process in stack.processes(job):
            url = httpx.URL(stack[f"{stack_env.variable(process)}_METRICS_URL"])
            found.append((job, f"{url.host}:{url.port}"))
    return found
