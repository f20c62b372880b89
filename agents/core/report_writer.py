"""ReportWriter: reports ready to be sent, where one that cannot be written costs nothing but itself."""

from collections.abc import Callable
from typing import NamedTuple

import structlog

from bus.codec import encode_report
from bus.message import Message
from schemas import Report

log = structlog.get_logger(__name__)


class Written(NamedTuple):
    """A report, and the message that tells it."""

    report: Report
    message: Message


class ReportWriter:
    """Writes reports. A fault is logged once, and its end too: a round of reports every few seconds repeats it.

    Agents may bring a `health` of their own, and the machine may have no descriptor left to read its figures with.
    """

    def __init__(self) -> None:
        self._failing: set[str] = set()

    def write(self, about: str, draft: Callable[[], Report]) -> Written | None:
        """Return the report that `draft` makes; None where it raises, or makes one that JSON cannot hold.

        `about` tells apart what is reported on.
        """
        try:
            report = draft()
            written = Written(report, encode_report(report))
        except Exception:
            if about not in self._failing:
                self._failing.add(about)
                log.exception("report.failed", about=about)
            return None
        if about in self._failing:
            self._failing.remove(about)
            log.info("report.works_again", about=about)
        return written
