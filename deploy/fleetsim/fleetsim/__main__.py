"""`python -m fleetsim`."""

from fleetsim.cli import app

app(prog_name="python -m fleetsim")
