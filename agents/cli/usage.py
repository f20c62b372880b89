"""Wrong usage of the command line in one line. Pure."""

import typer
from pydantic import ValidationError

from schemas.faults import plain_words


def usage_sentence(error: typer.TyperException) -> str:
    """Return what was wrong, and which command tells more; empty where the help has been printed already.

    A command's own sentence, a typer.BadParameter about no one parameter, says what to do and stands as it is.
    """
    if isinstance(error, typer.BadParameter) and error.param is None:
        return error.message
    first, colon, rest = error.format_message().partition(": ")
    first = first.replace("Invalid value", f"Invalid value{_given(error)}", 1)
    told = " ".join(f"{first}{colon}{plain_words(rest)}".split()).rstrip(".")
    context: typer.Context | None = getattr(error, "ctx", None)
    more = "" if context is None else f". Try: {context.command_path} --help"
    return f"{told[0].lower()}{told[1:]}{more}" if told else ""


def _given(error: typer.TyperException) -> str:
    """Return the value that was given, where the message does not tell it: that of a number out of its range."""
    cause = error.__cause__
    shown = repr(cause.errors()[0]["input"]) if isinstance(cause, ValidationError) else ""
    return "" if shown in error.message else f" {shown}"
