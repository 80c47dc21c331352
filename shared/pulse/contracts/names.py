"""Names that become MQTT topic levels and Kafka keys: checked once, where they enter."""

import re
from typing import Annotated

from pydantic import StringConstraints

MAX_LENGTH = 128
_EDGE, _INNER = r"[^/+#\x00-\x20\x7f]", r"[^/+#\x00-\x1f\x7f]"
PATTERN = rf"^{_EDGE}({_INNER}{{0,126}}{_EDGE})?$"
_NAME = re.compile(PATTERN)
RULE = "no / + # and no control characters, no space at either end, at most 128 characters"
"""PATTERN in words, for whoever sent something else."""


def is_name(text: str) -> bool:
    """True for 1 to 128 characters without `/`, `+`, `#` or a control character, and no space at either end."""
    return _NAME.fullmatch(text) is not None


Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_LENGTH, pattern=PATTERN)]
"""A tenant, device or group id in a request body."""
