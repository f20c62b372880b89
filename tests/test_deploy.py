"""What deploy/ starts is what the command line takes, and each host gets the time that it promises to stop in."""

import shlex
from collections.abc import Iterable, Mapping
from configparser import ConfigParser, SectionProxy
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from pydantic import AliasChoices

from agents.cli.main import app
from agents.core.exit_codes import ExitCode
from agents.core.pages.host_pages import PATIENCE_SECONDS
from agents.core.settings import Settings
from bus.consumer import HAND_BACK_SECONDS

ROOT = Path(__file__).parent.parent
SYSTEMD = ROOT / "deploy" / "systemd"
KUBERNETES = ROOT / "deploy" / "kubernetes" / "host.yaml"
COMPOSE = ROOT / "docker-compose.yml"

CLOSING_SECONDS = 10
"""What closing takes where the broker answers nothing; see tests/agents/core/test_host_stop.py."""

STOP_SECONDS = Settings().grace_period + 2 * HAND_BACK_SECONDS + CLOSING_SECONDS


def parsed(command: Iterable[str]) -> dict[str, Any]:
    """Return the options of a command line, which must have no unknown ones."""
    name, *arguments = command
    group = typer.main.get_group(app)
    return group.commands[name].make_context(name, arguments).params


def service_of(unit: str) -> SectionProxy:
    parser = ConfigParser(interpolation=None, strict=False, delimiters="=")
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # the documented way to keep the case of names
    parser.read(SYSTEMD / unit)
    return parser["Service"]


def command_of(unit: str) -> list[str]:
    """Return the command line of a unit, without its program."""
    return shlex.split(service_of(unit)["ExecStart"].replace("$AGENTS", "senior-engineer product-manager"))[1:]


def variables() -> set[str]:
    """Return the environment variables that settings are read from."""
    names = {f"SUTAZAI_{name.upper()}" for name in Settings.model_fields}
    for field in Settings.model_fields.values():
        alias = field.validation_alias
        names |= {str(choice) for choice in (alias.choices if isinstance(alias, AliasChoices) else [alias]) if choice}
    return names


def container() -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the pod of the Deployment, and its one container."""
    deployment = next(part for part in yaml.safe_load_all(KUBERNETES.read_text()) if part["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (only,) = pod["containers"]
    return pod, only


def test_systemd_waits_for_a_graceful_stop_and_does_not_repeat_a_hopeless_start() -> None:
    service = service_of("sutazai@.service")
    assert int(service["TimeoutStopSec"]) > STOP_SECONDS
    assert (service["KillSignal"], service["KillMode"], service["Restart"]) == ("SIGTERM", "mixed", "on-failure")
    for unit in ("sutazai@.service", "sutazai-exporter.service"):
        assert int(service_of(unit)["RestartPreventExitStatus"]) == ExitCode.USAGE


def test_the_units_start_what_the_command_line_takes() -> None:
    assert parsed(command_of("sutazai@.service"))["agents"] == ["senior-engineer", "product-manager"]
    exporter = parsed(command_of("sutazai-exporter.service"))
    assert (exporter["host"], exporter["port"]) == ("127.0.0.1", 9464)


@pytest.mark.parametrize(("name", "port"), [("agents", "9465/readyz"), ("exporter", "9464/healthz")])
def test_compose_starts_what_the_command_line_takes_and_looks_at_its_health(name: str, port: str) -> None:
    service = yaml.safe_load(COMPOSE.read_text())["services"][name]
    served = parsed(service["command"]).get("port") or int(service["environment"]["SUTAZAI_HEALTH_PORT"])
    assert port.startswith(f"{served}/")
    assert port in service["healthcheck"]["test"][-1]
    assert set(service["environment"]) <= variables()


def test_compose_gives_a_host_the_time_to_stop_and_starts_the_exporter_by_choice_alone() -> None:
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    assert int(services["agents"]["stop_grace_period"].removesuffix("s")) > STOP_SECONDS
    assert services["exporter"]["profiles"] == ["metrics"]
    assert services["exporter"]["ports"] == ["127.0.0.1:9464:9464"]


def test_kubernetes_starts_a_host_whose_probes_reach_it() -> None:
    _, host = container()
    options = parsed(host["args"])
    assert (options["agents"], options["health_address"]) == (["senior-engineer", "product-manager"], "0.0.0.0")  # noqa: S104 - all addresses are meant
    (port,) = host["ports"]
    assert (port["name"], port["containerPort"]) == ("health", options["health_port"])
    paths = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    for probe, path in paths.items():
        assert host[probe]["httpGet"] == {"path": path, "port": "health"}
        assert host[probe]["timeoutSeconds"] > PATIENCE_SECONDS


def test_kubernetes_gives_a_host_the_time_to_stop_and_its_address_as_a_secret() -> None:
    pod, host = container()
    environment = {variable["name"]: variable.get("value") for variable in host["env"]}
    secret = next(part for part in yaml.safe_load_all(KUBERNETES.read_text()) if part["kind"] == "Secret")
    assert pod["terminationGracePeriodSeconds"] > STOP_SECONDS
    assert float(environment["SUTAZAI_GRACE_PERIOD"] or 0) == Settings().grace_period
    assert {*environment, *secret["stringData"]} <= variables()
    assert list(secret["stringData"]) == ["AMQP_URL"]
    assert host["envFrom"] == [{"secretRef": {"name": secret["metadata"]["name"]}}]
