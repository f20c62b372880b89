"""What a task and the waiting for it are typed with: the arguments and options of `sutazai submit`."""

from typing import Annotated

import typer

Agent = Annotated[str, typer.Argument(help="Whom to ask.")]
Prompt = Annotated[str, typer.Argument(help="What to ask; - reads it from standard input.")]
PriorityText = Annotated[
    str, typer.Option("--priority", "-p", help="background, low, normal, high, critical, or 0 to 9.")
]
Wait = Annotated[bool, typer.Option("--wait", "-w", help="Wait for the result and print it.")]
Stream = Annotated[
    bool, typer.Option("--stream", "-s", help="Print the answer as it is written, and wait for its end.")
]
Timeout = Annotated[float, typer.Option(min=0.1, help="With --wait or --stream: seconds to wait at most.")]
Model = Annotated[str | None, typer.Option(help="Ask this model in place of the agent's own.")]
Data = Annotated[str | None, typer.Option(metavar="JSON", help="Structured input beside the prompt.")]
Type = Annotated[
    str | None, typer.Option("--type", metavar="WORD", help="Kind of task, for agents that tell kinds apart.")
]
Deadline = Annotated[
    float | None, typer.Option(metavar="SECONDS", min=0.1, help="After this long nobody wants the result: expire.")
]
Id = Annotated[
    str | None, typer.Option("--id", metavar="ID", help="The task's id, so that sending it twice is one task.")
]
MaxAttempts = Annotated[
    int | None, typer.Option(metavar="N", help="How often it is tried at most. Default: the agent's.")
]
Retry = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="How late and after which errors: base, factor, cap, jitter, on=A,B."),
]
Metadata = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="Repeated in the result; may be given several times.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the whole task or result as JSON.")]
