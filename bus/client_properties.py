"""What a connection tells RabbitMQ of its program: the management UI shows it under Client properties."""

import os
import platform
import socket
import sys
from collections.abc import Mapping
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Final

PRODUCT: Final = "SutazAI Agents"

LONGEST_VALUE: Final = 1000
"""Characters of one value. All properties go out in a single frame of 4096 bytes at most: its size is negotiated
later."""


def client_properties(version: str, more: Mapping[str, str]) -> dict[str, str]:
    """Return the properties of this process, with `more` of them; none of them is a secret.

    Values longer than `LONGEST_VALUE` are cut. aiormq would put its own product, version, platform and information in
    the place of those that are absent here.
    """
    properties = {
        "product": PRODUCT,
        "version": version,
        "platform": f"{platform.python_implementation()} {platform.python_version()} on {platform.system()}",
        "information": f"by aio-pika {version_of('aio-pika')}; what is seen here: docs/management-ui.md",
        "machine": socket.gethostname(),
        "pid": str(os.getpid()),
        **more,
    }
    return {name: value[:LONGEST_VALUE] for name, value in properties.items()}


def program_name(started_as: str | None = None) -> str:
    """Return what to call a program that gives itself no name: its file, machine and process id.

    `started_as` is the path it was started by, `sys.argv[0]` if None. Arguments are left out: they may be secret.
    """
    path = Path(sys.argv[0] if started_as is None else started_as)
    name = path.parent.name if path.name == "__main__.py" else path.name
    is_file = name not in {"", "-c", "-m"}
    return f"{name[:40] if is_file else 'python'} ({socket.gethostname().split('.')[0][:40]}-{os.getpid()})"
