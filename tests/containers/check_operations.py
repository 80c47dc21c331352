"""docs/operations.md, typed: a backup, an upgrade and a restore, as the lines for Compose stand there."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import httpx

from tests.containers.fleet import operator
from tests.containers.operations_page import typed
from tests.containers.stack import SERVICES, Stack

IMAGES = (*SERVICES, "gateway", "setup")
NEXT = "0.2.0"
"""The tag in the page's lines."""
BROKEN = "0.3.0"
"""Another service's image under catalog-svc's name: it misses its settings, and ends at once."""
NOBODY = 0


@contextmanager
def answered_meanwhile(stack: Stack) -> Iterator[list[int]]:
    """The statuses of the API's answers, asked five times a second as long as this is open; 0: no answer."""
    statuses: list[int] = []
    over = Event()

    def ask() -> None:
        with operator(stack) as client:
            while not over.wait(0.2):
                try:
                    statuses.append(client.get("/ota/campaigns").status_code)
                except httpx.TransportError:
                    statuses.append(NOBODY)

    asking = Thread(target=ask)
    asking.start()
    try:
        yield statuses
    finally:
        over.set()
        asking.join()


def tags(stack: Stack, service: str) -> set[str]:
    return {container["Image"].rpartition(":")[2] for container in stack.containers(service)}


def groups(stack: Stack) -> set[str]:
    with operator(stack) as client:
        return {group["group_id"] for group in client.get("/device-groups").json()["groups"]}


def made(stack: Stack, group: str) -> None:
    with operator(stack) as client:
        answer: httpx.Response = client.post("/device-groups", json={"group_id": group, "name": group})
    assert answer.status_code == 201, answer.text


def test_an_upgrade_replaces_every_process_while_the_api_answers(stack: Stack) -> None:
    for image in IMAGES:
        stack.run("docker", "tag", f"pulse-ota/{image}:{stack.environment['TAG']}", f"pulse-ota/{image}:{NEXT}")
    stack.scale(2)
    old = {name for service in SERVICES for name in stack.replicas(service)}
    with answered_meanwhile(stack) as statuses:
        typed(stack, "Upgrade with Compose")
    for service in SERVICES:
        assert tags(stack, service) == {NEXT}
        assert len(stack.replicas(service)) == 2
        assert not old & set(stack.replicas(service))
    stack.until_healthy(*SERVICES, "gateway")
    assert len(statuses) > 20
    assert set(statuses) <= {200, NOBODY}
    assert statuses.count(NOBODY) < 20, "only the single gateway is away for a moment, while it is replaced"


def test_a_version_that_does_not_start_leaves_the_old_one_at_work(stack: Stack) -> None:
    before = stack.replicas("catalog-svc")
    stack.run("docker", "tag", f"pulse-ota/dispatcher-svc:{NEXT}", f"pulse-ota/catalog-svc:{BROKEN}")
    environment = {**stack.environment, "TAG": BROKEN, "WAIT": "8"}
    command = ["./anew.sh", "catalog-svc"]
    done = subprocess.run(command, cwd=stack.deploy, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "KAFKA_BOOTSTRAP" in done.stderr, "its last words say why"
    assert "the old one goes on" in done.stderr
    assert stack.replicas("catalog-svc") == before
    stack.until_healthy("catalog-svc", seconds=1)


def test_a_restore_brings_back_what_the_backup_has_and_nothing_else(stack: Stack) -> None:
    made(stack, "before")
    typed(stack, "Back up with Compose")
    made(stack, "after")
    typed(stack, "Restore with Compose")
    stack.until_healthy(*SERVICES, "gateway")
    assert "before" in groups(stack)
    assert "after" not in groups(stack)
