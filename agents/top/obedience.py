"""Pausing or resuming an agent, and the wait for the hosts that obey."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from agents.core.operator_pause import has_paused, has_resumed
from bus.client import Client
from bus.orders import OBEYING_SECONDS, say
from schemas import AgentReport, PauseAgents, ResumeAgents

Order = PauseAgents | ResumeAgents


@dataclass(frozen=True, slots=True)
class Outcome:
    """Which hosts have obeyed an order for an agent, and which of those that have it have not."""

    agent: str
    done: str
    obeyed: frozenset[str]
    silent: frozenset[str]

    def __str__(self) -> str:
        told = f"{self.done}: {self.agent} on {', '.join(sorted(self.obeyed))}" if self.obeyed else ""
        if self.silent:
            missing = f"not {self.done} within {OBEYING_SECONDS:g} s: {self.agent} on {', '.join(sorted(self.silent))}"
            return "; ".join(part for part in (told, f"{missing}; it obeys once it goes on") if part)
        return told or f"no host of {self.agent} runs: nothing is {self.done}"


async def carried_out(client: Client, order: Order, agent: str, hosts: Collection[str]) -> Outcome:
    """Give an order for `agent`, and return once `hosts` have obeyed, or some have not in time.

    Raises:
        BusError: it could not be given.
    """
    done, has_obeyed = ("paused", has_paused) if isinstance(order, PauseAgents) else ("resumed", has_resumed)
    obeyed: set[str] = set()
    async with client.reports() as reports:
        await say(client.broker, client.topology, order)
        with suppress(TimeoutError):
            async with asyncio.timeout(OBEYING_SECONDS if hosts else 0):
                async for report in reports:
                    if isinstance(report, AgentReport) and report.agent == agent and has_obeyed(report):
                        obeyed.add(report.host)
                    if obeyed.issuperset(hosts):
                        break
    return Outcome(agent, done, frozenset(obeyed), frozenset(hosts) - obeyed)
