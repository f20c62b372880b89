"""One Prometheus endpoint for the whole fleet, fed by the metrics and results exchanges. docs/metrics.md lists it."""
