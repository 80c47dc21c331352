"""One device made by hand: registered over REST, with an account at the broker."""

import secrets
import shlex
from dataclasses import dataclass
from pathlib import Path

import httpx

from local_stack import broker_accounts, stack_env, tokens
from local_stack.errors import StackError
from pulse.contracts.mqtt import command_topic, report_topic, user_name
from pulse.contracts.names import in_address


@dataclass(frozen=True, slots=True)
class DeviceAccount:
    """What the device needs to connect."""

    tenant: str
    device: str
    host: str
    port: str
    password: str

    @property
    def user(self) -> str:
        return user_name(self.tenant, self.device)

    def lines(self) -> list[str]:
        """The commands that play the device by hand."""
        who = f"-h {self.host} -p {self.port} -V 5 -u {shlex.quote(self.user)} -P {self.password}"
        hear = f"mosquitto_sub {who} -q 1 -v -t {shlex.quote(command_topic(self.tenant, self.device))}"
        report = '{"version": "1.0.0"}'
        say = f"mosquitto_pub {who} -q 1 -t {shlex.quote(report_topic(self.tenant, self.device))} -m '{report}'"
        return [hear, say]


def make(run_dir: Path, tenant: str, device: str, device_type: str) -> DeviceAccount:
    """Registers the device, if it is not yet, and gives it a new password. Raises StackError."""
    stack = stack_env.read(run_dir)
    token = tokens.make(Path(stack["AUTH_KEY_FILE"]), tenant, "operator")
    account = DeviceAccount(tenant, device, stack["MQTT_HOST"], stack["MQTT_PORT"], secrets.token_urlsafe(16))
    broker_accounts.must_fit(account.user)
    devices, headers = f"{stack['GATEWAY_URL']}/customer/devices", {"Authorization": f"Bearer {token}"}
    new = {"device_id": device, "device_type": device_type}
    try:
        answer = httpx.post(devices, json=new, headers=headers, timeout=10, trust_env=False)
    except httpx.HTTPError as error:
        raise StackError(f"the gateway does not answer: {error}") from error
    if answer.status_code == httpx.codes.CONFLICT:
        known = f"{devices}/{in_address(device)}"
        _must_be(device_type, httpx.get(known, headers=headers, timeout=10, trust_env=False))
    elif answer.status_code != httpx.codes.CREATED:
        raise StackError(f"the device was refused ({answer.status_code}): {answer.text}")
    broker_accounts.add(run_dir, {account.user: account.password})
    return account


def _must_be(device_type: str, answer: httpx.Response) -> None:
    known = answer.json().get("device_type")
    if known != device_type:
        raise StackError(f"the device exists already, with type {known}")
