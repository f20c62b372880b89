"""Which broker and which model the demo uses: pure choices, each with a sentence that says so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from agents.core.model.names import is_installed
from agents.core.model.server_url import DEFAULT_URL, VARIABLES

BROKER_VARIABLES: Final = ("AMQP_URL", "RABBITMQ_URL")


class BrokerSource(StrEnum):
    """Where the broker comes from, in the order of preference."""

    GIVEN = "given"
    PRIVATE_NODE = "private node"
    MEMORY = "memory"


class ModelSource(StrEnum):
    """Where the model server comes from, in the order of preference."""

    GIVEN = "given"
    OLLAMA = "ollama"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class BrokerChoice:
    """A broker, and its address where it is known already."""

    source: BrokerSource
    url: str = ""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model server, and its address where it is known already."""

    source: ModelSource
    url: str = ""


def choose_broker(environ: Mapping[str, str], *, server_found: bool) -> BrokerChoice:
    """Choose: the address that is set; a rabbitmq-server on this machine; else the in-memory broker."""
    given = next((environ[name] for name in BROKER_VARIABLES if environ.get(name)), None)
    if given is not None:
        return BrokerChoice(BrokerSource.GIVEN, given)
    if server_found:
        return BrokerChoice(BrokerSource.PRIVATE_NODE)
    return BrokerChoice(BrokerSource.MEMORY, "memory://demo")


def choose_model(environ: Mapping[str, str], *, ollama_answers: bool) -> ModelChoice:
    """Choose: the address that is set; an Ollama on its default port; else the local model server."""
    given = next((environ[name] for name in VARIABLES if environ.get(name)), None)
    if given is not None:
        return ModelChoice(ModelSource.GIVEN, given)
    if ollama_answers:
        return ModelChoice(ModelSource.OLLAMA, DEFAULT_URL)
    return ModelChoice(ModelSource.LOCAL)


def pick_installed(wanted: str, installed: Sequence[tuple[str, int]]) -> str:
    """Return `wanted` if it is installed, else the smallest installed model, else `wanted`, to be pulled.

    `installed` holds names and sizes in bytes. A demo should not begin with a download of gigabytes.
    """
    names = [name for name, _ in installed]
    if is_installed(wanted, names) or not installed:
        return wanted
    return min(installed, key=lambda model: model[1])[0]
