"""The program `sutazai`. It hears Ctrl-C before its commands are imported, which takes half a second."""

import os
import signal
from typing import Final

INTERRUPTED: Final = 130
"""As `agents.core.exit_codes` has it, which is not imported yet."""


def main() -> None:
    """Import the commands and run the one that is asked for; Ctrl-C meanwhile ends the process without a word."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # not where a shell has had it ignored
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    from agents.cli.main import main as run  # noqa: PLC0415 - only now is Ctrl-C heard

    signal.signal(signal.SIGINT, before)
    run()


if __name__ == "__main__":
    main()
