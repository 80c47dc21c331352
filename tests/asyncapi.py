"""Whether a message fits its schema in the committed AsyncAPI."""

from datetime import datetime
from functools import cache
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker

from local_stack.layout import ROOT

FILE = ROOT / "deploy" / "asyncapi" / "pulse-ota.yaml"
TIMES = FormatChecker(formats=())


@TIMES.checks("date-time", raises=ValueError)
def _is_a_time(value: object) -> bool:
    """RFC 3339 in UTC with six fractional digits."""
    return not isinstance(value, str) or bool(datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ"))  # noqa: DTZ007


@cache
def _document() -> Any:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


@cache
def _validator(name: str) -> Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": _document()["components"]}
    return Draft202012Validator(schema, format_checker=TIMES)


def problems(name: str, message: object) -> list[str]:
    """What does not fit; fields that the schema does not have are told too."""
    known = _document()["components"]["schemas"][name]["properties"]
    unknown = sorted(set(message) - set(known)) if isinstance(message, dict) else []
    found = sorted(_validator(name).iter_errors(message), key=str)
    return [f"{list(error.absolute_path)}: {error.message}" for error in found] + [f"{one}: unknown" for one in unknown]
