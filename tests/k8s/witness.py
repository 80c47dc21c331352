"""Sees every change of a pod, and remembers how few of each service were ready at once."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from tests.k8s.manifests import Resource
from tests.k8s.nodes import is_ready, of_job

NAME = "app.kubernetes.io/name"


def serves(pod: Resource) -> bool:
    """Whether it counts, for budgets and for whoever sends it requests: ready, and not on its way out."""
    return is_ready(pod) and "deletionTimestamp" not in pod["metadata"]


class Witness:
    """`fewest` and `most` ready pods of each service, since the start or the last `forget`; `pods` are those of now."""

    def __init__(self, api: httpx.AsyncClient, namespace: str) -> None:
        self.pods: dict[str, Resource] = {}
        self.fewest: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self._api = api
        self._path = f"/api/v1/namespaces/{namespace}/pods"

    def ready(self) -> Counter[str]:
        """How many pods of each service are ready."""
        return Counter(pod["metadata"]["labels"][NAME] for pod in self.pods.values() if serves(pod))

    def forget(self) -> None:
        self.fewest, self.most = self.ready(), self.ready()

    async def watch(self) -> None:
        """Until it is cancelled."""
        since = (await self._api.get(self._path)).json()
        self.pods = {pod["metadata"]["name"]: pod for pod in since["items"] if not of_job(pod)}
        self.forget()
        wanted = {"watch": "1", "resourceVersion": since["metadata"]["resourceVersion"]}
        async with self._api.stream("GET", self._path, params=wanted, timeout=None) as answer:
            async for line in answer.aiter_lines():
                self._note(**json.loads(line))

    def _note(self, type: str, object: Resource) -> None:  # noqa: A002 -- the names of a watch's events
        assert type in {"ADDED", "MODIFIED", "DELETED"}, object
        if of_job(object):
            return
        if type == "DELETED":
            self.pods.pop(object["metadata"]["name"], None)
        else:
            self.pods[object["metadata"]["name"]] = object
        ready = self.ready()
        for service in {*self.fewest, *ready}:
            self.fewest[service] = min(self.fewest[service], ready[service])
            self.most[service] = max(self.most[service], ready[service])


@asynccontextmanager
async def watching(api: httpx.AsyncClient, namespace: str) -> AsyncIterator[Witness]:
    """A witness that looks until the end."""
    witness = Witness(api, namespace)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(witness.watch())
        yield witness
        task.cancel()
