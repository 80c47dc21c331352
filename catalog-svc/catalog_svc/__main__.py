"""`python -m catalog_svc`."""

from catalog_svc.main import main
from catalog_svc.settings import CatalogSettings
from pulse.runtime.process import run

run("catalog-svc", CatalogSettings, main)
