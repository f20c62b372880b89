"""The local model's weights, fetched with a progress bar."""

from agents.cli.console import err
from agents.cli.transfer_bars import transfer_bars


async def fetch_weights() -> None:
    """Make sure that the weights are on this machine. Raises WeightsError."""
    from agents.local_model import Progress as Fetched  # noqa: PLC0415 - an extra
    from agents.local_model import ensure_weights  # noqa: PLC0415 - the same

    with transfer_bars() as bar:
        row = bar.add_task("the small model's weights", visible=False, total=None)
        stages: set[str] = set()

        def show(fetched: Fetched) -> None:
            told = f"the small model's weights: {fetched.stage}"
            if bar.disable and fetched.stage not in stages:
                stages.add(fetched.stage)
                err.print(told)
            bar.update(row, visible=True, description=told, completed=fetched.completed, total=fetched.total)

        await ensure_weights(on_progress=show)
