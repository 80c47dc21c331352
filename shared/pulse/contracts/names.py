"""Names that become MQTT topic levels, Kafka keys, lines and addresses: checked once, where they enter."""

import re
from typing import Annotated
from urllib.parse import quote

from pydantic import AfterValidator, StringConstraints

MAX_LENGTH = 128
_LINE_ENDS = r"\u2028\u2029"
"""They end a line for many a reader, as control characters do: a file with a name a line would hold two."""
_UNSENDABLE = r"\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff"
"""Control characters and what Unicode reserves: a broker ends the connection of whoever publishes to such a topic."""
_BLANK = r"\x20\xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
_EDGE, _INNER = rf"/+#\x00-\x20{_UNSENDABLE}{_LINE_ENDS}", rf"/+#\x00-\x1f{_UNSENDABLE}{_LINE_ENDS}"
PATTERN = rf"^([^.{_EDGE}]([^{_INNER}]*[^{_EDGE}])?|\.+([^.{_EDGE}]|[^.{_INNER}][^{_INNER}]*[^{_EDGE}]))$"
"""Not dots alone: in an address `.` and `..` are steps, which browsers and proxies take before a server sees them."""
_NAME = re.compile(PATTERN)
ONCE_PATTERN = rf"^[^/+#\x00-\x20{_UNSENDABLE}]([^/+#\x00-\x1f{_UNSENDABLE}]*[^/+#\x00-\x20{_UNSENDABLE}])?$"
"""What a name could be at any time: things that were named under an earlier rule can still be read and deleted."""
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_PLANES = "".join(chr(plane << 16 | last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF))
_UNSENT = re.compile(rf"[\x00-\x1f{_UNSENDABLE}\ud800-\udfff{_PLANES}]")
_OUT_OF_LINE = rf"\x00-\x1f\x7f-\x9f{_LINE_ENDS}"
LINE = rf"^[^{_OUT_OF_LINE}]*[^{_BLANK}{_OUT_OF_LINE}][^{_OUT_OF_LINE}]*$"
"""One line that is not blank."""
VERSION = rf"^[^{_BLANK}{_OUT_OF_LINE}]([^{_OUT_OF_LINE}]*[^{_BLANK}{_OUT_OF_LINE}])?$"
"""One line without a blank at either end: nobody sees it, and no device would ever say it."""
LONGEST_VERSION = 100
_VERSION = re.compile(VERSION)
RULE = (
    "no / + # and no control or reserved characters or line ends, no space at either end, not dots alone, "
    f"at most {MAX_LENGTH} characters"
)
"""PATTERN in words, for whoever sent something else."""
LINE_RULE = "one line that is not blank, without control characters"
VERSION_RULE = (
    f"one line without a blank at either end and without control characters, at most {LONGEST_VERSION} characters"
)
RULES = {PATTERN: RULE, ONCE_PATTERN: RULE, LINE: LINE_RULE, VERSION: VERSION_RULE}
"""Each pattern in words."""


def is_storable(text: str) -> bool:
    """True for what has a form in UTF-8 and no NUL: PostgreSQL takes nothing else."""
    return _UNSTORABLE.search(text) is None


def is_topic(text: str) -> bool:
    """True for characters that a broker takes in a topic."""
    return (text.isascii() and text.isprintable()) or _UNSENT.search(text) is None


def is_version(text: str) -> bool:
    """True for what a firmware version may be called: what VERSION_RULE allows."""
    return len(text) <= LONGEST_VERSION and _VERSION.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """True for 1 to 128 characters that RULE allows."""
    return len(text) <= MAX_LENGTH and _NAME.fullmatch(text) is not None and is_topic(text)


def in_address(name: str) -> str:
    """The name as one segment of an address: every character that means something there is escaped."""
    return quote(name, safe="")


def _sendable(text: str) -> str:
    if not is_topic(text):
        raise ValueError(RULE)
    return text


Name = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_LENGTH, pattern=PATTERN), AfterValidator(_sendable)
]
"""A tenant, device or group id in a request body."""
