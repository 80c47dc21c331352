"""What a device remembers survives the death of the simulator."""

from pathlib import Path

from fleetsim.device import Memory
from fleetsim.journal import Journal


def test_last_memory_of_each_device_is_there_after_a_restart(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "state" / "fleet.jsonl")
    journal.keep("acme/device/d1", Memory(version="1"))
    journal.keep("acme/device/d2", Memory(version="1"))
    journal.keep("acme/device/d1", Memory(version="2", handled="x"))
    journal.close()
    again = Journal(tmp_path / "state" / "fleet.jsonl")
    again.close()
    assert again.memories == {
        "acme/device/d1": Memory(version="2", handled="x"),
        "acme/device/d2": Memory(version="1"),
    }


def test_memory_is_in_the_file_as_soon_as_it_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "fleet.jsonl"
    journal = Journal(file)
    journal.keep("acme/device/d1", Memory(version="2"))
    text = file.read_bytes()
    journal.close()
    assert b'"version":"2"' in text


def test_torn_line_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "fleet.jsonl"
    journal = Journal(file)
    journal.keep("acme/device/d1", Memory(version="1"))
    journal.close()
    file.write_bytes(file.read_bytes() + file.read_bytes()[:20])
    again = Journal(file)
    again.close()
    assert again.memories == {"acme/device/d1": Memory(version="1")}


def test_file_is_small_again_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "fleet.jsonl"
    journal = Journal(file)
    for number in range(100):
        journal.keep("acme/device/d1", Memory(version=str(number)))
    journal.close()
    Journal(file).close()
    assert len(file.read_bytes().splitlines()) == 1
