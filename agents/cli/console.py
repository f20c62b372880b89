"""Where commands write: answers to standard output, everything about the way there to standard error."""

from rich.console import Console

# Texts of models and programs are printed as they are: `:x:` is no request for an emoji.
out = Console(soft_wrap=True, highlight=False, emoji=False)
err = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)
