"""The next version of the product: its own sources, with one more field in every message and one more column in tables.

Such are the changes that a version may make: old programs do not know of them, and run beside new ones for a while.
"""

import shutil
from pathlib import Path

from local_stack.layout import ROOT

PACKAGES = (
    "shared/pulse",
    "catalog-svc/catalog_svc",
    "campaign-svc/campaign_svc",
    "dispatcher-svc/dispatcher_svc",
    "status-ingest-svc/status_ingest_svc",
)
FIELD = "said_by"
MIGRATION = """
BEGIN;
ALTER TABLE ota_campaigns ADD COLUMN IF NOT EXISTS of_the_next_version text;
ALTER TABLE ota_device_status ADD COLUMN IF NOT EXISTS of_the_next_version text NOT NULL DEFAULT 'x';
COMMIT;
"""
UNDO = """
ALTER TABLE ota_campaigns DROP COLUMN of_the_next_version;
ALTER TABLE ota_device_status DROP COLUMN of_the_next_version;
DELETE FROM schema_migrations WHERE file = '9999_next_version.sql';
"""
_MESSAGE = "class Message(msgspec.Struct, frozen=True, kw_only=True):\n"


def installed(folder: Path) -> None:
    """From now on, processes that have the folder in their PYTHONPATH start as the next version."""
    being_made = folder.with_suffix(".new")
    for package in PACKAGES:
        source = ROOT / package
        shutil.copytree(source, being_made / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    contract = being_made / "pulse" / "contracts" / "kafka.py"
    text = contract.read_text(encoding="utf-8")
    assert text.count(_MESSAGE) == 1, "every message inherits from one class"
    head, rest = text.split(_MESSAGE)
    docstring, rest = rest.split("\n", 1)
    contract.write_text(f'{head}{_MESSAGE}{docstring}\n    {FIELD}: str = "the next version"\n{rest}', encoding="utf-8")
    being_made.rename(folder)


def migrations(folder: Path) -> Path:
    """A folder with the present migrations and the next version's."""
    shutil.copytree(ROOT / "migrations", folder)
    (folder / "9999_next_version.sql").write_text(MIGRATION, encoding="utf-8")
    return folder


def removed(folder: Path) -> None:
    """From now on, processes start as the present version again."""
    shutil.rmtree(folder, ignore_errors=True)
