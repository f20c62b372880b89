"""What a host is started with: the arguments and options of `sutazai run`."""

from pathlib import Path
from typing import Annotated

import typer

Agents = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="AGENT",
        help="Names, patterns of names, MODULE:CLASS, or Markdown and Python files. They come on top of those that "
        "--category and --tier choose, which narrow each other.",
    ),
]
LegacyPaths = Annotated[
    list[Path] | None,
    typer.Option("--legacy", metavar="PATH", help="An agent of the first generation: its file or folder; repeatable."),
]
OllamaUrl = Annotated[
    str | None, typer.Option("--ollama-url", metavar="URL", help="Default: OLLAMA_URL, else localhost:11434.")
]
Concurrency = Annotated[int | None, typer.Option(min=1, help="Tasks of each agent at once: the prefetch. Default 3.")]
Slots = Annotated[
    int | None, typer.Option(min=1, help="Requests at the model server at once, for all agents. Default 2.")
]
Grace = Annotated[float | None, typer.Option(min=0, help="Seconds that running tasks get after Ctrl-C. Default 30.")]
HealthPort = Annotated[
    int | None,
    typer.Option(min=0, max=65535, metavar="PORT", help="Serve /healthz, /readyz and /metrics here; 0 for a free one."),
]
HealthAddress = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Where to serve them. Default 127.0.0.1; 0.0.0.0 for all.")
]
