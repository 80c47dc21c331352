"""What the tests of devices share: the services' side of the wire, and the file that its commands name."""

from collections.abc import AsyncIterator

import pytest

from tests import real_parts
from tests.fleetsim.dispatcher import Dispatcher, administrator
from tests.fleetsim.http_files import file, serving


@pytest.fixture
async def dispatcher(mosquitto: real_parts.Broker) -> AsyncIterator[Dispatcher]:
    firmware = file(Dispatcher.body)
    async with serving({"/fw.bin": firmware, "/slow.bin": firmware}) as url, administrator(mosquitto) as client:
        await client.subscribe("tenant/+/device/+/ota/status", qos=1)
        yield Dispatcher(client, url)
