"""Where commands write: answers to standard output, everything about the way there to standard error."""

from rich.console import Console

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)
