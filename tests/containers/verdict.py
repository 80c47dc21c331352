"""What must be true after a campaign through everything that can happen to containers."""

from collections import Counter
from pathlib import Path

from tests.chaos.watch import MISCOUNTED, TWICE_ACTIVE
from tests.containers.fleet import NEW, Fleet, Json
from tests.containers.stack import Stack, until


def nothing_is_lost(fleet: Fleet, ended: Json, folder: Path) -> None:
    """Rows, counters and what the devices themselves know say the same; each device did its update once."""
    stack, tenant, devices = fleet.stack, fleet.tenant, fleet.size
    assert (ended["total_devices"], ended["succeeded"], ended["failed"]) == (devices, devices, 0)
    states = stack.rows(f"SELECT status, count(*) FROM ota_device_status WHERE tenant_id = '{tenant}' GROUP BY 1")
    assert states == [["SUCCESS", str(devices)]]
    for query in (MISCOUNTED, TWICE_ACTIVE):
        assert stack.rows(query.replace("$1", f"ARRAY['{tenant}']")) == []
    memories = fleet.memories(folder)
    assert Counter(memory.version for memory in memories.values()) == {NEW: devices}
    assert not [user for user, memory in memories.items() if memory.at_hand or memory.waiting]
    assert quarantined(stack) == 0


def quarantined(stack: Stack) -> int:
    """Messages that the services could not take."""
    tool = ("/opt/kafka/bin/kafka-get-offsets.sh", "--bootstrap-server", "localhost:9092")
    said = stack.compose("exec", "-T", "kafka", *tool, "--topic", "ota.quarantine.v1")
    return sum(int(line.rpartition(":")[2]) for line in said.split())


def each_installed_once(fleet: Fleet) -> None:
    """So says the simulator, which has not been started anew since the campaign began."""
    until(lambda: fleet.counted("installed") >= fleet.size, "the simulator has seen every device install", 20)
    assert (fleet.counted("installed"), fleet.counted("failed")) == (fleet.size, 0)
