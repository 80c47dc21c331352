"""A device that is deleted has no account any more, and one made anew under its name gets its own."""

import asyncio

from local_stack import devices
from local_stack.mqtt_probe import connect_code
from tests.e2e.arrange import DEVICE_TYPE, Site

ACCEPTED = 0
REFUSED = (134, 135)


async def test_the_password_of_a_deleted_device_opens_nothing_also_for_the_next_one_of_its_name(site: Site) -> None:
    port = int(site.stack["MQTT_PORT"])
    name = "here? 100%"

    async def made() -> devices.DeviceAccount:
        return await asyncio.to_thread(devices.make, site.stack.folder, site.tenant, name, DEVICE_TYPE)

    async def code(account: devices.DeviceAccount) -> int | None:
        return await asyncio.to_thread(connect_code, port, account.user, account.password)

    first = await made()
    assert await code(first) == ACCEPTED
    await asyncio.sleep(3)  # somebody has looked
    gone = await site.http.delete("/customer/devices/here%3F%20100%25", headers=site.bearing("admin"))
    assert gone.status_code == 204, gone.text
    again = {"device_id": name, "device_type": DEVICE_TYPE}
    await site.post("/customer/devices", again)
    async with asyncio.timeout(10):
        while await code(first) not in REFUSED:
            await asyncio.sleep(0.1)
    second = await made()
    assert (await code(first) in REFUSED, await code(second)) == (True, ACCEPTED)
    await asyncio.sleep(5)
    assert await code(second) == ACCEPTED
