"""`python -m pulse_dashboards`: writes every dashboard to a file that Grafana reads."""

from pulse_dashboards.files import FOLDER, files

for name, text in files().items():
    (FOLDER / name).write_text(text, encoding="utf-8")
