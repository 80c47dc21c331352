"""Grafana's dashboards, said once in Python: `make dashboards` writes them to grafana/dashboards."""
