"""A headless Chromium, driven over its DevTools protocol through a pair of pipes."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")

FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",  # it only ever sees our own broker, and root may not have one
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    "--remote-debugging-pipe",
)

PATIENCE_SECONDS: Final = 30.0

FIRST_FREE: Final = 10
"""Chromium reads from descriptor 3 and writes to 4: the pipes' own must not be these."""


class BrowserError(Exception):
    """Chromium is missing, has ended, or does not show what was waited for."""


class Browser:
    """One page in one Chromium. Used inside `with`."""

    def __init__(self, width: int, height: int) -> None:
        self._size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._session: str | None = None
        self._count = 0
        self._unread = b""
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._launch(stack)
            target = self._call("Target.createTarget", url="about:blank")["targetId"]
            self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            self._call("Emulation.setDeviceMetricsOverride", **self._size)
            self._exit = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def open(self, url: str) -> None:
        """Go to an address; `wait` tells when something is there."""
        self._call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """Evaluate JavaScript in the page and return what it results in, as JSON has it.

        Raises:
            BrowserError: the script raised.
        """
        answer = self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BrowserError(f"{answer['exceptionDetails'].get('exception', {}).get('description')} in: {script}")
        return answer["result"].get("value")

    def wait(self, script: str) -> None:
        """Return once `script` results in something true; raises BrowserError after half a minute."""
        until(lambda: bool(self.run(script)), script)

    def photograph(self, box: dict[str, float], path: Path) -> None:
        """Write what lies in `box` (x, y, width, height in pixels of the page) as PNG."""
        shot = self._call("Page.captureScreenshot", clip={**box, "scale": 1}, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _launch(self, stack: ExitStack) -> None:
        program = next(filter(None, map(shutil.which, PROGRAMS)), None)
        if program is None:
            raise BrowserError(f"none of {', '.join(PROGRAMS)} was found: install Chromium")
        profile = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="sutazai-chromium-", ignore_cleanup_errors=True)
        )
        with ExitStack() as handed:  # Chromium's ends are its own: so that the end of it is the end of what is read
            commands, self._to = _pipe(reads=handed, writes=stack)
            self._from, answers = _pipe(reads=stack, writes=handed)
            redirected = ("/bin/bash", "-c", f'exec "$@" 3<&{commands} 4>&{answers}', "bash")
            process = subprocess.Popen(  # noqa: S603 - Chromium itself, with our own flags
                [*redirected, program, *FLAGS, f"--user-data-dir={profile}"],
                stderr=subprocess.DEVNULL,
                pass_fds=(commands, answers),
            )
        stack.callback(process.wait)
        stack.callback(process.kill)

    def _call(self, method: str, **parameters: object) -> Any:
        self._count += 1
        command: dict[str, object] = {"id": self._count, "method": method, "params": parameters}
        if self._session is not None:
            command["sessionId"] = self._session
        os.write(self._to, json.dumps(command).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            part = os.read(self._from, 1 << 16)
            if not part:
                raise BrowserError("Chromium has ended")
            self._unread += part
        line, _, self._unread = self._unread.partition(b"\0")
        answer: dict[str, Any] = json.loads(line)
        return answer


def until(holds: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Look again and again until something holds; raises BrowserError if that takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise BrowserError(f"this did not come true within {seconds:g} s: {what}")
        time.sleep(0.2)


def _pipe(*, reads: ExitStack, writes: ExitStack) -> tuple[int, int]:
    """Return the ends of a pipe, to read from and to write to, clear of the descriptors that Chromium uses."""
    read, write = os.pipe()
    return _raised(read, reads), _raised(write, writes)


def _raised(descriptor: int, owner: ExitStack) -> int:
    high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE)
    os.close(descriptor)
    owner.callback(os.close, high)
    return high
