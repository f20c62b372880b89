"""`sutazai local-model`: the Ollama API over a real small model."""

import asyncio
from typing import Annotated, Final

import typer

from agents.cli.console import out
from agents.cli.options import LogLevel
from agents.cli.weights import fetch_weights
from agents.core.process import run_process, stopping_on_signals
from agents.core.settings import Settings, load_settings

PARALLEL_MOST: Final = 64
"""As `agents.local_model.settings` has it, which needs the extra."""
PARALLEL: Final[int] = Settings.model_fields["max_ollama_connections"].default
"""As many as a host sends, so that none waits in the server, where a more urgent one cannot pass it."""


def local_model(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for a free one.")] = 11434,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of a loaded model. Default: half the processors.")
    ] = None,
    parallel: Annotated[
        int,
        typer.Option(
            min=1,
            max=PARALLEL_MOST,
            envvar="OLLAMA_NUM_PARALLEL",
            help="Requests that a model answers at once; the rest waits.",
        ),
    ] = PARALLEL,
    alias: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=MODEL", help="A further name for a model, swapped as one of its own; repeatable."),
    ] = None,
    log_level: LogLevel = None,
) -> None:
    """Serve a real small model under the Ollama API, where no Ollama is. Needs the extra `local`.

    It is SmolLM2 with 135 M parameters: fluent text, wrong facts, for a first look and for tests. Its weights (93 MB)
    are fetched once. It stands in for the models of the three tiers as well, so that all agents of the catalogue run.

    Examples:
      sutazai local-model

      sutazai local-model --port 0 --alias qwen2.5-coder:7b=smollm2:135m
    """
    chosen = load_settings(log_level=log_level)
    aliases = dict(_pair(text) for text in alias or [])

    async def serve() -> None:
        from agents.local_model import LocalModelServer, LocalModelSettings  # noqa: PLC0415 - an extra
        from agents.local_model.models import GENERATING_MODEL  # noqa: PLC0415 - an extra

        defaults = LocalModelSettings()
        stand_ins = {tier.model: GENERATING_MODEL for tier in chosen.tiers.values()}
        settings = LocalModelSettings(
            threads=threads or defaults.threads,
            num_parallel=parallel,
            aliases={**stand_ins, **defaults.aliases, **aliases},
        )
        await fetch_weights()
        stop = asyncio.Event()
        async with LocalModelServer(host=host, port=port, settings=settings) as server:
            with stopping_on_signals(stop.set):
                out.print(f"the Ollama API is at {server.url}; use it with OLLAMA_URL={server.url}. Ctrl-C ends")
                await stop.wait()

    run_process(serve, chosen.log_level, chosen.log_format)


def _pair(text: str) -> tuple[str, str]:
    name, equals, model = text.partition("=")
    if not (name and equals and model):
        raise typer.BadParameter(f"--alias is {text!r}: write NAME=MODEL, such as qwen2.5-coder:7b=smollm2:135m")
    return name, model
