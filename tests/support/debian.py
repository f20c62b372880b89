"""Installs packages of Debian for the tests, without starting the daemons in them."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.errors import NoBrokerError

POLICY = Path("/usr/sbin/policy-rc.d")
"""Debian's packages ask this program before they start a daemon; 101 means they may not."""

_UPDATE = ("apt-get", "update")
_INSTALL = ("apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends")
_APT_SECONDS = 600
_LAST_LINES = 8


def is_debian_root() -> bool:
    """Whether packages can be installed here."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(package: str, policy: Path = POLICY) -> None:
    """Install a package, such as rabbitmq-server, about 100 MB; raises NoBrokerError with apt's last lines."""
    with no_daemons(policy):
        for command in (_UPDATE, (*_INSTALL, package)):
            run_apt(command)


@contextmanager
def no_daemons(policy: Path) -> Iterator[None]:
    """Keep packages from starting daemons; a policy that is already there is left as it is."""
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def run_apt(command: tuple[str, ...]) -> None:
    """Run one apt command without questions; raises NoBrokerError with its last lines if it fails."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_APT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoBrokerError(f"`{' '.join(command)}` did not end well: {error}") from error
    if done.returncode:
        tail = "\n".join(done.stdout.strip().splitlines()[-_LAST_LINES:])
        raise NoBrokerError(f"`{' '.join(command)}` ended with {done.returncode}:\n{tail}")
