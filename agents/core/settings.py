"""Settings: arguments win over the environment, the environment over a file, the file over the defaults."""

import json
import os
import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AliasChoices, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from agents.core.bare_urls import without_credentials
from agents.core.log import LogFormat
from agents.core.model.server_url import DEFAULT_URL
from agents.core.model.timeouts import ModelTimeouts
from agents.core.tier_fields import ModelName, TierFields
from bus.patience import BROKER_DEFAULT_SECONDS, Patience
from bus.retry import RetryPolicy
from bus.topology import QueueType, Topology
from schemas import AgentName
from schemas.faults import plain_words

DEFAULT_CONFIG_PATH: Final = "/app/config.json"
"""Where docs/names.md looks for a file. That it is missing there is no error; any other path must exist."""


_PREFIX: Final = r"^[A-Za-z0-9_-]{1,40}$"
_LEVEL: Final = r"(?i)^(debug|info|warning|error|critical)$"
_TRACING: Final = r"^(none|otlp|console|file:.+)$"
_REMEDIES: Final = {
    _PREFIX: "use 1 to 40 letters, digits, hyphens and underscores",
    _LEVEL: "use debug, info, warning, error or critical",
    _TRACING: "use otlp, console, file:PATH or none",
}


class SettingsError(Exception):
    """A setting cannot be used. The text names it, its value and the remedy."""


