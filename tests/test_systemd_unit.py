"""The unit for systemd leaves a host the time that it promises to stop in."""

from configparser import ConfigParser
from pathlib import Path

from agents.core.exit_codes import ExitCode
from agents.core.settings import Settings
from bus.consumer import HAND_BACK_SECONDS

UNIT = Path(__file__).parent.parent / "deploy" / "systemd" / "sutazai@.service"

CLOSING_SECONDS = 10
"""What closing takes where the broker answers nothing; see tests/agents/core/test_host_stop.py."""


def test_systemd_waits_for_a_graceful_stop_and_does_not_repeat_a_hopeless_start() -> None:
    unit = ConfigParser(interpolation=None, strict=False, delimiters="=")
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # the documented way to keep the case of names
    unit.read(UNIT)
    service = unit["Service"]
    needed = Settings().grace_period + 2 * HAND_BACK_SECONDS + CLOSING_SECONDS
    assert int(service["TimeoutStopSec"]) > needed
    assert (service["KillSignal"], service["KillMode"], service["Restart"]) == ("SIGTERM", "mixed", "on-failure")
    assert int(service["RestartPreventExitStatus"]) == ExitCode.USAGE
