"""Handler slots: as many as the prefetch. Whoever waits for one is turned away once the slots are shut."""

import asyncio
from collections import deque


class Slots:
    """A semaphore that can be shut. A shut one lets nobody in; what is inside stays inside."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._shut = False
        self._waiting: deque[asyncio.Future[bool]] = deque()

    async def acquire(self) -> bool:
        """Wait for a slot; False if the slots are or get shut before one is free."""
        if self._shut:
            return False
        if self._free:
            self._free -= 1
            return True
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.release()
            raise

    def release(self) -> None:
        """Return a slot that `acquire` gave."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1

    def shut(self) -> None:
        """Let nobody in from now on."""
        self._shut = True
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(False)

    def open(self) -> None:
        """Let in again."""
        self._shut = False