class Settings(TierFields, BaseSettings):
    """All that can be set. A field is read from the variables named at it, and from SUTAZAI_<FIELD>."""

    model_config = SettingsConfigDict(
        env_prefix="SUTAZAI_", frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True
    )

    amqp_url: str = Field(
        "amqp://guest:guest@localhost:5672/", repr=False, validation_alias=AliasChoices("AMQP_URL", "RABBITMQ_URL")
    )
    """One broker, or the nodes of a cluster separated by commas; memory:// is the in-process one."""
    prefix: str = Field("sutazai", pattern=_PREFIX)
    """First word of all names on the broker."""
    queue_type: QueueType = QueueType.CLASSIC
    connect_timeout: float = Field(10.0, gt=0, allow_inf_nan=False)
    """Seconds that the first connect to the broker may take."""
    consumer_timeout: float = Field(BROKER_DEFAULT_SECONDS, gt=0, allow_inf_nan=False)
    """The broker's own `consumer_timeout` in seconds, which AMQP does not tell: nothing here is held that long."""
    management_url: str | None = Field(None, repr=False)
    """RabbitMQ's management API, which the doctor asks; None: the default port of the broker's host."""

    ollama_url: str = Field(DEFAULT_URL, repr=False, validation_alias=AliasChoices("OLLAMA_URL", "OLLAMA_BASE_URL"))
    max_ollama_connections: int = Field(2, ge=1, le=64, validation_alias="MAX_OLLAMA_CONNECTIONS")
    """Slots: requests at each model server at once."""
    preload_models: Annotated[tuple[ModelName, ...], NoDecode] = ()
    """Models that each model server loads in the background from the start on, separated by commas."""
    models_in_flight: int = Field(1, ge=1, le=64)
    """Models that may run at once; more than one only where the server's memory holds them."""
    model_connect_timeout: float = Field(5.0, gt=0, allow_inf_nan=False)
    """Seconds until the model server accepts a connection."""
    model_load_timeout: float = Field(300.0, gt=0, allow_inf_nan=False)
    """Seconds until an answer begins whose model may have to be loaded first."""
    model_first_token_timeout: float = Field(120.0, gt=0, allow_inf_nan=False)
    """Seconds until an answer begins whose model has answered there just now."""
    model_gap_timeout: float = Field(120.0, gt=0, allow_inf_nan=False)
    """Seconds between two pieces of an answer."""
    model_request_timeout: float = Field(300.0, gt=0, allow_inf_nan=False)
    """Seconds for one try from connecting to the last token, whatever its parts may take."""
    breaker_failures: int = Field(5, ge=1)
    """Failures of the model server in a row that open the breaker."""
    breaker_recovery: float = Field(60.0, gt=0, allow_inf_nan=False)
    """Seconds from opening to the first probe, and a tenth at most by chance; doubled after each probe that fails."""
    breaker_recovery_cap: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Seconds that the doubling ends at; None takes five times `breaker_recovery`."""
    breaker_failure_rate: float | None = Field(None, gt=0, le=1)
    """Share of the last `breaker_window` requests whose failure opens the breaker too; None: only failures in a row."""
    breaker_window: int = Field(20, ge=1, le=10_000)
    breaker_minimum_calls: int = Field(10, ge=1)
    """Requests before a failure rate is judged."""
    breaker_slow_call: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Seconds after which a request that succeeds counts as a failure of the server all the same; None: never."""

    agent_name: AgentName | None = Field(None, validation_alias="AGENT_NAME")
    agent_type: str = Field("general", validation_alias="AGENT_TYPE")
    agents_path: Annotated[tuple[Path, ...], NoDecode] = ()
    """Folders with agents as Markdown files, separated as in PATH, searched before the catalogue."""
    max_concurrent_tasks: int = Field(3, ge=1, le=1000, validation_alias="MAX_CONCURRENT_TASKS")
    """Prefetch of each agent: its handlers at once."""
    max_held: int | None = Field(None, ge=1)
    """Tasks that a host holds at most, over all agents that ask the model; None takes four for each slot there."""
    task_timeout: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Seconds that one attempt at a task may take; without it, as long as the broker's patience allows."""
    max_attempts: int = Field(3, ge=1, le=100)
    """How often a task runs at most, if each time it fails in passing."""
    retry_base: float = Field(1.0, ge=0, le=86_400, allow_inf_nan=False)
    """Seconds before the second attempt."""
    retry_factor: float = Field(4.0, ge=1, le=100, allow_inf_nan=False)
    """Each further wait is this many times as long."""
    retry_cap: float = Field(900.0, ge=0, le=604_800, allow_inf_nan=False)
    """Seconds that a wait may take at most."""
    retry_jitter: float = Field(0.5, ge=0, le=1, allow_inf_nan=False)
    """The chance of the next longer rung of the ladder."""
    max_redeliveries: int = Field(5, ge=1, le=100)
    """How often a task may come back unsettled, as from a crash, before it is given up as poison."""

    host_name: str = Field(
        default_factory=lambda: f"{socket.gethostname().split('.')[0][:40]}-{os.getpid()}",
        min_length=1,
        max_length=60,
    )
    health_check_interval: float = Field(30.0, gt=0, allow_inf_nan=False, validation_alias="HEALTH_CHECK_INTERVAL")
    """Seconds between two reports."""
    heartbeat_interval: float = Field(30.0, gt=0, allow_inf_nan=False, validation_alias="HEARTBEAT_INTERVAL")
    """Seconds between two heartbeats of an agent to the coordinator."""
    start_timeout: float = Field(300.0, gt=0, allow_inf_nan=False)
    """Seconds that the agents' `on_start` may take."""
    grace_period: float = Field(30.0, ge=0, allow_inf_nan=False)
    """Seconds that running tasks get to end once a stop was asked for."""
    log_level: str = Field("INFO", pattern=_LEVEL, validation_alias="LOG_LEVEL")
    log_format: LogFormat = LogFormat.AUTO
    tracing: str | None = Field(None, pattern=_TRACING)
    """Where spans go: `otlp`, `console`, `file:PATH` or `none`; None leaves it to OpenTelemetry's own variables."""
    log_prompts: bool = False
    """Whether prompts and answers of models are logged."""
    health_port: int | None = Field(None, ge=0, le=65_535)
    """Where a host serves /healthz, /readyz and /metrics; 0 takes a free one, None serves nothing."""
    health_address: str = Field("127.0.0.1", min_length=1)
    """The address of this machine that they are served at."""
    backend_url: str | None = Field(None, repr=False, validation_alias="BACKEND_URL")
    """The HTTP coordinator of older agents; None: nobody is told."""

    @field_validator("agents_path", mode="before")
    @classmethod
    def _split_path(cls, value: object) -> object:
        return folders_in(value) if isinstance(value, str) else value

    @field_validator("preload_models", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        return tuple(name for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @property
    def topology(self) -> Topology:
        """The names on the broker that these settings choose."""
        return Topology(prefix=self.prefix, queue_type=self.queue_type)

    @property
    def retry_policy(self) -> RetryPolicy:
        """How often and how late a failed task is tried again."""
        return RetryPolicy(
            max_attempts=self.max_attempts,
            base=self.retry_base,
            factor=self.retry_factor,
            cap=self.retry_cap,
            jitter=self.retry_jitter,
            max_redeliveries=self.max_redeliveries,
        )

    @property
    def model_timeouts(self) -> ModelTimeouts:
        """How long a model is waited for, part by part."""
        return ModelTimeouts(
            connect=self.model_connect_timeout,
            load=self.model_load_timeout,
            first_token=self.model_first_token_timeout,
            gap=self.model_gap_timeout,
            total=self.model_request_timeout,
        )

    @property
    def shown(self) -> dict[str, Any]:
        """All settings as JSON has them, for people: addresses stand there without user, password and query."""
        values = self.model_dump(mode="json")
        secret = [name for name, value in values.items() if name.endswith("url") and value is not None]
        return values | {name: without_credentials(values[name]) for name in secret}

    def patience(self, task_timeout: float | None, agent: str) -> Patience:
        """Return how long `agent` may hold a delivery. `task_timeout` is its own, if it has one.

        Raises:
            SettingsError: the broker would tear the delivery away before that time is over.
        """
        try:
            return Patience(self.consumer_timeout, self.task_timeout if task_timeout is None else task_timeout)
        except ValueError as error:
            raise SettingsError(f"agent {agent!r} cannot run: {error} (SUTAZAI_CONSUMER_TIMEOUT)") from None


def folders_in(path: str) -> tuple[Path, ...]:
    """Return the folders that a text such as PATH names."""
    return tuple(Path(part) for part in path.split(os.pathsep) if part)


def load_settings(config_path: str | Path | None = None, **arguments: Any) -> Settings:
    """Read the settings from arguments (None means not given), environment, file and defaults, in this order.

    Raises:
        SettingsError: a value is invalid, or the file is missing or unreadable.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    weaker = _by_variable(_read_file(config_path)) | _by_variable(EnvSettingsSource(Settings)())
    for variable in _by_variable(given):
        weaker.pop(variable, None)
    try:
        return _Complete(**weaker, **given)
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None


def _by_variable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Bring each field under one name, so that one source may take the place of another."""
    return InitSettingsSource(Settings, init_kwargs=dict(values))()


class _Complete(Settings):
    """Settings from their arguments alone. Made once: a class for each reading would cost a host of 131 agents 2 s."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def _read_file(path: str | Path | None) -> dict[str, Any]:
    if path is None or (str(path) == DEFAULT_CONFIG_PATH and not Path(path).exists()):
        return {}
    try:
        text = Path(path).read_text()
        values = tomllib.loads(text) if str(path).endswith(".toml") else json.loads(text)
    except OSError as error:
        raise SettingsError(f"the settings file {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"the settings file {path} is not valid: {error}") from error
    if not isinstance(values, dict):
        raise SettingsError(f"the settings file {path} holds no table of settings but a {type(values).__name__}")
    return values


def _sentence(error: ValidationError) -> str:
    return "; ".join(_fault(str(fault["loc"][0]), fault["input"], fault["msg"]) for fault in error.errors())


def _fault(name: str, value: object, told: str) -> str:
    # pydantic tells the variable where that was read, else the field; all that may hold a password end in URL.
    shown = "***" if name.lower().endswith("url") else repr(value)
    return f"setting {name} = {shown}: {plain_words(told, _REMEDIES)}"
