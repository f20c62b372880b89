"""The progress bars of what comes over the network: models, and the local model's weights."""

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from agents.cli.console import err


def transfer_bars() -> Progress:
    """Return the place on standard error where the bars go; off a terminal it shows none."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    # Off a terminal a bar would be nothing but an empty line.
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
