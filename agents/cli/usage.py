"""Wrong usage of the command line in one line. Pure."""

import typer

from schemas.faults import plain_words


def usage_sentence(error: typer.TyperException) -> str:
    """Return what was wrong, and which command tells more; empty where the help has been printed already.

    A command's own sentence, a typer.BadParameter about no one parameter, says what to do and stands as it is.
    """
    if isinstance(error, typer.BadParameter) and error.param is None:
        return error.message
    first, colon, rest = error.format_message().partition(": ")
    told = " ".join(f"{first}{colon}{plain_words(rest)}".split()).rstrip(".")
    context: typer.Context | None = getattr(error, "ctx", None)
    more = "" if context is None else f". Try: {context.command_path} --help"
    return f"{told[0].lower()}{told[1:]}{more}" if told else ""
