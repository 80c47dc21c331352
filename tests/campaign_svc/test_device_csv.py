"""Lines of a CSV file, one by one: which become devices, and what is said of the others."""

import time
from io import BytesIO

import pytest

from campaign_svc.fleet.device_csv import MAX_LINE_BYTES, DeviceCsv, GivenLine

HEAD = "device_id,device_type,current_version,attributes.site\n"


def devices(content: str | bytes) -> dict[int, tuple[object, ...]]:
    """By line; fails when any line is wrong."""
    given = DeviceCsv(BytesIO(content if isinstance(content, bytes) else content.encode()))
    assert given.header_errors == []
    found: dict[int, tuple[object, ...]] = {}
    for line in given.lines():
        assert isinstance(line, GivenLine), line
        device = line.device
        found[line.number] = (device.device_id, device.device_type, device.current_version, device.attributes)
    return found


def errors(content: str | bytes) -> list[tuple[int, str, str]]:
    given = DeviceCsv(BytesIO(content if isinstance(content, bytes) else content.encode()))
    wrong = [*given.header_errors, *(line for line in given.lines() if not isinstance(line, GivenLine))]
    return [(error.line, error.field, error.code) for error in wrong]


def test_columns_are_found_by_name_in_any_order_and_empty_cells_are_left_out() -> None:
    assert devices("attributes.site,device_type,device_id\nBern,gw2,d1\n,gw2,d2\n") == {
        2: ("d1", "gw2", None, {"site": "Bern"}),
        3: ("d2", "gw2", None, {}),
    }


def test_without_attribute_columns_attributes_are_not_given() -> None:
    assert devices("device_id,device_type\nd1,gw2\n") == {2: ("d1", "gw2", None, None)}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_byte_order_mark_line_ends_and_blank_lines_are_passed_over(end: str) -> None:
    lines = ["\ufeffdevice_id,device_type", "", "d1,gw2", "   ", "d2,gw2", "", ""]
    assert list(devices(end.join(lines))) == [3, 5]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_header_s_separator_is_that_of_every_line(separator: str) -> None:
    rows = [
        ["\ufeffdevice_id", "device_type", "current_version", "attributes.note"],
        ["d1", "gw2", "1.0", '"a,b;c\td"'],
        ["d2", "gw2", "", "plain"],
    ]
    content = "\r\n".join(separator.join(row) for row in rows)
    assert devices(content) == {
        2: ("d1", "gw2", "1.0", {"note": "a,b;c\td"}),
        3: ("d2", "gw2", None, {"note": "plain"}),
    }


def test_a_decimal_comma_and_a_quoted_header_are_read_where_semicolons_separate() -> None:
    content = '"device_id";"device_type";"attributes.a,b"\nd1;gw2;1,5\n"d2";"gw2";"2,5"\n'
    assert devices(content) == {2: ("d1", "gw2", None, {"a,b": "1,5"}), 3: ("d2", "gw2", None, {"a,b": "2,5"})}


def test_a_line_with_another_separator_than_the_header_is_told_which_it_should_have() -> None:
    given = DeviceCsv(BytesIO(b"device_id;device_type\nd1,gw2\n"))
    [error] = given.lines()
    assert not isinstance(error, GivenLine)
    assert error.detail == "1 fields, but the header has 2, separated by semicolons"


def test_quoted_fields_may_hold_commas_quotes_and_line_ends() -> None:
    content = HEAD + 'd1,"gw2",,"Bern, ""old"" town"\nd2,gw2,1.0,"two\nlines"\nd3,gw2,,x\n'
    assert devices(content) == {
        2: ("d1", "gw2", None, {"site": 'Bern, "old" town'}),
        3: ("d2", "gw2", "1.0", {"site": "two\nlines"}),
        5: ("d3", "gw2", None, {"site": "x"}),
    }


@pytest.mark.parametrize(
    ("line", "field", "code"),
    [
        ("d1,gw2,1.0", "line", "field_count"),
        ("d1,gw2,1.0,x,y", "line", "field_count"),
        ('d1,"gw2,1.0,x', "line", "bad_quotes"),
        ('d1,"gw"2,1.0,x', "line", "bad_quotes"),
        ('d1,5" disk,1.0,x', "line", "bad_quotes"),
        (",gw2,1.0,x", "device_id", "too_short"),
        ("d1,,1.0,x", "device_type", "too_short"),
        ("a/b,gw2,1.0,x", "device_id", "bad_format"),
        ("d1,g#,1.0,x", "device_type", "bad_format"),
        (" d1,gw2,1.0,x", "device_id", "bad_format"),
        ("d\0,gw2,1.0,x", "device_id", "bad_format"),
        ("d1,gw2," + "9" * 101 + ",x", "current_version", "too_long"),
        ("d1,gw2,1.0," + "x" * 501, "attributes.site", "too_long"),
        ("d1,gw2,1.0," + "x" * MAX_LINE_BYTES, "line", "too_long"),
    ],
)
def test_a_wrong_line_is_named_and_the_lines_around_it_are_still_read(line: str, field: str, code: str) -> None:
    content = f"{HEAD}before,gw2,,\n{line}\nafter,gw2,,\nbad/one,gw2,,\n"
    assert errors(content) == [(3, field, code), (5, "device_id", "bad_format")]


def test_bytes_that_are_not_utf8_are_an_error_of_their_line() -> None:
    assert errors(HEAD.encode() + b"d1,gw2,,Z\xfcrich\nd2,gw2,,x\n") == [(2, "line", "not_utf8")]


def test_two_wrong_fields_of_a_line_are_two_errors() -> None:
    assert errors(HEAD + "a/b,,1.0,x\n") == [(2, "device_id", "bad_format"), (2, "device_type", "too_short")]


@pytest.mark.parametrize(
    ("header", "field", "code"),
    [
        ("", "device_id", "required"),
        ("device_type\n", "device_id", "required"),
        ("device_id\n", "device_type", "required"),
        ("device_id,device_type,colour\n", "colour", "unknown_field"),
        ("device_id,device_type,attributes.\n", "attributes.", "unknown_field"),
        ("device_id|device_type\n", "device_id", "required"),
        ("device_id;colour,device_type\n", "device_type", "required"),
        ("device_id,device_type,device_id\n", "device_id", "duplicate_column"),
        ("device_id,device_type,attributes.a,attributes.a\n", "attributes.a", "duplicate_column"),
    ],
)
def test_a_wrong_header_names_its_columns(header: str, field: str, code: str) -> None:
    assert errors(header)[0] == (1, field, code)


def test_a_header_of_very_many_columns_is_read_in_passing() -> None:
    header = ",".join(f"{n:x}" for n in range(13_000))
    assert len(header) < MAX_LINE_BYTES
    began = time.process_time()
    assert len(errors(header)) == 13_002
    assert time.process_time() - began < 0.5


def test_a_header_that_cannot_be_read_is_an_error_of_line_1() -> None:
    assert errors("device_id,device_type\n".encode("utf-16"))[0] == (1, "line", "not_utf8")
