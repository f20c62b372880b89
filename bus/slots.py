"""Handler slots: as many as the prefetch. Whoever waits for one is turned away once the slots are shut."""

import asyncio
from bisect import insort


class Turn:
    """A wait for a slot: the higher priority first, then whoever came first."""

    def __init__(self, priority: int = 0) -> None:
        self.priority = priority
        self._answer: asyncio.Future[bool] | None = None

    def is_waiting(self) -> bool:
        """Whether it waits now."""
        return self._answer is not None and not self._answer.done()

    def hand_back(self, _reason: str) -> None:
        """Turn it away, if it waits."""
        self.answer(slot=False)

    def answer(self, *, slot: bool) -> bool:
        """End the wait, with a slot or without; False if it does not wait any more."""
        if self._answer is None or self._answer.done():
            return False
        self._answer.set_result(slot)
        return True

    async def wait(self) -> bool:
        """Wait for the answer."""
        self._answer = asyncio.get_running_loop().create_future()
        return await self._answer

    @property
    def has_slot(self) -> bool:
        """Whether it was given a slot."""
        answer = self._answer
        return answer is not None and answer.done() and not answer.cancelled() and answer.result()


class Slots:
    """A semaphore that can be shut, and grows. A shut one lets nobody in; what is inside stays inside."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._shut = False
        self._waiting: list[Turn] = []

    async def acquire(self, turn: Turn | None = None) -> bool:
        """Wait for a slot; False if the slots are or get shut before one is free, or the turn is handed back."""
        if self._shut:
            return False
        if self._free:
            self._free -= 1
            return True
        turn = turn or Turn()
        insort(self._waiting, turn, key=lambda turn: -turn.priority)
        try:
            return await turn.wait()
        except asyncio.CancelledError:
            if turn.has_slot:
                self.release()
            raise
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)

    def release(self) -> None:
        """Return a slot that `acquire` gave, or add one."""
        while self._waiting:
            if self._waiting.pop(0).answer(slot=True):
                return
        self._free += 1

    def shut(self) -> None:
        """Let nobody in from now on."""
        self._shut = True
        while self._waiting:
            self._waiting.pop(0).answer(slot=False)

    def open(self) -> None:
        """Let in again."""
        self._shut = False
