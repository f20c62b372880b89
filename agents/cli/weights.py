"""The local model's weights, fetched with a progress bar."""

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from agents.cli.console import err


async def fetch_weights() -> None:
    """Make sure that the weights are on this machine. Raises WeightsError."""
    from agents.local_model import Progress as Fetched  # noqa: PLC0415 - an extra
    from agents.local_model import ensure_weights  # noqa: PLC0415 - the same

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    # Off a terminal a bar would be nothing but an empty line.
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        row = bar.add_task("the small model's weights", visible=False, total=None)
        stages: set[str] = set()

        def show(fetched: Fetched) -> None:
            told = f"the small model's weights: {fetched.stage}"
            if bar.disable and fetched.stage not in stages:
                stages.add(fetched.stage)
                err.print(told)
            bar.update(row, visible=True, description=told, completed=fetched.completed, total=fetched.total)

        await ensure_weights(on_progress=show)
