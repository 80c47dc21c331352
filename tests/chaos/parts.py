"""The stack of a chaos run: real parts, several processes of each service, and a proxy before each connection.

Every process reaches the database, Kafka and the broker through links of its own, named such as
`dispatcher-svc-1 to kafka`. The gateway reaches the services directly: a proxy would accept connections for a service
that is dead, and hide from the gateway what it needs to know to try another one.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from local_stack import control, tokens
from local_stack.child import Part, run
from local_stack.errors import PartFailed
from local_stack.files import secret
from local_stack.gateway import Gateway
from local_stack.kafka import Door, Kafka
from local_stack.keeper import Keeper, State
from local_stack.mosquitto import Mosquitto
from local_stack.ports import free_ports
from local_stack.postgres import Postgres
from local_stack.services import SERVICES, Foundations, Replica
from tests.chaos import proxy, tap
from tests.chaos.faults import FOUNDATIONS, Targets
from tests.chaos.history import Written
from tests.chaos.proxy import Awake, Link

FLEET = "fleet to mosquitto"
NEEDS = {
    "catalog-svc": ("postgres",),
    "campaign-svc": ("postgres", "kafka"),
    "dispatcher-svc": ("kafka", "mosquitto"),
    "status-ingest-svc": ("postgres", "kafka", "mosquitto"),
}
FIRST_STARTS = 3
"""A service ends when what it needs does not answer at its start; whoever runs it starts it again."""
SHORTER = {"RETRY_BACKOFF_SECONDS": "3", "OFFLINE_BACKOFF_SECONDS": "3", "SWEEP_GRACE_SECONDS": "5"}
"""What nobody would wait for; everything else has its default."""
READY_AGAIN_SECONDS = 180.0
"""Long, since a machine may be busy with other things; how long it takes is measured, not judged here."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process of a service with what is between it and the rest."""

    replica: Replica
    links: dict[str, Link]


@dataclass(slots=True)
class Stack:
    """A running stack; `say` hears what its parts have to say."""

    folder: Path
    base: Foundations
    processes: dict[str, Process]
    fleet: Link
    gateway: Gateway
    keepers: dict[str, Keeper] = field(default_factory=dict)

    @property
    def links(self) -> dict[str, Link]:
        """All links by name."""
        found = {link.name: link for process in self.processes.values() for link in process.links.values()}
        return found | {self.fleet.name: self.fleet}

    @property
    def targets(self) -> Targets:
        """What faults can be aimed at."""
        services: dict[str, list[str]] = {}
        for name, process in self.processes.items():
            services.setdefault(process.replica.service.name, []).append(name)
        return Targets(services, FOUNDATIONS, sorted(self.links))

    def token(self, tenant: str, roles: str = "operator") -> str:
        return tokens.make(self.base.auth_key_file, tenant, roles)

    # What can be done to processes

    def signal(self, part: str, number: signal.Signals) -> None:
        """To the part's process; of the database also to the processes that it has made."""
        pid = self.keepers[part].pid
        if pid is not None:
            for each in [pid, *_children(pid)] if part == "postgres" else [pid]:
                _send(each, number)

    async def kill(self, part: str) -> None:
        """SIGKILL; returns when the process is gone."""
        keeper = self.keepers[part]
        before = keeper.pid
        self.signal(part, signal.SIGKILL)
        while before is not None and keeper.pid == before:
            await asyncio.sleep(0.005)

    async def until_up(self, part: str) -> bool:
        """Whether it is ready within its time; a foundation that lies down is started."""
        try:
            if part in FOUNDATIONS and self.keepers[part].pid is None:
                await self.keepers[part].restart()
            async with asyncio.timeout(READY_AGAIN_SECONDS):
                while self.keepers[part].state is not State.UP:
                    await asyncio.sleep(0.02)
        except (TimeoutError, PartFailed):
            return False
        return True

    @property
    def down(self) -> list[str]:
        """The parts that are not ready now."""
        return [name for name, keeper in self.keepers.items() if keeper.state is not State.UP]

    # Its life

    async def start(self, say: Callable[[str], None]) -> None:
        """Everything, in order of need. Raises StackError, in a group."""
        secret(self.base.auth_key_file)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._start(await self.base.postgres.prepare(), say))
            for node in self.base.kafkas:
                group.create_task(self._start(await node.prepare(say), say))
            group.create_task(self._start(await self.base.mosquitto.prepare(say), say))
        await run(sys.executable, "-m", "pulse_setup", env=self.base.for_setup())
        async with asyncio.TaskGroup() as group:
            for process in self.processes.values():
                group.create_task(self._start(self._part(process), say, restarts=True))
        await self._start(await self.gateway.prepare(), say)

    def _part(self, process: Process) -> Part:
        """The service with its links in the place of what is behind them."""
        ports = {name: link.port for name, link in process.links.items()}
        base = self.base
        if "postgres" in ports:
            base = replace(base, postgres=replace(base.postgres, port=ports["postgres"]))
        if "kafka" in ports:
            base = replace(base, kafkas=tuple(replace(node, port=ports["kafka"]) for node in base.kafkas))
        if "mosquitto" in ports:
            base = replace(base, mosquitto=replace(base.mosquitto, port=ports["mosquitto"]))
        part = process.replica.part(base)
        return replace(part, environment={**part.environment, **SHORTER})

    async def _start(self, part: Part, say: Callable[[str], None], *, restarts: bool = False) -> None:
        log = self.folder / "logs" / f"{part.name}.log"
        part = replace(part, ready_within=READY_AGAIN_SECONDS)
        keeper = Keeper(part.name, log, restarts=restarts, say=say, changed=_nothing)
        self.keepers[part.name] = keeper
        for left in reversed(range(FIRST_STARTS if restarts else 1)):
            try:
                await keeper.start(part)
                break
            except PartFailed:
                if not left:
                    raise

    async def keep(self) -> None:
        """Watches all parts until cancelled."""
        async with asyncio.TaskGroup() as group:
            for keeper in self.keepers.values():
                group.create_task(keeper.keep(), name=keeper.name)

    async def stop(self) -> None:
        """The door first, then the services, then what they stand on."""
        services = [name for name in self.keepers if name in self.processes]
        for together in (["gateway"], services, list(FOUNDATIONS)):
            async with asyncio.TaskGroup() as group:
                for name in together:
                    if name in self.keepers:
                        self.signal(name, signal.SIGCONT)
                        group.create_task(self.keepers[name].stop(), name=name)


