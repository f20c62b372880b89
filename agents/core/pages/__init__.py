"""The HTTP pages of a process: probes for whoever keeps it alive, metrics for Prometheus."""
