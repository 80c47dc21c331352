"""Lines of a CSV file become devices, or errors that say what is wrong in which line. Pure.

The first line names the columns: device_id, device_type and, if wanted, current_version and attributes.<name>. UTF-8
with or without a byte order mark, lines ended by LF or CRLF, blank lines are passed over, fields may be quoted
(RFC 4180). Fields are separated by commas, or by what separates the header's: semicolons (spreadsheets write them where
the comma is the decimal point) or tabs. A quote that is never closed is an error of its line alone: the lines after it
are still read.
"""

import csv
import re
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from pydantic import ValidationError

from campaign_svc.fleet.fleet_schemas import NewDevice
from pulse.runtime.errors import LineError
from pulse.runtime.problems import field_error

MAX_LINE_BYTES = 65_536
MAX_RECORD_LINES = 20
"""A quoted field may go on over so many lines."""
REQUIRED = ("device_id", "device_type")
OPTIONAL = ("current_version",)
ATTRIBUTE = "attributes."
_SEPARATOR = re.compile(r'(?:"[^"]*"|[^",;\t])*([,;\t])')
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True, slots=True)
class GivenLine:
    """A device, and the line that it begins in (the header is line 1)."""

    number: int
    device: NewDevice


class DeviceCsv:
    """Reads `file` from its beginning; `header_errors` first, then, if there are none, `lines`."""

    def __init__(self, file: BinaryIO) -> None:
        lines = _lines(file)
        ahead = list(_up_to_header(lines))
        self._separator = _separator(ahead[-1][1]) if ahead else ","
        self._records = _records(chain(ahead, lines), self._separator)
        _, header = next(self._records, (1, []))
        self._columns = header if isinstance(header, list) else []
        self.header_errors = _header_errors(header) if isinstance(header, list) else [header]

    @property
    def has_attributes(self) -> bool:
        """Whether a device's attributes are given; without such a column they stay as they are."""
        return any(column.startswith(ATTRIBUTE) for column in self._columns)

    def lines(self) -> Iterator[GivenLine | LineError]:
        """All that is there, in the file's order; a line may have several errors."""
        for number, cells in self._records:
            if isinstance(cells, LineError):
                yield cells
            elif len(cells) != len(self._columns):
                by = _SEPARATORS[self._separator]
                detail = f"{len(cells)} fields, but the header has {len(self._columns)}, separated by {by}"
                yield LineError("line", "field_count", detail, number)
            else:
                yield from self._device(number, cells)

    def _device(self, number: int, cells: list[str]) -> Iterator[GivenLine | LineError]:
        given = {column: cell for column, cell in zip(self._columns, cells, strict=True) if cell}
        attributes = {c.removeprefix(ATTRIBUTE): v for c, v in given.items() if c.startswith(ATTRIBUTE)}
        fields: dict[str, object] = {column: given.get(column, "") for column in REQUIRED}
        fields["current_version"] = given.get("current_version")
        fields["attributes"] = attributes if self.has_attributes else None
        try:
            yield GivenLine(number, NewDevice.model_validate(fields))
        except ValidationError as error:
            yield from _line_errors(number, error)


def _line_errors(number: int, error: ValidationError) -> Iterator[LineError]:
    """One for each field, whatever pydantic tried on it."""
    seen: set[str] = set()
    for found in error.errors():
        field = ".".join(str(part) for part in found["loc"][:2])
        if field not in seen:
            seen.add(field)
            problem = field_error(found)
            yield LineError(field, problem.code, problem.detail, number)


def _header_errors(columns: list[str]) -> list[LineError]:
    missing = [LineError(c, "required", "this column is missing", 1) for c in REQUIRED if c not in columns]
    unknown = [
        LineError(column, "unknown_field", f"columns are {', '.join(REQUIRED + OPTIONAL)}, {ATTRIBUTE}<name>", 1)
        for column in dict.fromkeys(columns)
        if column not in REQUIRED + OPTIONAL and not (column.startswith(ATTRIBUTE) and column != ATTRIBUTE)
    ]
    twice = [
        LineError(column, "duplicate_column", "this column is there twice", 1)
        for column, number in Counter(columns).items()
        if number > 1
    ]
    return missing + unknown + twice


def _lines(file: BinaryIO) -> Iterator[tuple[int, str | LineError]]:
    """Each line by its number, without its end; a byte order mark is passed over."""
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if len(line) > MAX_LINE_BYTES:
            while not line.endswith(b"\n") and (line := file.readline(MAX_LINE_BYTES)):
                continue
            yield number, LineError("line", "too_long", f"longer than {MAX_LINE_BYTES} bytes", number)
            continue
        try:
            yield number, line.rstrip(b"\r\n").decode()
        except UnicodeDecodeError as error:
            yield number, LineError("line", "not_utf8", f"is not UTF-8 at its byte {error.start + 1}", number)


def _up_to_header(lines: Iterator[tuple[int, str | LineError]]) -> Iterator[tuple[int, str | LineError]]:
    """The first line that is not blank, and those before it."""
    for number, text in lines:
        yield number, text
        if isinstance(text, LineError) or text.strip():
            return


def _separator(header: str | LineError) -> str:
    """The first sign between the header's columns; none in a column's name counts that is quoted."""
    found = _SEPARATOR.match(header) if isinstance(header, str) else None
    return found[1] if found else ","


def _records(
    lines: Iterator[tuple[int, str | LineError]], separator: str
) -> Iterator[tuple[int, list[str] | LineError]]:
    """The fields of each line, or of several where a quoted field has line ends; by the number of the first one."""
    ahead: deque[tuple[int, str | LineError]] = deque()
    while line := (ahead.popleft() if ahead else next(lines, None)):
        number, text = line
        if isinstance(text, LineError):
            yield number, text
        elif '"' not in text:
            if text.strip():
                yield number, text.split(separator)
        else:
            more = _continuation(text, ahead, lines)
            cells = _quoted("\n".join([text, *more]), separator)
            if cells is not None:
                for _ in more:
                    ahead.popleft()
            yield number, LineError("line", "bad_quotes", "the quotes do not fit", number) if cells is None else cells


def _continuation(
    text: str, ahead: deque[tuple[int, str | LineError]], lines: Iterator[tuple[int, str | LineError]]
) -> list[str]:
    """The lines after `text` up to the one that closes its open quote; they stay `ahead`. Empty if none does."""
    more: list[str] = []
    quotes = text.count('"')
    while quotes % 2:
        if len(more) == len(ahead) and (line := next(lines, None)):
            ahead.append(line)
        following = ahead[len(more)][1] if len(more) < len(ahead) else None
        if not isinstance(following, str) or len(more) == MAX_RECORD_LINES - 1:
            return []
        more.append(following)
        quotes += following.count('"')
    return more


def _quoted(record: str, separator: str) -> list[str] | None:
    if record.count('"') % 2:
        return None
    try:
        return next(csv.reader([record], delimiter=separator, strict=True))
    except csv.Error:
        return None
