"""Clinic: a whole system for the doctor to look at: topology, consumers, and a model server."""

import asyncio
import json
from dataclasses import dataclass

from agents.doctor.finding import Finding, Level
from bus.broker import Broker, ConsumerState
from bus.plan import Plan
from bus.topology import Topology
from tests.support.command_line import Cli, Ran
from tests.support.scripted_ollama import ScriptedOllama

AGENT = "senior-engineer"


@dataclass
class Clinic:
    """The system, and the doctor's command."""

    cli: Cli
    broker: Broker
    ollama: ScriptedOllama
    topology: Topology
    amqp_url: str
    management_url: str
    ollama_url: str
    ran: Ran | None = None

    async def findings(self, *words: str) -> list[Finding]:
        """Run the doctor with `--json`, and return what is not ok."""
        self.ran = await asyncio.to_thread(
            self.cli,
            *("doctor", *words, "--json", "--prefix", self.topology.prefix, "--amqp-url", self.amqp_url),
            *("--management-url", self.management_url, "--ollama-url", self.ollama_url),
        )
        told = [json.loads(line) for line in self.ran.out.splitlines()]
        found = [Finding(row["check"], Level(row["level"]), row["what"], row["remedy"]) for row in told]
        return [finding for finding in found if finding.level is not Level.OK]

    async def only_finding(self, *words: str) -> Finding:
        """Run the doctor, and return the one thing that is not ok."""
        found = await self.findings(*words)
        assert len(found) == 1, found
        return found[0]

    async def consume(self, prefetch: int = 3, agent: str = AGENT) -> None:
        """Consume the agent's queue until the end of the test; what comes is held."""
        consuming = asyncio.Event()
        self.broker.subscribe(
            self.topology.task_queue(agent),
            lambda _: None,
            prefetch=prefetch,
            tag=f"{agent}@here",
            plan=Plan(),
            on_state=lambda state: consuming.set() if state is ConsumerState.CONSUMING else None,
        )
        async with asyncio.timeout(10):
            await consuming.wait()
