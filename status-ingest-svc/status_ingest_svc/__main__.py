"""`python -m status_ingest_svc`."""

from pulse.runtime.process import run
from status_ingest_svc.main import main
from status_ingest_svc.settings import Settings

run("status-ingest-svc", Settings, main)
