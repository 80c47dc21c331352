"""Names that become MQTT topic levels and Kafka keys: checked once, where they enter."""

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

MAX_LENGTH = 128
_UNSENDABLE = r"\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff"
"""Control characters and what Unicode reserves: a broker ends the connection of whoever publishes to such a topic."""
_EDGE, _INNER = rf"[^/+#\x00-\x20{_UNSENDABLE}]", rf"[^/+#\x00-\x1f{_UNSENDABLE}]"
PATTERN = rf"^{_EDGE}({_INNER}{{0,126}}{_EDGE})?$"
_NAME = re.compile(PATTERN)
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_PLANES = "".join(chr(plane << 16 | last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF))
_UNSENT = re.compile(rf"[\x00-\x1f{_UNSENDABLE}\ud800-\udfff{_PLANES}]")
LINE = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"
"""One line that is not blank."""
LONGEST_VERSION = 100
_LINE = re.compile(LINE)
RULE = "no / + # and no control or reserved characters, no space at either end, at most 128 characters"
"""PATTERN in words, for whoever sent something else."""


def is_storable(text: str) -> bool:
    """True for what has a form in UTF-8 and no NUL: PostgreSQL takes nothing else."""
    return _UNSTORABLE.search(text) is None


def is_topic(text: str) -> bool:
    """True for characters that a broker takes in a topic."""
    return (text.isascii() and text.isprintable()) or _UNSENT.search(text) is None


def is_version(text: str) -> bool:
    """True for what a firmware version may be called: one line that is not blank, of at most 100 characters."""
    return len(text) <= LONGEST_VERSION and _LINE.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """True for 1 to 128 characters that RULE allows."""
    return _NAME.fullmatch(text) is not None and is_topic(text)


def _sendable(text: str) -> str:
    if not is_topic(text):
        raise ValueError(RULE)
    return text


Name = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_LENGTH, pattern=PATTERN), AfterValidator(_sendable)
]
"""A tenant, device or group id in a request body."""
