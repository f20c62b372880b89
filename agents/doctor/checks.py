"""All checks by name, in the order in which a person would look. Pure."""

from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from agents.doctor import consumer_checks, model_checks, topology_checks, work_checks
from agents.doctor.facts import Facts
from agents.doctor.finding import Finding

Check = Callable[[Facts], Iterator[Finding]]
"""Yields what it found, ok or not; nothing where it had nothing to look at, or its facts could not be gathered."""

GENERATION: Final = "generation"

CHECKS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "broker": topology_checks.check_broker,
        "management": topology_checks.check_management,
        "permissions": topology_checks.check_permissions,
        "topology": topology_checks.check_topology,
        "bindings": topology_checks.check_bindings,
        "deprecated": topology_checks.check_deprecated,
        "patience": work_checks.check_patience,
        "prefetch": work_checks.check_prefetch,
        "unrouted": work_checks.check_unrouted,
        "dead-letters": work_checks.check_dead_letters,
        "consumers": consumer_checks.check_consumers,
        "names": consumer_checks.check_names,
        "progress": work_checks.check_progress,
        "clock": work_checks.check_clock,
        "model-server": model_checks.check_model_server,
        "models": model_checks.check_models,
        "memory": model_checks.check_memory,
        "num-ctx": model_checks.check_num_ctx,
        GENERATION: model_checks.check_generation,
    }
)


def diagnose(facts: Facts, skipped: Collection[str] = ()) -> list[Finding]:
    """Return the findings of all checks but the skipped ones."""
    return [finding for name, check in CHECKS.items() if name not in skipped for finding in check(facts)]
