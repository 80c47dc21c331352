"""Series of the services' connection to the broker."""

from prometheus_client import Counter

CONNECTS = Counter("pulse_mqtt_connects_total", "Tries to connect to the broker, by how they ended", ["result"])
ACCEPTED, REFUSED, FAILED = (CONNECTS.labels(result) for result in ("accepted", "refused", "failed"))
LOST = Counter("pulse_mqtt_connections_lost_total", "Connections to the broker that ended unasked")
