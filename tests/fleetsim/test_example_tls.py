"""The example device reaches a broker that speaks TLS, with a password or with a certificate of its own."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest

from pulse.contracts.mqtt import user_name
from tests.fleetsim.dispatcher import Dispatcher
from tests.fleetsim.http_files import file, serving
from tests.fleetsim.test_example_device import example
from tests.fleetsim.tls_broker import TlsBroker, tls_broker

USER = user_name("acme", "example")
ACCOUNTS = {USER: "secret", "admin": "secret"}


@asynccontextmanager
async def services(broker: TlsBroker, certificate: tuple[Path, Path] | None = None) -> AsyncIterator[Dispatcher]:
    """The services' side, and the file that commands name."""
    context = ssl.create_default_context(cafile=broker.authority)
    if certificate is not None:
        context.load_cert_chain(*certificate)
    admin = aiomqtt.Client(
        "127.0.0.1",
        broker.port,
        username="admin",
        password="secret",
        protocol=aiomqtt.ProtocolVersion.V5,
        tls_context=context,
    )
    async with serving({"/fw.bin": file(Dispatcher.body)}) as url, admin as client:
        await client.subscribe("tenant/+/device/+/ota/status", qos=1)
        yield Dispatcher(client, url)


def options(broker: TlsBroker, folder: Path, **more: str) -> dict[str, str]:
    own = {"tenant": "acme", "device": "example", "version": "1.0.0", "state": str(folder / "device.json")}
    return own | {"port": str(broker.port), "ca": str(broker.authority)} | more


async def test_example_updates_itself_over_tls(tmp_path: Path) -> None:
    async with (
        tls_broker(tmp_path, ACCOUNTS, certificates=False) as broker,
        services(broker) as dispatcher,
        example(options(broker, tmp_path, password="secret")),
    ):
        assert await dispatcher.hear() == {"device": "example", "version": "1.0.0"}
        await dispatcher.command("example")
        assert (await dispatcher.hear_until("SUCCESS"))[-1]["version"] == "2.0.0"


async def test_example_shows_its_own_certificate_in_place_of_a_password(tmp_path: Path) -> None:
    async with tls_broker(tmp_path, {}, certificates=True) as broker:
        admin = await broker.certificate_for("admin")
        async with services(broker, admin) as dispatcher:
            certificate, key = await broker.certificate_for(USER)
            async with example(options(broker, tmp_path, cert=str(certificate), key=str(key))):
                assert await dispatcher.hear() == {"device": "example", "version": "1.0.0"}
                await dispatcher.command("example")
                assert (await dispatcher.hear_until("SUCCESS"))[-1]["version"] == "2.0.0"


async def test_example_does_not_speak_with_a_broker_that_its_authority_has_not_signed(tmp_path: Path) -> None:
    (tmp_path / "another").mkdir()
    async with tls_broker(tmp_path, ACCOUNTS, certificates=False) as broker:
        async with tls_broker(tmp_path / "another", {}, certificates=False) as other:
            foreign = str(other.authority)
        stranger = example(options(broker, tmp_path, password="secret") | {"ca": foreign})
        async with services(broker) as dispatcher, stranger:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(3):
                    await dispatcher.hear()
