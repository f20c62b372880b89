"""Models pulled by a server, with a progress bar for each."""

from collections.abc import Callable, Sequence

from rich.progress import Progress

from agents.cli.console import err
from agents.cli.needed_models import Shelved
from agents.core.model.errors import ModelError
from agents.core.model.pulling import PullProgress
from agents.core.ollama_client import OllamaClient


async def pull_models(client: OllamaClient, rows: Sequence[Shelved], bars: Progress) -> list[ModelError]:
    """Have a server pull models one after the other, all of them. Return what went wrong."""
    failures = list[ModelError]()
    for row in rows:
        err.print(f"pulling {row.model} at {client.safe_url}", markup=False)
        try:
            await client.pull(row.model, _bar(bars, row.model))
        except ModelError as error:
            failures.append(error)
    return failures


def _bar(bars: Progress, model: str) -> Callable[[PullProgress], None]:
    bar = bars.add_task(model, total=None)
    files: dict[str, tuple[int, int]] = {}

    def show(progress: PullProgress) -> None:
        if progress.total:
            files[progress.digest or progress.status] = (progress.completed, progress.total)
        done, whole = (sum(part) for part in zip(*files.values(), strict=True)) if files else (0, None)
        bars.update(bar, description=f"{model}: {progress.status}", completed=done, total=whole)

    return show
