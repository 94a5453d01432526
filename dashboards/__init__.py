"""Grafana dashboards, and the code that builds them: `python -m dashboards.build`."""
