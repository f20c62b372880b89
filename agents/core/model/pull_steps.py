"""PullSteps: how far a pull has come, told in log lines and to whoever reports it."""

from collections.abc import Callable

import structlog

from agents.core.model.pulling import PullProgress

log = structlog.get_logger(__name__)


class PullSteps:
    """Takes each step of one pull. It tells of each new one, and of each tenth of the download.

    `percent` is the share of the bytes known so far, over all files of the model; it never goes back, even where a
    further file is announced.
    """

    def __init__(self, model: str, server: str, on_step: Callable[[], object]) -> None:
        self.model = model
        self.percent = 0
        self._server = server
        self._on_step = on_step
        self._files: dict[str, tuple[int, int]] = {}
        self._last: tuple[str, int] | None = None

    def __call__(self, progress: PullProgress) -> None:
        """Take one step of the pull."""
        if progress.total:
            self._files[progress.digest or progress.status] = (progress.completed, progress.total)
        done, whole = (sum(column) for column in zip(*self._files.values(), strict=True)) if self._files else (0, 0)
        self.percent = max(self.percent, min(100, done * 100 // whole if whole else 0))
        if (progress.status, self.percent // 10) != self._last:
            self._last = (progress.status, self.percent // 10)
            self._tell(progress)

    def _tell(self, progress: PullProgress) -> None:
        log.info(
            "model.pulling",
            model=self.model,
            url=self._server,
            step=progress.status,
            percent=self.percent,
            bytes=progress.total or None,
        )
        self._on_step()
