"""What operators say to a host: its agents pause and resume in the order of the words, one after the other."""

import asyncio
from collections.abc import Sequence

import structlog

from bus.broker import ConsumerState
from bus.consumer import Consumer
from bus.pauses import SEPARATOR, Cause
from schemas import AgentReport, PauseAgents, ResumeAgents

log = structlog.get_logger(__name__)


class OperatorPauses:
    """Pauses and resumes `consumers` as it is told. What pauses them for another cause is not touched."""

    def __init__(self, consumers: Sequence[Consumer]) -> None:
        self._consumers = consumers
        self._words: asyncio.Queue[PauseAgents | ResumeAgents] = asyncio.Queue()

    def hear(self, word: PauseAgents | ResumeAgents) -> None:
        """Take in a word; `run` obeys it."""
        self._words.put_nowait(word)

    async def run(self) -> None:
        """Obey until cancelled."""
        while True:
            await self._obey(await self._words.get())

    async def _obey(self, word: PauseAgents | ResumeAgents) -> None:
        meant = [consumer for consumer in self._consumers if word.agent in (None, consumer.agent)]
        if isinstance(word, PauseAgents):
            reason = reason_of(word)
            log.warning("operator.paused", reason=reason, agents=len(meant))
            await asyncio.gather(*(consumer.pause(reason, Cause.OPERATOR) for consumer in meant))
        else:
            log.info("operator.resumed", agents=len(meant))
            for consumer in meant:
                consumer.resume(Cause.OPERATOR)


def reason_of(word: PauseAgents) -> str:
    """Return what reports say of the pause, as in `operator: new model tonight`."""
    return ": ".join(part for part in (Cause.OPERATOR.value, word.reason) if part)


def is_by_operator(reason: str | None) -> bool:
    """Whether a reason that a report tells is, or holds, that of an operator's pause."""
    parts = (reason or "").split(SEPARATOR)
    return any(part == Cause.OPERATOR or part.startswith(f"{Cause.OPERATOR}: ") for part in parts)


def has_paused(report: AgentReport) -> bool:
    """Whether an agent tells that it takes no tasks because an operator said so."""
    return is_by_operator(report.reason) and report.consumer != ConsumerState.CONSUMING


def has_resumed(report: AgentReport) -> bool:
    """Whether no operator keeps an agent from its tasks any more; an outage still may."""
    return not is_by_operator(report.reason)