def _nothing() -> None:
    """Nobody else wants to know where the parts are."""


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _children(pid: int) -> list[int]:
    """The processes that a process has started, on Linux."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def built(folder: Path, replicas: int, note: Callable[[Written], None]) -> Stack:
    """A stack that is not running yet, so many processes of each service; `note` gets each command."""
    names = [(service, number) for service in SERVICES for number in range(1, replicas + 1)]
    ports = iter(free_ports(6 + len(names) * 5))
    awake = Awake()
    postgres = Postgres(folder / "postgres", next(ports), folder / "secrets" / "postgres")
    mosquitto = Mosquitto(folder, next(ports), folder / "secrets")
    kafka_port, controller_port = next(ports), next(ports)
    doors: list[Door] = []
    processes: dict[str, Process] = {}
    for service, number in names:
        replica = Replica(service, number, next(ports))
        links: dict[str, Link] = {}
        for need in NEEDS[service.name]:
            upstream = {"postgres": postgres.port, "mosquitto": mosquitto.port}.get(need)
            port = next(ports)
            if upstream is None:
                upstream = next(ports)
                doors.append(Door(upstream, port))
            watches = service.name == "dispatcher-svc" and need == "mosquitto"
            sees = tap.commands(replica.name, note) if watches else None
            links[need] = Link(f"{replica.name} to {need}", port, upstream, awake, sees)
        processes[replica.name] = Process(replica, links)
    kafka = Kafka(folder / "kafka", kafka_port, controller_port, tuple(doors))
    base = Foundations(postgres, (kafka,), mosquitto, folder / "secrets")
    gateway = Gateway(
        folder / "gateway",
        folder / "files",
        next(ports),
        tuple(_ports(processes, "catalog-svc")),
        tuple(_ports(processes, "campaign-svc")),
        control.socket_path(folder, "sign-in"),
    )
    return Stack(folder, base, processes, Link(FLEET, next(ports), mosquitto.port, awake), gateway)


def _ports(processes: dict[str, Process], service: str) -> Iterator[int]:
    return (p.replica.port for p in processes.values() if p.replica.service.name == service)


@asynccontextmanager
async def running(stack: Stack, say: Callable[[str], None]) -> AsyncIterator[None]:
    """The stack is up while the block runs; nothing is left of its processes."""
    async with proxy.running(*stack.links.values()):
        try:
            await stack.start(say)
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(stack.keep())
                try:
                    yield
                finally:
                    keeping.cancel()
        finally:
            await stack.stop()
