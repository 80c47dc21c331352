"""The dashboards as the text of the files that Grafana reads."""

import json
from pathlib import Path

from pulse_dashboards import campaign, fleet, pipeline, services

FOLDER = Path(__file__).parents[1] / "grafana" / "dashboards"


def files() -> dict[str, str]:
    """Each dashboard's text by the name of its file."""
    made = (fleet.made(), campaign.made(), pipeline.made(), *services.made())
    return {f"{each['uid']}.json": json.dumps(each, indent=1, ensure_ascii=False) + "\n" for each in made}
