"""`python -m dispatcher_svc`."""

from dispatcher_svc.main import main
from dispatcher_svc.settings import DispatcherSettings
from pulse.runtime.process import run

run("dispatcher-svc", DispatcherSettings, main)
