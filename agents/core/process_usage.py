"""What this process uses of the machine."""

from dataclasses import dataclass, field

import psutil


@dataclass(slots=True)
class ProcessUsage:
    """Memory and CPU of this process, measured anew at each reading."""

    _process: psutil.Process = field(default_factory=psutil.Process)

    def __post_init__(self) -> None:
        # psutil measures CPU since its last call, so the first reading would be 0 without this one.
        self._process.cpu_percent()

    @property
    def memory_bytes(self) -> int:
        """Resident memory."""
        return int(self._process.memory_info().rss)

    def cpu_percent(self) -> float:
        """Per cent of one core since the last call."""
        return float(self._process.cpu_percent())
