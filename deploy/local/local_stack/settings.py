"""What the local stack can be told: folder, ports and replicas; all from the environment."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from local_stack.errors import StackError
from local_stack.layout import ROOT
from local_stack.ports import browsers_refuse, next_for_browsers

BasePort = Annotated[int, Field(ge=1, le=65_535)]
Replicas = Annotated[int, Field(ge=0, le=20)]
Nodes = Annotated[int, Field(ge=1, le=3)]


class StackSettings(BaseSettings):
    """`port_offset` shifts every port that is not given; one that is given is that port.

    The services' processes take ports from `service_port` on, 20 for each kind.

    `kafkas` are nodes of one cluster, each with the two ports after those of the one before.

    With `restart` off, a service that dies stays down.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    run_dir: Path = Path(".run")
    port_offset: Annotated[int, Field(ge=0, le=50_000)] = 0
    gateway_port: BasePort = 8080
    postgres_port: BasePort = 15432
    kafka_port: BasePort = 19092
    kafka_controller_port: BasePort = 19093
    mqtt_port: BasePort = 11883
    service_port: BasePort = 18100

    catalogs: Replicas = 1
    campaigns: Replicas = 1
    dispatchers: Replicas = 1
    ingests: Replicas = 1
    kafkas: Nodes = 1
    restart: bool = True

    @property
    def directory(self) -> Path:
        """Where all state lies; a relative RUN_DIR counts from the checkout."""
        return (ROOT / self.run_dir).resolve()

    def environment(self) -> dict[str, str]:
        """The variables that give another process the same settings; a port only where it was given."""
        values = {**self.model_dump(), "run_dir": self.directory}
        left_out = {name for name in values if _is_port(name) and name not in self.model_fields_set}
        return {name.upper(): str(value) for name, value in values.items() if name not in left_out}

    def in_force(self) -> dict[str, str]:
        """Every setting but the folder by its variable's name, ports as they are. Raises StackError as `port` does."""
        values = self.model_dump(exclude={"run_dir"})
        shown = {name: int(value) for name, value in values.items()}
        return {name.upper(): str(self.port(name) if _is_port(name) else value) for name, value in shown.items()}

    def port(self, name: str) -> int:
        """The port that setting `name` gives: itself where it was given, else with the offset.

        Raises StackError beyond 65,535, and for a gateway's port that browsers refuse.
        """
        offset = 0 if name in self.model_fields_set else self.port_offset
        port = int(getattr(self, name)) + offset
        source = f"PORT_OFFSET={offset} puts {name.upper()} on {port}" if offset else f"{name.upper()}={port}"
        if port > 65_535:
            raise StackError(f"{source}, which is no port")
        if name == "gateway_port" and browsers_refuse(port):
            other = next_for_browsers(port)
            better = f"PORT_OFFSET={other - self.gateway_port}" if offset else f"GATEWAY_PORT={other}"
            raise StackError(
                f"{source}, which browsers refuse to open (they keep it for another protocol); try {better}"
            )
        return port

    def kafka_ports(self) -> list[tuple[int, int]]:
        """Of each node of Kafka the clients' port and the controller's. Raises StackError beyond 65,535."""
        first, controller = self.port("kafka_port"), self.port("kafka_controller_port")
        return [(first + 2 * n, controller + 2 * n) for n in range(self.kafkas)]


def _is_port(name: str) -> bool:
    return name.endswith("_port")


def load() -> StackSettings:
    """Raises StackError with one line that names what is wrong."""
    try:
        return StackSettings()
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise StackError(f"settings: {wrong}") from error
