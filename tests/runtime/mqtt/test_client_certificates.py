"""Services that the real Mosquitto knows by their certificates; what it refuses is one clear line."""

import asyncio
import datetime as dt
import getpass
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from socket import create_connection

import pytest
from structlog.testing import capture_logs

from local_stack.ports import HOST, free_ports
from pulse.runtime.tls import RenewedContext, TlsFiles
from tests.certificates import Authority, Pair

from .conftest import MOSQUITTO
from .recorder import PATIENCE, Recorder, client, connected, running
from .wire import Peer, broker

ACL = "user svc-dispatcher\ntopic write commands\n"


class Certified:
    """A Mosquitto that takes a client for whom its certificate names."""

    def __init__(self, folder: Path) -> None:
        [self.port] = free_ports(1)
        self.folder = folder
        self.authority = Authority(folder / "certificates")

    def configuration(self) -> Path:
        server = self.authority.server()
        lines = {
            "listener": f"{self.port} {HOST}",
            "user": getpass.getuser(),
            "cafile": self.authority.file,
            "certfile": server.certificate,
            "keyfile": server.key,
            "require_certificate": "true",
            "use_identity_as_username": "true",
            "acl_file": self.folder / "acl",
        }
        (self.folder / "acl").write_text(ACL)
        config = self.folder / "mosquitto.conf"
        config.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
        return config

    def tls(self, pair: Pair | None, authority: Authority | None = None) -> RenewedContext:
        """As a service has it whose settings name these files."""
        shown = (pair.certificate, pair.key) if pair else (None, None)
        return RenewedContext(TlsFiles("MQTT", "broker", (authority or self.authority).file, *shown))


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certified]:
    made = Certified(tmp_path_factory.mktemp("certified"))
    process = subprocess.Popen([MOSQUITTO, "-c", made.configuration()], stderr=subprocess.DEVNULL)
    try:
        _listens(made.port)
        yield made
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            create_connection((HOST, port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "mosquitto does not listen"
            time.sleep(0.02)
        else:
            return


async def refused(certified: Certified, tls: RenewedContext) -> str:
    """The line in the log when the broker is tried for the first time."""
    recorder = Recorder()
    with capture_logs() as logs:
        async with running(client(certified.port, recorder, tls=tls)):
            async with asyncio.timeout(PATIENCE):
                while not (lines := [entry["reason"] for entry in logs if entry["event"] == "mqtt_connection_lost"]):
                    await asyncio.sleep(0.01)
    assert recorder.sessions == []
    return str(lines[0])


async def answers(certified: Certified, tls: RenewedContext, *topics: str) -> list[int]:
    """What the broker says to a publish to each of them, without user and password."""
    recorder = Recorder()
    async with connected(certified.port, recorder, tls=tls) as mqtt:
        for topic in topics:
            mqtt.publish(topic, b"", topic)
        await recorder.until(lambda: len(recorder.answers) == len(topics))
    said = dict(recorder.answers)
    return [said[topic] for topic in topics]


async def test_a_service_is_known_by_its_certificate_alone(certified: Certified) -> None:
    tls = certified.tls(certified.authority.client("svc-dispatcher"))
    assert await answers(certified, tls, "commands", "elsewhere") == [16, 135]


async def test_no_certificate_is_said_with_the_setting(certified: Certified) -> None:
    assert await refused(certified, certified.tls(None)) == (
        f"{HOST}:{certified.port}: it asks for a client certificate (MQTT_CERT_FILE, MQTT_KEY_FILE)"
    )


async def test_a_foreign_certificate_is_said_with_the_setting(certified: Certified, tmp_path: Path) -> None:
    foreign = Authority(tmp_path, "somebody else").client("svc-dispatcher")
    line = await refused(certified, certified.tls(foreign))
    assert line.startswith(f"{HOST}:{certified.port}: it refuses the client certificate, or that there is none: ")
    assert "MQTT_CERT_FILE" in line


async def test_a_broker_that_is_not_trusted_is_said_with_the_setting(certified: Certified, tmp_path: Path) -> None:
    another = Authority(tmp_path, "somebody else")
    tls = certified.tls(certified.authority.client("svc-dispatcher"), another)
    line = await refused(certified, tls)
    assert line.startswith(f"{HOST}:{certified.port}: its certificate is not trusted: ")
    assert line.endswith("(MQTT_CA_FILE)")


async def test_a_certificate_that_ends_while_the_service_runs_is_refused_and_said(certified: Certified) -> None:
    soon = certified.authority.client("svc-dispatcher", ends_in=dt.timedelta(seconds=1))
    tls = certified.tls(soon)
    await asyncio.sleep(1.5)
    line = await refused(certified, tls)
    assert "certificate expired" in line
    assert "MQTT_CERT_FILE" in line


async def test_renewed_files_are_read_at_the_next_connection(certified: Certified) -> None:
    pair = certified.authority.client("nobody")
    tls = certified.tls(pair)
    assert await answers(certified, tls, "commands") == [135]
    pair.replace(certified.authority.client("svc-dispatcher"))
    assert await answers(certified, tls, "commands") == [16]


async def test_half_of_a_renewed_pair_leaves_the_last_good_one_in_use(certified: Certified) -> None:
    pair = certified.authority.client("svc-dispatcher")
    tls = certified.tls(pair)
    pair.key.write_bytes(certified.authority.client("svc-dispatcher").key.read_bytes())
    with capture_logs() as logs:
        assert await answers(certified, tls, "commands") == [16]
    assert "tls_files_unusable" in {entry["event"] for entry in logs}


async def test_a_protocol_can_be_named_in_the_handshake(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = authority.server()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(server.certificate, server.key)
    context.set_alpn_protocols(["x-amzn-mqtt-ca", "mqtt"])
    named: list[str | None] = []

    async def notes(peer: Peer) -> None:
        named.append(peer.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await peer.accept()
        await peer.closed()

    tls = RenewedContext(TlsFiles("MQTT", "broker", authority.file, alpn="x-amzn-mqtt-ca"))
    async with broker(notes, tls=context) as port, connected(port, Recorder(), tls=tls):
        pass
    assert named == ["x-amzn-mqtt-ca"]
