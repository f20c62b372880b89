"""View: all that a screen shows of a fleet at one moment. Pure."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from agents.fleet.fleet import Fleet
from agents.fleet.queues import QueueFigures
from agents.top.agent_rows import AgentRow, agent_rows
from agents.top.alarms import Alarm, Link, alarms, namesakes, nobody_answers, unserved
from agents.top.figures import count_text, speed_text
from agents.top.host_rows import HostRow, host_rows
from agents.top.server_rows import ServerRow, server_rows
from agents.top.speeds import Speeds
from schemas import AgentReport, HostReport

_SHORT: Final = {"hosts": "h", "agents": "a", "tok/s": "t/s", "unrouted": "unr"}


@dataclass(frozen=True, slots=True)
class Totals:
    """The whole fleet in figures, without silent hosts. `waiting` are tasks in the broker's queues; None: not known.

    `done` and `failed` are what hosts have done since they started, the silent ones too.

    `tokens_per_second` is what all model servers have written over the last minute.
    """

    hosts: int
    agents: int
    running: int
    waiting: int | None
    held: int
    done: int
    failed: int
    dead: int | None
    unrouted: int | None
    tokens_per_second: float

    def __str__(self) -> str:
        told = (
            f"hosts {self.hosts}",
            f"agents {self.agents}",
            f"run {self.running}",
            f"wait {count_text(self.waiting)}",
            f"done {count_text(self.done)}",
            f"fail {count_text(self.failed)}",
            f"dead {count_text(self.dead)}",
            f"{speed_text(self.tokens_per_second)} tok/s",
            f"unrouted {count_text(self.unrouted)}" if self.unrouted else "",
        )
        return "  ".join(part for part in told if part)

    def within(self, width: int) -> str:
        """Return the same in `width` cells: where they are few, with less between the figures, then in short words."""
        tight = str(self).replace("  ", " ")
        short = " ".join(_SHORT.get(word, word) for word in tight.split())
        return next((text for text in (str(self), tight) if len(text) <= width), short)


@dataclass(frozen=True, slots=True)
class View:
    """What is shown."""

    totals: Totals
    alarms: tuple[Alarm, ...]
    agents: tuple[AgentRow, ...]
    servers: tuple[ServerRow, ...]
    hosts: tuple[HostRow, ...]


def view_of(
    fleet: Fleet,
    queues: QueueFigures,
    speeds: Speeds,
    link: Link,
    silent: Collection[str],
    clock: Callable[[], float],
    *,
    looked_at: Collection[str],
    silent_after: float,
    is_late: bool,
    faults: Sequence[Alarm],
) -> View:
    """Return the view of this moment.

    `looked_at` are the agents whose queues are in `queues` if they have any: sums without some of the others would be
    too small. `silent` are the hosts of which nothing has been heard for `silent_after` seconds; `is_late`: whoever is
    there should have answered. `faults` are what the watch itself has found, which comes first.
    """
    agents = agent_rows(fleet.reports(AgentReport), queues.agents, silent)
    servers = server_rows(fleet, speeds, clock, silent)
    hosts = host_rows(fleet.reports(HostReport), fleet.ages(), silent)
    found = [*faults, *alarms(link, hosts, servers, agents), *namesakes(fleet.processes(within=silent_after))]
    if is_late:
        found += unserved(agents)
    if is_late and link.is_well and not fleet.ages():
        found.append(nobody_answers())
    totals = _totals(agents, servers, hosts, queues, are_whole=all(row.name in looked_at for row in agents))
    return View(totals, tuple(found), tuple(agents), tuple(servers), tuple(hosts))


def _totals(
    agents: list[AgentRow], servers: list[ServerRow], hosts: list[HostRow], queues: QueueFigures, *, are_whole: bool
) -> Totals:
    asked = queues.agents.values() if are_whole else ()
    return Totals(
        hosts=sum(not row.is_silent for row in hosts),
        agents=sum(bool(row.living) for row in agents),
        running=sum(row.running for row in agents),
        waiting=sum(found.ready for found in asked) if asked else None,
        held=sum(row.held for row in agents),
        done=sum(row.done for row in agents),
        failed=sum(row.failed for row in agents),
        dead=sum(found.dead for found in asked) if asked else None,
        unrouted=queues.unrouted,
        tokens_per_second=sum(row.now for row in servers),
    )
