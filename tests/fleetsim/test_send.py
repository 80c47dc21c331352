"""`python -m fleetsim send`: commands to a fleet without any service, and what came of them."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from fleetsim.accounts import numbered
from fleetsim.cli import app
from fleetsim.connection import Broker, Login
from fleetsim.fleet import Fleet, Shared
from fleetsim.nature import Behaviour, Failure
from fleetsim.send import Sender, Update, told
from tests import real_parts

UPDATE = Update(7, "2.0.0", "http://127.0.0.1/none", 1000, "00")


@pytest.fixture
def broker(mosquitto: real_parts.Broker) -> Broker:
    return Broker(mosquitto.host, mosquitto.port)


async def test_every_device_gets_one_command_and_its_end_is_counted(
    broker: Broker, mosquitto: real_parts.Broker
) -> None:
    login = Login(mosquitto.admin_user, mosquitto.admin_password)
    nature = Behaviour(
        fail=0.5, failures=(Failure.INSTALL,), fetch=0, download_seconds=(0, 0.1), install_seconds=(0, 0.1)
    )
    there, expected = numbered("acme", "d{0..29}", "", "1.0.0"), numbered("acme", "d{0..39}", "", "1.0.0")
    async with Fleet(there, broker, nature, shared=Shared(login), presence=False) as fleet:
        await fleet.ready()
        result = await Sender(expected, UPDATE, rate=None).run(broker, login)
    assert (result.taken, result.absent, result.refused, result.ended) == (30, 10, 0, 30)
    assert result.reports["SUCCESS"] == fleet.tally.succeeded
    assert result.reports["FAILED"] == fleet.tally.failed == 30 - fleet.tally.succeeded
    assert told(result).startswith("commands: 40 in ")


async def test_commands_are_paced(broker: Broker, mosquitto: real_parts.Broker) -> None:
    login = Login(mosquitto.admin_user, mosquitto.admin_password)
    result = await Sender(numbered("acme", "d{0..20}", "", ""), UPDATE, rate=50).run(broker, login)
    assert (result.absent, result.taken) == (21, 0)
    assert 0.4 <= result.seconds_to_send < 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "which devices?"),
        (["--ids", "d{0..1}"], "--tenant and --ids belong together"),
        (["--ids", "d{0..1}", "--tenant", "acme", "--mqtt-port", "1"], "fleetsim: "),
    ],
)
def test_what_cannot_be_sent_is_said_in_one_line(options: list[str], said: str) -> None:
    answer = CliRunner().invoke(app, ["send", *options])
    assert answer.exit_code == 2
    [refusal] = answer.stderr.splitlines()
    assert said in refusal


def test_password_is_read_from_its_file(mosquitto: real_parts.Broker, tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("wrong\n")
    options = [
        "--ids",
        "d{0..0}",
        "--tenant",
        "acme",
        "--user",
        mosquitto.admin_user,
        "--mqtt-port",
        str(mosquitto.port),
    ]
    answer = CliRunner().invoke(app, ["send", *options, "--password-file", str(wrong)])
    assert (answer.exit_code, "NOT_AUTHORIZED" in answer.stderr) == (2, True)
