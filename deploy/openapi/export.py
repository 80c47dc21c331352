"""Writes each REST service's OpenAPI beside this file: `make openapi`. A test fails where they differ."""

import json
from pathlib import Path
from typing import Any

import campaign_svc.main
import catalog_svc.main

FOLDER = Path(__file__).parent


def documents() -> dict[str, dict[str, Any]]:
    """The OpenAPI of each service, by its name."""
    return {
        "catalog-svc": catalog_svc.main.build(None, None).openapi(),
        "campaign-svc": campaign_svc.main.build(None, None, None, {}).openapi(),
    }


def text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, document in documents().items():
        (FOLDER / f"{name}.json").write_text(text(document), encoding="utf-8")
