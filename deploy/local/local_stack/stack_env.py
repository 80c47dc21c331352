"""`stack.env`: where everything is and which process is which, for shells, tests and tools."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from local_stack.errors import StackError
from local_stack.files import write_atomically
from local_stack.gateway import Gateway
from local_stack.keeper import Keeper
from local_stack.mosquitto import ADMIN, OBSERVER
from local_stack.ports import HOST
from local_stack.services import Foundations, Replica

FILE = "stack.env"


def variable(name: str) -> str:
    """`dispatcher-svc-1` as the beginning of a variable's name."""
    return name.upper().replace("-", "_")


def addresses(base: Foundations, gateway: Gateway, replicas: Iterable[Replica]) -> dict[str, str]:
    """What does not change while the stack is up."""
    metrics = {f"{variable(replica.name)}_METRICS_URL": f"{replica.url}/metrics" for replica in replicas}
    return {
        "GATEWAY_URL": gateway.url,
        "POSTGRES_DSN": base.postgres.dsn,
        "KAFKA_BOOTSTRAP": base.kafka_bootstrap,
        "MQTT_HOST": HOST,
        "MQTT_PORT": str(base.mosquitto.port),
        "MQTT_ADMIN_USER": ADMIN,
        "MQTT_ADMIN_PASSWORD": base.mosquitto.admin_password,
        "MQTT_OBSERVER_USER": OBSERVER,
        "MQTT_OBSERVER_PASSWORD": base.mosquitto.observer_password,
        "AUTH_KEY_FILE": str(base.auth_key_file),
        "FILES_DIR": str(gateway.files_dir),
        **metrics,
    }


def write(run_dir: Path, fixed: Mapping[str, str], keepers: Iterable[Keeper]) -> None:
    """Replaces the file in one step; a part that is not running has no `…_PID`."""
    pids = {f"{variable(keeper.name)}_PID": str(keeper.pid) for keeper in keepers if keeper.pid is not None}
    lines = [f"{name}={value}\n" for name, value in {**fixed, **pids}.items()]
    write_atomically(run_dir / FILE, "".join(lines))


def read(run_dir: Path) -> dict[str, str]:
    """The variables of a running stack. Raises StackError when there is none."""
    file = run_dir / FILE
    if not file.exists():
        raise StackError("the stack is not up; start it with `make up`")
    pairs = (line.partition("=") for line in file.read_text(encoding="utf-8").split("\n"))
    return {name: value for name, _, value in pairs if name}
