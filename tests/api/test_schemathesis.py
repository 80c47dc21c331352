"""What schemathesis generates from the OpenAPI, right and wrong, finds nothing in the real services."""

import asyncio
import sys
from pathlib import Path

import pytest

from local_stack.ports import HOST
from tests.api.world import OPENAPI, World, served
from tests.rest import token

EXCLUDED = (
    "positive_data_acceptance",  # what fits the schema may be refused: an unknown group, a device named twice
    "allow_header_conformance",  # a device may be called "bulk": /customer/devices/bulk has all methods of a device
)
EXAMPLES = 10
"""For each operation in the fuzzing phase. The coverage phase tries every boundary of the schema, the stateful one
follows ids from one operation to the next."""


@pytest.mark.parametrize("service", ["catalog-svc", "campaign-svc"])
async def test_schemathesis_finds_nothing(world: World, service: str, tmp_path: Path) -> None:
    app = {"catalog-svc": world.catalog_app, "campaign-svc": world.campaign_app}[service]
    await world.campaign()
    async with served(app) as port:
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("st"),
            "run",
            OPENAPI / f"{service}.json",
            f"--url=http://{HOST}:{port}",
            f"--header=Authorization: Bearer {token('admin')}",
            f"--exclude-checks={','.join(EXCLUDED)}",
            "--exclude-path-regex=/events$",  # streams, which do not end
            f"--max-examples={EXAMPLES}",
            "--seed=1",
            "--no-color",
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
    assert process.returncode == 0, output.decode()
