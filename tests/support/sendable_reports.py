"""Reports of tests as a worker can send them: a lone surrogate in a log or an error would end the whole run."""

from typing import Any


def sendable(report: Any) -> Any:
    """Return a report's parts with what UTF-8 cannot write spelled out; property tests make such texts."""
    match report:
        case str():
            return report.encode(errors="backslashreplace").decode()
        case dict():
            return {sendable(name): sendable(part) for name, part in report.items()}
        case list() | tuple():
            return type(report)(sendable(part) for part in report)
        case _:
            return report
