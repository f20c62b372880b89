"""Options that several commands share, and the settings they lead to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from agents.core.settings import Settings, load_settings
from agents.core.version import VERSION
from bus.broker import Broker
from bus.connect import broker_at

AmqpUrl = Annotated[
    str | None,
    typer.Option(
        "--amqp-url", metavar="URL", help="RabbitMQ's address. Default: AMQP_URL, else localhost.", show_default=False
    ),
]
Prefix = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="First word of all names on the broker. Default: SUTAZAI_PREFIX, else sutazai."),
]
Config = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Settings as JSON or TOML; arguments and the environment win over it."),
]
LogLevel = Annotated[
    str | None, typer.Option(metavar="LEVEL", help="debug, info, warning or error. Default: LOG_LEVEL, else info.")
]


@dataclass(frozen=True, slots=True)
class Connected:
    """Settings, and the broker they lead to, not yet connected."""

    settings: Settings
    broker: Broker


def connected(command: str, config: Path | None, **arguments: Any) -> Connected:
    """Read the settings for `command` and find its broker. Raises SettingsError and ConnectError."""
    settings = load_settings(config, **arguments)
    name = f"sutazai {command} ({settings.host_name})"
    return Connected(settings, broker_at(settings.amqp_url, name, VERSION, patience=settings.connect_timeout))
