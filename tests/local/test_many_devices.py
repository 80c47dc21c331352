"""Many devices made at once: which, and what can be named."""

from pathlib import Path

import pytest

from local_stack.errors import StackError
from local_stack.many_devices import names


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ("d[1-3]", ["d1", "d2", "d3"]),
        ("gw-[08-11]-eu", ["gw-08-eu", "gw-09-eu", "gw-10-eu", "gw-11-eu"]),
        ("[5-5]", ["5"]),
    ],
)
def test_pattern_names_each_device_with_the_width_of_its_first_number(wanted: str, ids: list[str]) -> None:
    assert names(wanted) == ids


def test_file_names_a_device_a_line_each_once(tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("d9\n\n  d7 \r\nd9\na\u2028b\n", encoding="utf-8")
    assert names(str(file)) == ["d9", "d7", "a\u2028b"]


@pytest.mark.parametrize("wanted", ["nothing", "d[3-1]", "d[1-999999]", "d[1-2][3-4]"])
def test_what_names_no_devices_or_too_many_is_refused(wanted: str) -> None:
    with pytest.raises(StackError, match="d"):
        names(wanted)
