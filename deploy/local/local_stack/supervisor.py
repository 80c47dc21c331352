"""The process that holds the stack: starts the parts in order of need, keeps them, stops them in reverse."""

import asyncio
import sys
from collections.abc import Awaitable

from local_stack import control, in_force, sign_in, stack_env
from local_stack.child import Part, run
from local_stack.errors import StackError
from local_stack.files import secret
from local_stack.gateway import Gateway
from local_stack.kafka import cluster
from local_stack.keeper import Keeper
from local_stack.mosquitto import Mosquitto
from local_stack.packages import Say
from local_stack.ports import is_free
from local_stack.postgres import Postgres
from local_stack.services import Foundations, account_keeper_part, replicas
from local_stack.settings import StackSettings

PORTS_FREE_SECONDS = 15.0
"""How long the parts of a stack whose supervisor was killed may take to end."""


class Supervisor:
    """The parts of one stack. `say` tells the person who started it, and the log, what happens."""

    def __init__(self, settings: StackSettings, say: Say) -> None:
        self._settings = settings
        self._say = say
        self.directory = settings.directory
        secrets_dir = self.directory / "secrets"
        self._base = Foundations(
            Postgres(self.directory / "postgres", settings.port("postgres_port"), secrets_dir / "postgres"),
            cluster(self.directory / "kafka", settings.kafka_ports()),
            Mosquitto(self.directory, settings.port("mqtt_port"), secrets_dir),
            secrets_dir,
        )
        self._replicas = list(replicas(settings))
        self._sign_in = control.socket_path(self.directory, "sign-in")
        self._gateway = Gateway(
            self.directory / "gateway",
            self.directory / "files",
            settings.port("gateway_port"),
            tuple(r.port for r in self._replicas if r.service.name == "catalog-svc"),
            tuple(r.port for r in self._replicas if r.service.name == "campaign-svc"),
            self._sign_in,
        )
        services = [replica.name for replica in self._replicas]
        self._foundations = ["postgres", *(node.name for node in self._base.kafkas), "mosquitto"]
        names = [*self._foundations, *services, "accounts", "sign-in", "gateway"]
        again = {*services, "accounts"} if settings.restart else set()
        self.keepers = {name: self._keeper(name, restarts=name in again) for name in names}
        self._fixed: dict[str, str] = {}

    def in_force(self) -> dict[str, str]:
        """What the stack runs with, by variable."""
        return in_force.of(self._settings, self._base)

    def _keeper(self, name: str, *, restarts: bool) -> Keeper:
        log = self.directory / "logs" / f"{name}.log"
        return Keeper(name, log, restarts=restarts, say=self._say, changed=self._write_env)

    def _write_env(self) -> None:
        stack_env.write(self.directory, self._fixed, self.keepers.values())

    async def start(self) -> None:
        """Everything, in order of need; returns when all is ready. Raises StackError, in a group."""
        await self._wait_for_ports()
        secret(self._base.auth_key_file)
        self._fixed = stack_env.addresses(self._base, self._gateway, self._replicas)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._start("postgres", self._base.postgres.prepare()))
            group.create_task(self._start_kafka())
            group.create_task(self._start("mosquitto", self._base.mosquitto.prepare(self._say)))
        await self._set_up()
        async with asyncio.TaskGroup() as group:
            for replica in self._replicas:
                group.create_task(self._start_part(replica.name, replica.part(self._base)))
            group.create_task(self._start_part("accounts", account_keeper_part(self._base)))
            group.create_task(self._start_part("sign-in", self._sign_in_part()))
        await self._start("gateway", self._gateway.prepare())

    def _sign_in_part(self) -> Part:
        environment = {"SIGN_IN_SOCKET": str(self._sign_in), "AUTH_KEY_FILE": str(self._base.auth_key_file)}
        command = (sys.executable, "-m", "local_stack.sign_in")
        return Part("sign-in", command, lambda: sign_in.answers(self._sign_in), environment)

    async def _start_kafka(self) -> None:
        """One after the other they are prepared (the first may fetch the jars); they start together: one needs two."""
        prepared = [await node.prepare(self._say) for node in self._base.kafkas]
        async with asyncio.TaskGroup() as group:
            for part in prepared:
                group.create_task(self._start_part(part.name, part))

    async def _start(self, name: str, prepared: Awaitable[Part]) -> None:
        await self._start_part(name, await prepared)

    async def _start_part(self, name: str, part: Part) -> None:
        began = asyncio.get_running_loop().time()
        await self.keepers[name].start(part)
        self._say(f"{name} is ready after {asyncio.get_running_loop().time() - began:.1f} s")

    async def _set_up(self) -> None:
        printed = await run(sys.executable, "-m", "pulse_setup", env=self._base.for_setup())
        for line in filter(None, printed.split("\n")):
            self._say(line)

    async def _wait_for_ports(self) -> None:
        """Raises StackError that names the setting of a port that something else holds."""
        left_over = (self.directory / stack_env.FILE).exists()
        deadline = asyncio.get_running_loop().time() + (PORTS_FREE_SECONDS if left_over else 0)
        while taken := [f"{port} ({setting})" for setting, port in self._ports() if not is_free(port)]:
            if asyncio.get_running_loop().time() > deadline:
                raise StackError(
                    f"already taken: port {', '.join(taken)}; free it, or choose another with the setting in brackets "
                    "(PORT_OFFSET=100 shifts all that are not given)"
                )
            await asyncio.sleep(0.2)

    def _ports(self) -> list[tuple[str, int]]:
        own = [(name.upper(), self._settings.port(name)) for name in ("gateway_port", "postgres_port", "mqtt_port")]
        for port, controller_port in self._settings.kafka_ports():
            own += [("KAFKA_PORT", port), ("KAFKA_CONTROLLER_PORT", controller_port)]
        return own + [("SERVICE_PORT", replica.port) for replica in self._replicas]

    async def keep(self) -> None:
        """Watches all parts until cancelled."""
        async with asyncio.TaskGroup() as group:
            for keeper in self.keepers.values():
                group.create_task(keeper.keep(), name=keeper.name)

    async def stop(self) -> None:
        """In reverse order: the door, the services together, then what they stand on."""
        services = [self.keepers[name] for name in (*(replica.name for replica in self._replicas), "accounts")]
        base = [self.keepers[name] for name in self._foundations]
        for together in ([self.keepers["gateway"], self.keepers["sign-in"]], services, base):
            async with asyncio.TaskGroup() as group:
                for keeper in together:
                    group.create_task(keeper.stop(), name=keeper.name)
        (self.directory / stack_env.FILE).unlink(missing_ok=True)
