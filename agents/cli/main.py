"""`sutazai`: the commands together."""

import sys
from typing import Annotated, NoReturn

import typer

from agents.cli.commands import CommandGroup
from agents.cli.usage import usage_sentence
from agents.core.exit_codes import KNOWN_ERRORS, ExitCode, exit_code_of
from agents.core.version import VERSION

app = typer.Typer(
    name="sutazai",
    cls=CommandGroup,
    help="Language-model agents behind RabbitMQ, on hardware you own.",
    epilog="Exit codes: 0 ok, 1 a fault of this program, 2 wrong usage or settings, 3 no broker, 4 the broker refuses, "
    "5 unknown agent, 6 the task was not completed, 7 timed out, 8 the model, 9 refused, 130 interrupted, "
    "141 nobody reads the output.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def sutazai(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Language-model agents behind RabbitMQ, on hardware you own."""
    if version:
        typer.echo(VERSION)
        raise typer.Exit


def main() -> None:
    """Run the command line; wrong usage or a known error is one line on standard error and its exit code."""
    try:
        sys.exit(app(standalone_mode=False))
    except typer.TyperException as error:
        _end(usage_sentence(error), ExitCode.USAGE)
    except KNOWN_ERRORS as error:
        _end(str(error), exit_code_of(error))
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except SystemExit as end:
        # Rich and typer end so, without a word, where nobody reads the output any more; 1 would be a fault of ours.
        sys.exit(ExitCode.UNREAD if isinstance(end.__context__, BrokenPipeError) else end.code)


def _end(sentence: str, code: ExitCode) -> NoReturn:
    if sentence:
        typer.echo(f"error: {sentence}", err=True)
    sys.exit(code)
