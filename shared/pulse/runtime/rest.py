"""What the REST services' requests and answers have in common: strict bodies, safe texts, times, pages."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from fastapi import Path
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
)
from pydantic_core import PydanticKnownError

from pulse.contracts.names import (
    LINE,
    LONGEST_VERSION,
    MAX_LENGTH,
    ONCE_PATTERN,
    RULE,
    VERSION,
    is_storable,
)
from pulse.contracts.times import to_text
from pulse.runtime.errors import FieldError, Invalid

MAX_OFFSET = 10_000
COUNTED_TO = 10_000
"""Totals that no counter has are counted up to here."""


class Body(BaseModel):
    """A request body or a set of query parameters: unknown fields are errors, texts are never NUL."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


class Answer(BaseModel):
    """What an answer is made of. The text under a field is its description in the OpenAPI, as in a Body."""

    model_config = ConfigDict(use_attribute_docstrings=True)


def example(fields: dict[str, Any]) -> ConfigDict:
    """A `model_config` with a body that the API takes, for the OpenAPI."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


LAST_YEAR = 9998
"""Of a time in a request: the calendar's ends are infinity to the database's driver, and leave zones no room."""


RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
TIME_RULE = "a time as RFC 3339 text with its offset, such as 2026-11-30T18:00:00Z"


def _text(moment: object) -> object:
    """A number would be read as seconds since 1970, or as milliseconds, by its size."""
    if isinstance(moment, datetime) or (isinstance(moment, str) and RFC3339.fullmatch(moment)):
        return moment
    raise ValueError(TIME_RULE)


def _utc(moment: datetime) -> datetime:
    if not 1970 <= moment.year <= LAST_YEAR:
        raise ValueError(f"a time from 1970 to {LAST_YEAR}")
    return moment.astimezone(UTC)


PLAIN_NUMBER = re.compile(r"0|-?[1-9][0-9]*")


def _plain(number: object) -> object:
    """Python reads `+7`, `7_0` and ` 7` as numbers, too: whoever writes such a path means something else."""
    if isinstance(number, str) and not PLAIN_NUMBER.fullmatch(number):
        raise PydanticKnownError("int_parsing")
    return number


Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=4000)]
Title = Annotated[str, StringConstraints(pattern=LINE, max_length=200)]
Version = Annotated[str, StringConstraints(pattern=VERSION, max_length=LONGEST_VERSION)]
Timestamp = Annotated[datetime, PlainSerializer(to_text, return_type=str)]
"""RFC 3339 in UTC with six fractional digits."""
Moment = Annotated[AwareDatetime, BeforeValidator(_text), AfterValidator(_utc)]
"""A time in a request: RFC 3339 text, its offset named. No form can ask for the future: see `must_be_ahead`."""
MAX_BIGINT = 2**63 - 1
PLAIN = BeforeValidator(_plain)
"""For a number in a path: decimal digits and nothing else."""
RowId = Annotated[int, Field(ge=1, le=MAX_BIGINT), PLAIN, Path(description="Its `id`, from 1, in decimal digits.")]
NamedInPath = Annotated[
    str,
    Path(
        min_length=1,
        max_length=MAX_LENGTH,
        pattern=ONCE_PATTERN,
        description=f"Its id, percent-encoded: {RULE}.",
    ),
]
"""A device or group in a path: what could never be a name is refused, not looked for."""
LONGEST_CURSOR = 1000
"""Characters: more than a name of the longest kind takes, each character four bytes of UTF-8."""


def _fits(part: object) -> bool:
    """Whether the database can take this part of a cursor."""
    if isinstance(part, int):
        return abs(part) <= MAX_BIGINT
    return isinstance(part, str) and is_storable(part)


def must_be_ahead(now: datetime, **moments: datetime | None) -> None:
    """Refuses moments that are not after `now`, by their fields' names. Raises Invalid.

    Not part of a form: the clock is looked at when the request's idempotency key is known not to be used yet, or a
    repeat would be refused for what was right when it was done.
    """
    past = [name for name, moment in moments.items() if moment is not None and moment <= now]
    if past:
        errors = tuple(FieldError(name, Invalid.code, "a time in the future") for name in past)
        raise Invalid(f"{past[0]}: a time in the future", errors=errors)


class Page(Body):
    """Which part of a list: `after` (the `next` of the page before) or `offset`."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    """At most so many items, 1 to 200."""
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET)] = 0
    """So many items are passed over, 0 to 10,000. For longer lists use `after`."""
    after: Annotated[str | None, Field(max_length=LONGEST_CURSOR)] = None
    """The `next` of the page before, unchanged: the list goes on behind it. Not together with `offset`."""

    def key(self, *kinds: type) -> list[Any] | None:
        """The values in `after`, or None for a first page. Raises Invalid for what no `next` ever was."""
        if self.after is None:
            return None
        if self.offset:
            raise Invalid(
                "give `after` or `offset`, not both", errors=(FieldError("offset", "conflict", "not with after"),)
            )
        try:
            key = json.loads(urlsafe_b64decode(self.after.encode() + b"=="))
        except ValueError:
            key = None
        if not isinstance(key, list) or [type(part) for part in key] != list(kinds) or not all(map(_fits, key)):
            detail = "`after` must be the `next` of an earlier page"
            raise Invalid(detail, errors=(FieldError("after", "bad_cursor", detail),))
        return key

    def holds_all(self, rows: Sequence[Any]) -> bool:
        """Whether these rows, of which one more than `limit` was asked for, are the whole list: no need to count it."""
        return self.after is None and self.offset == 0 and len(rows) <= self.limit


class Listed(Answer):
    """What every list says besides its items. `total` is counted to 10,000 where no counter has it."""

    total: int
    """Items that fit the filters, over all pages; at most 10,000 where `total_capped`."""
    total_capped: bool
    """True: there are more items than `total`, which was counted no further."""
    limit: int
    """The `limit` of the request."""
    offset: int
    """The `offset` of the request."""
    next: str | None
    """Give it as `after` to have the next page; null on the last one."""


R = TypeVar("R")


def listed(
    rows: Sequence[R], page: Page, total: int, key: Callable[[R], list[Any]], *, capped: bool = False
) -> dict[str, Any]:
    """The fields of `Listed` for a page of rows, of which one more than `limit` was asked for."""
    more = len(rows) > page.limit
    cursor = _cursor(key(rows[page.limit - 1])) if more else None
    return {"total": total, "total_capped": capped, "limit": page.limit, "offset": page.offset, "next": cursor}


def _cursor(key: list[Any]) -> str:
    """The key of a page's last row as text that needs no escaping in an address."""
    return urlsafe_b64encode(json.dumps(key, ensure_ascii=False).encode()).rstrip(b"=").decode()


def like(search: str | None) -> str | None:
    """A LIKE pattern that finds `search` anywhere, taking nothing in it as a wildcard."""
    if not search:
        return None
    for sign in "\\%_":
        search = search.replace(sign, "\\" + sign)
    return f"%{search}%"
