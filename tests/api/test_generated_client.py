"""A client that a generator makes from the OpenAPI works against the real services."""

import asyncio
import sys
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.api.world import OPENAPI, World, behind_gateway
from tests.rest import token

CONFIG = """
post_hooks: []
content_type_overrides: {text/csv: application/octet-stream}
package_name_override: """


async def generate(service: str, folder: Path) -> str:
    """Generates a client of the service; the name of its package."""
    config = folder / "config.yaml"
    package = f"{service.replace('-', '_')}_client"
    config.write_text(CONFIG + package, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("openapi-python-client"),
        "generate",
        f"--path={OPENAPI / service}.json",
        f"--config={config}",
        f"--output-path={folder / package}",
        "--meta=none",
        "--fail-on-warning",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return package


@pytest.fixture(scope="module")
async def url(world: World, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with behind_gateway(world, tmp_path_factory.mktemp("door")) as gateway:
        yield gateway.url


class Generated:
    """A generated package, and its client for an operator of acme."""

    def __init__(self, package: str, url: str) -> None:
        self.package = package
        self.client = import_module(package).AuthenticatedClient(base_url=url, token=token("operator"))

    def model(self, name: str) -> Any:
        return getattr(import_module(f"{self.package}.models"), name)

    async def call(self, tag: str, operation: str, *path: object, **more: Any) -> Any:
        """The answer in the client's own types."""
        return await import_module(f"{self.package}.api.{tag}.{operation}").asyncio(*path, client=self.client, **more)


async def test_a_generated_client_takes_a_campaign_from_firmware_to_its_devices(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    catalog = Generated(await generate("catalog-svc", tmp_path), url)
    async with catalog.client:
        firmware = await catalog.call(
            "firmware",
            "register_firmware",
            body=catalog.model("NewFirmware")(
                version="1.0", file_url="http://files/f", file_size_bytes=9, checksum_sha256="ab" * 32
            ),
        )
        assert (firmware.status, firmware.version) == ("ACTIVE", "1.0")
        assert [one.id for one in (await catalog.call("firmware", "list_firmware")).firmware_versions] == [firmware.id]
    service = Generated(await generate("campaign-svc", tmp_path), url)
    async with service.client:
        devices = [service.model("NewDevice")(device_id=f"d{n}", device_type="gw2") for n in range(3)]
        bulk = await service.call("devices", "register_devices", body=service.model("DeviceBulk")(devices=devices))
        assert (bulk.created, bulk.updated) == (3, 0)
        await service.call("device_groups", "create_group", body=service.model("NewGroup")(group_id="g", name="G"))
        members = service.model("Members")(device_ids=["d0", "d1", "d2"])
        assert (await service.call("device_groups", "add_members", "g", body=members)).added == 3
        new = service.model("NewCampaign")(name="first", firmware_version_id=firmware.id, target_group_id="g")
        assert (await service.call("campaigns", "create_campaign", body=new, preview=True)).would_update == 3
        campaign = await service.call("campaigns", "create_campaign", body=new, idempotency_key="once")
        again = await service.call("campaigns", "create_campaign", body=new, idempotency_key="once")
        assert (campaign.id, campaign.total_devices) == (again.id, 3)
        started = await service.call(
            "campaigns", "start_campaign", campaign.id, body=service.model("Reason")(reason="go")
        )
        assert (started.status, started.control) == ("RUNNING", "announced")
        rows = await service.call("campaigns", "list_campaign_devices", campaign.id, limit=2)
        assert ([row.device_id for row in rows.devices], rows.total) == (["d0", "d1"], 3)
        timeline = await service.call("campaigns", "get_campaign_timeline", campaign.id)
        assert [entry.event for entry in timeline.entries] == ["created", "started"]
