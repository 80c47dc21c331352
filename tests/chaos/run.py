"""A chaos run from its beginning to its end: a stack, fleets, operators, faults; then the checker has the word."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from pulse.contracts.kafka import (
    CONTROL,
    REQUESTS,
    RESULTS,
    CampaignControl,
    DispatchRequest,
    DispatchResult,
    decoder,
)
from tests.chaos import faults, fleets, kafka, parts
from tests.chaos.checker.verdicts import Verdict, check
from tests.chaos.faults import Kind
from tests.chaos.history import Line, Over, Recorder, Written, read
from tests.chaos.injury import Injury
from tests.chaos.operators import Desk, Operator
from tests.chaos.parts import Stack
from tests.chaos.pulse import Commands, Pulse
from tests.chaos.watch import Watch
from tests.e2e.topics import content

TENANTS = ("north", "south")
GROUPS_EACH = 2
WATCH_SECONDS = 3.0
END_SECONDS = 240.0
SETTLE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Options:
    """`devices` over all groups; `replicas` of each service; `folder` gets the results; `failures`: of devices."""

    faults: int
    seed: int
    devices: int
    replicas: int
    kinds: tuple[Kind, ...]
    folder: Path
    failures: str = fleets.FAILURES


@dataclass(slots=True)
class Progress:
    """How far a run is, for people."""

    phase: str = "starting"
    of: int = 0
    injury: Injury | None = None
    desk: Desk | None = None
    commands: Commands | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """`seconds`: how long the faults took."""

    options: Options
    verdicts: list[Verdict]
    lines: list[Line]
    seconds: float
    ended: bool


async def chaos(options: Options, progress: Progress) -> Outcome:
    """One run. Nothing of it is left but the folder of results."""
    folder = Path(mkdtemp(prefix="pulse-chaos-"))
    folder.chmod(0o711)
    recorder = Recorder(options.folder / "history.jsonl")
    commands = progress.commands = Commands()

    def written(line: Written) -> None:
        recorder.note(line)
        commands.written(line)

    try:
        stack = parts.built(folder, options.replicas, written)
        logs = _Log(options.folder / "stack.log")
        async with parts.running(stack, logs.say):
            seconds, ended = await _live(stack, options, recorder, commands, progress)
    finally:
        recorder.close()
        with suppress(OSError):
            rmtree(folder)
    progress.phase = "checking"
    lines = await asyncio.to_thread(lambda: list(read(recorder.path)))
    verdicts = await asyncio.to_thread(check, lines)
    return Outcome(options, verdicts, lines, seconds, ended)


class _Log:
    """What the parts have to say goes to a file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        self._path = path

    def say(self, text: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{time.monotonic():.3f} {text}\n")


async def _live(
    stack: Stack, options: Options, recorder: Recorder, commands: Commands, progress: Progress
) -> tuple[float, bool]:
    """With the stack up: how long the faults took, and whether all campaigns ended in time."""
    desk = progress.desk = Desk(stack.gateway.url, recorder.note)
    async with asyncpg.create_pool(stack.base.postgres.dsn, min_size=0, max_size=3) as database:
        epoch = time.time() - time.monotonic()
        watch = Watch(database, TENANTS, recorder.note, epoch=epoch)
        pulse = Pulse(stack.gateway.url, stack.token(TENANTS[0]), database, commands)
        injury = progress.injury = Injury(stack, pulse, recorder.note)
        operators = [operator(stack, desk, options.seed, place) for place in range(GROUPS_EACH * len(TENANTS))]
        devices = await register(operators, options.devices)
        async with (
            fleets.running(stack, devices, options.seed, options.failures) as file,
            _background(stack, watch, pulse, commands),
        ):
            began = time.monotonic()
            ended = await _work(stack, options, [o for o, _, _ in operators], desk, injury, progress)
            seconds = time.monotonic() - began
            for each, _, _ in operators:
                await each.close()
            progress.phase = "settling"
            await asyncio.sleep(SETTLE_SECONDS)
        recorder.note(Over(at=time.monotonic()))
        await watch.look()
        recorder.note(*await watch.end(), *await _in_kafka(stack), *fleets.story(file))
    return seconds, ended


def operator(stack: Stack, desk: Desk, seed: int, place: int) -> tuple[Operator, str, str]:
    """The operator of a group, with its tenant and name."""
    tenant, group = TENANTS[place % len(TENANTS)], f"group-{place}"
    tokens = stack.token(tenant), stack.token("another")
    return Operator(desk, tenant, group, *tokens, seed=f"{seed}/{group}"), tenant, group


async def register(operators: list[tuple[Operator, str, str]], number: int) -> list[tuple[str, str]]:
    """All devices, evenly over the groups: tenant and name."""
    devices: list[tuple[str, str]] = []
    each = number // len(operators)
    for operator, tenant, group in operators:
        names = [f"{group}-{n}" for n in range(each)]
        await operator.register(names, "gw2")
        devices += [(tenant, name) for name in names]
    return devices


async def _work(
    stack: Stack, options: Options, operators: list[Operator], desk: Desk, injury: Injury, progress: Progress
) -> bool:
    """Campaigns and faults together; whether all campaigns came to their end in time."""
    plans = list(faults.plans(stack.targets, options.faults, options.seed, options.kinds))
    progress.phase, progress.of = "faults", len(plans)
    async with asyncio.TaskGroup() as group:
        at_work = [group.create_task(operator.run()) for operator in operators]
        await asyncio.sleep(2)
        await injury.make(plans)
        desk.closed.set()
        progress.phase = "waiting for the last campaigns"
        _, open_ = await asyncio.wait(at_work, timeout=END_SECONDS)
        for task in open_:
            task.cancel()
    return not open_


@asynccontextmanager
async def _background(stack: Stack, watch: Watch, pulse: Pulse, commands: Commands) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_look(watch), name="watch"),
            group.create_task(pulse.keep(), name="pulse"),
            group.create_task(_follow(stack.base.kafka_bootstrap, commands), name="requests and results"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def _look(watch: Watch) -> None:
    while True:
        await watch.look()
        await asyncio.sleep(WATCH_SECONDS)


async def _follow(bootstrap: str, commands: Commands) -> None:
    """Requests and results as they come, until cancelled."""
    request, result = decoder(DispatchRequest).decode, decoder(DispatchResult).decode
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(t.name, n) for t in (REQUESTS, RESULTS) for n in range(t.partitions)])
        async for record in consumer:
            if record.topic == REQUESTS.name:
                commands.requested(request(record.value))
            else:
                commands.settled(result(record.value))
    finally:
        await consumer.stop()


async def _in_kafka(stack: Stack) -> list[Line]:
    bootstrap, at = stack.base.kafka_bootstrap, time.monotonic()
    requests = await content(bootstrap, REQUESTS, DispatchRequest)
    controls = await content(bootstrap, CONTROL, CampaignControl)
    found: list[Line] = [kafka.requested(request) for request in requests]
    return found + list(kafka.last_words(controls, at))
