"""What every agent stands on. File names are those of the seed document.

Programs that put the folder `agents/` on their path import this package as `core`; they get `agents.core`, the same
modules.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

if __name__ == "core":
    # The folder with `agents/`, `bus/` and `schemas/`: first while it is needed, then behind the program's own.
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    if find_spec("bus") is None or find_spec("schemas") is None:
        raise ModuleNotFoundError(f"{__file__} stands on bus/ and schemas/: copy both beside agents/, or install all")
    from agents.core.module_aliases import join_core

    sys.path.append(sys.path.pop(0))
    join_core()
else:
    import bus  # noqa: F401 - it sets up logging, also for a part such as the breaker that is used alone
