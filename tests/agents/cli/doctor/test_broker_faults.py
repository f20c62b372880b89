"""Faults at a real broker, one at a time, that the doctor must name."""

import json
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest

from agents.doctor.finding import Level
from bus.message import Message
from bus.node_layout import HOST, free_ports
from bus.pauses import Cause
from bus.plan import Binding, Plan, Queue
from bus.topology import Topology
from tests.support.agent_world import Asker, Gate, Holder, agent_world
from tests.support.broker import Broker, vhost_of
from tests.support.clinic import AGENT, Clinic
from tests.support.management import Management
from tests.support.waiting import wait_until


@pytest.fixture
def reader_url(broker: Broker, vhost_url: str) -> Iterator[str]:
    """The virtual host's address for a user who may read everything and write nothing."""
    user, vhost = f"reader-{secrets.token_hex(4)}", quote(vhost_of(vhost_url), safe="")
    with httpx.Client(base_url=broker.management_url or "", auth=broker.credentials) as api:
        api.put(f"/api/users/{user}", json={"password": "pw", "tags": "management"}).raise_for_status()
        rights = {"configure": "", "write": "", "read": ".*"}
        api.put(f"/api/permissions/{vhost}/{user}", json=rights).raise_for_status()
        yield urlsplit(vhost_url)._replace(netloc=f"{user}:pw@{urlsplit(vhost_url).netloc.rpartition('@')[2]}").geturl()
        api.delete(f"/api/users/{user}").raise_for_status()


async def replace_queue(clinic: Clinic, **arguments: str | int) -> None:
    name = clinic.topology.task_queue(AGENT)
    await clinic.broker.delete_queue(name)
    await clinic.broker.declare(Plan(queues=(Queue(name, arguments),)))
    await clinic.broker.declare(Plan(bindings=clinic.topology.agent(AGENT).bindings))


def expected_arguments(clinic: Clinic) -> dict[str, str | int]:
    return dict(clinic.topology.agent(AGENT).queues[0].arguments)


async def test_a_healthy_system_is_told_so_and_is_left_as_it_was(clinic: Clinic, management: Management) -> None:
    await clinic.consume()
    await clinic.broker.publish(clinic.topology.dead, AGENT, Message(b"{}"))
    before = await management.queues(), await management.exchanges(), await management.bindings()
    assert (await clinic.findings("--skip", "dead-letters")) == []
    assert clinic.ran is not None
    assert (clinic.ran.code, clinic.ran.err) == (0, "")
    after = await management.queues(), await management.exchanges(), await management.bindings()
    assert [sorted(map(str, kind)) for kind in before] == [sorted(map(str, kind)) for kind in after]
    (letter,) = await management.take(clinic.topology.dead_queue(AGENT))
    assert letter["redelivered"] is False
    assert await management.take(clinic.topology.unrouted) == []


async def test_a_wrong_priority_argument_is_named_with_both_values(clinic: Clinic) -> None:
    await replace_queue(clinic, **expected_arguments(clinic) | {"x-max-priority": 5})
    await clinic.consume()
    found = await clinic.only_finding(AGENT)
    assert (found.check, found.level) == ("topology", Level.BROKEN)
    assert f"{clinic.topology.task_queue(AGENT)} (x-max-priority is 5 instead of 10)" in found.what
    assert "sutazai topology" in found.remedy


async def test_without_the_management_api_a_wrong_argument_is_seen_by_the_brokers_refusal(clinic: Clinic) -> None:
    await replace_queue(clinic, **expected_arguments(clinic) | {"x-max-priority": 5})
    await clinic.consume()
    clinic.management_url = f"http://{HOST}:{free_ports(1)[0]}"
    unseen, found = await clinic.findings(AGENT)
    assert (unseen.check, unseen.level, found.check) == ("management", Level.WARNING, "topology")
    assert "SUTAZAI_MANAGEMENT_URL" in unseen.remedy
    assert "x-max-priority" in found.what


async def test_a_missing_queue_and_a_missing_binding_are_named(clinic: Clinic) -> None:
    await clinic.broker.delete_queue(clinic.topology.dead_queue(AGENT))
    name = clinic.topology.task_queue(AGENT)
    await clinic.broker.delete_queue(name)
    await clinic.broker.declare(Plan(queues=clinic.topology.agent(AGENT).queues[:1]))
    await clinic.broker.declare(Plan(bindings=(Binding(clinic.topology.tasks, name, AGENT),)))
    await clinic.consume()
    missing, unbound = await clinic.findings()
    assert (missing.check, unbound.check) == ("topology", "bindings")
    assert missing.what == f"missing: {clinic.topology.dead_queue(AGENT)}"
    assert unbound.what == f"not bound: {name} to {clinic.topology.retry} by '*.{AGENT}'"
    assert clinic.ran is not None
    assert clinic.ran.code == 2


async def test_a_deprecated_argument_is_named(clinic: Clinic) -> None:
    await replace_queue(clinic, **expected_arguments(clinic) | {"x-queue-mode": "lazy"})
    await clinic.consume()
    found = await clinic.only_finding(AGENT)
    assert (found.check, found.level) == ("deprecated", Level.BROKEN)
    assert found.what.endswith(f": x-queue-mode of {clinic.topology.task_queue(AGENT)}")
    assert "sutazai topology" in found.remedy


async def test_a_user_who_may_not_write_is_told(clinic: Clinic, reader_url: str) -> None:
    await clinic.consume()
    clinic.amqp_url = reader_url
    found = await clinic.only_finding(AGENT)
    assert (found.check, found.level) == ("permissions", Level.BROKEN)
    assert found.what == f"this user may not write to {clinic.topology.dead}, write to {clinic.topology.delay}"
    assert "set_permissions" in found.remedy


async def test_a_virtual_host_that_does_not_exist_is_told_apart_from_one_that_is_closed(
    clinic: Clinic, broker: Broker
) -> None:
    clinic.amqp_url = broker.url_of("nowhere")
    found = await clinic.only_finding(AGENT)
    assert (found.check, found.level) == ("broker", Level.BROKEN)
    assert found.what.endswith("it does not exist")
    assert "add_vhost" in found.remedy
    clinic.management_url = f"http://{HOST}:{free_ports(1)[0]}"
    assert (await clinic.only_finding(AGENT)).what.endswith(f"for user {broker.credentials[0]!r}")


@pytest.fixture
def closed_vhost(broker: Broker, clinic: Clinic) -> None:
    """Take the user's permissions for the virtual host away, once `clinic` is connected."""
    vhost = quote(vhost_of(clinic.amqp_url), safe="")
    with httpx.Client(base_url=broker.management_url or "", auth=broker.credentials) as api:
        api.delete(f"/api/permissions/{vhost}/{broker.credentials[0]}").raise_for_status()


@pytest.mark.usefixtures("closed_vhost")
async def test_a_virtual_host_without_permission_is_told(clinic: Clinic) -> None:
    found = await clinic.only_finding(AGENT)
    assert (found.check, found.what.rpartition("; ")[2]) == ("broker", "it exists, but not for this user")
    assert "set_permissions" in found.remedy


async def test_a_broker_that_is_not_there_is_broken_and_the_rest_is_still_looked_at(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUTAZAI_CONNECT_TIMEOUT", "0.1")
    clinic.amqp_url = f"amqp://guest:secret@{HOST}:{free_ports(1)[0]}/"
    clinic.ollama.installed.clear()
    clinic.ollama.loaded.clear()
    broker, models = await clinic.findings(AGENT)
    assert (broker.check, models.check) == ("broker", "models")
    assert "start it, or set AMQP_URL" in broker.remedy
    assert clinic.ran is not None
    assert "secret" not in clinic.ran.out


async def test_unrouted_tasks_and_dead_letters_are_counted(clinic: Clinic) -> None:
    await clinic.consume()
    await clinic.broker.publish(clinic.topology.tasks, "nobody", Message(b"{}"))
    await clinic.broker.publish(clinic.topology.dead, AGENT, Message(b"{}"))
    unrouted, dead = await clinic.findings()
    assert (unrouted.check, unrouted.what) == (
        "unrouted",
        f"1 task in {clinic.topology.unrouted} for agents that nobody declared",
    )
    assert (dead.check, dead.what) == ("dead-letters", f"given up: 1 of {AGENT}")
    assert f"sutazai dlq list --agent {AGENT}" in dead.remedy
    assert clinic.ran is not None
    assert clinic.ran.code == 1


async def test_a_queue_without_a_consumer_is_a_warning_and_broken_once_tasks_wait(clinic: Clinic) -> None:
    found = await clinic.only_finding()
    assert (found.check, found.level) == ("consumers", Level.WARNING)
    await clinic.broker.publish(clinic.topology.tasks, AGENT, Message(b"{}"))
    found = await clinic.only_finding()
    assert (found.check, found.level) == ("consumers", Level.BROKEN)
    assert f"{clinic.topology.task_queue(AGENT)} (1 wait)" in found.what
    assert "sutazai run" in found.remedy


async def test_an_operators_pause_is_told_though_its_host_is_busy_with_another_agents_task(clinic: Clinic) -> None:
    gate = Gate()
    staff = [Holder(gate, "holder"), *(Asker(name=name) for name in (AGENT, "third"))]
    given: dict[str, Any] = {"amqp_url": clinic.amqp_url, "prefix": clinic.topology.prefix, "max_held": 1}
    async with agent_world(*staff, **given) as world:
        await world.client.submit("holder", "x")
        await gate.next()
        await world.host.consumers[1].pause("operator: new model", Cause.OPERATOR)
        found = await clinic.only_finding("--skip", "models", "--skip", "generation", "--skip", "dead-letters")
        gate.leave.set()
    assert (found.check, found.level) == ("consumers", Level.WARNING)
    assert found.what == f"paused: {clinic.topology.task_queue(AGENT)} (0 wait) on host-1 (operator: new model)"
    assert "sutazai resume" in found.remedy


async def test_an_agent_of_no_file_here_is_looked_at_where_it_has_a_queue(clinic: Clinic) -> None:
    await clinic.broker.declare(clinic.topology.agent("stranger"))
    await clinic.consume()
    found = await clinic.only_finding("stranger", AGENT)
    assert found.what == f"nobody consumes {clinic.topology.task_queue('stranger')}"
    assert await clinic.findings("misspelt") == []
    assert clinic.ran is not None
    assert (clinic.ran.code, "no agent 'misspelt'" in clinic.ran.sentence) == (2, True)


async def test_another_prefix_is_suspected_where_nothing_has_it(clinic: Clinic) -> None:
    clinic.topology = Topology(prefix="elsewhere")
    found = await clinic.only_finding()
    assert (found.check, found.level) == ("topology", Level.BROKEN)
    assert "begins with 'elsewhere'" in found.what
    assert clinic.ran is not None
    praised = {json.loads(line)["check"] for line in clinic.ran.out.splitlines()}
    assert not {"bindings", "deprecated", "dead-letters", "consumers", "progress", "models", "num-ctx"} & praised


async def test_how_old_the_first_task_of_a_queue_is_is_told(clinic: Clinic, management: Management) -> None:
    name = clinic.topology.task_queue(AGENT)
    made = datetime.now(UTC) - timedelta(hours=2)
    await clinic.broker.publish(clinic.topology.tasks, AGENT, Message(b"{}", timestamp=made))
    await clinic.consume()

    async def is_known() -> bool:
        return bool((await management.queues())[name].get("head_message_timestamp"))

    await wait_until(is_known, what="the task's time in the statistics")
    assert await clinic.findings() == []
    assert clinic.ran is not None
    (told,) = re.findall(r"nothing is stuck; the oldest task that is first in its queue was made .*", clinic.ran.out)
    assert re.search(rf" 2:0\d:\d\d ago: {re.escape(name)}\b", told)


async def test_a_prefetch_of_ten_times_the_slots_is_a_warning_wherever_it_is_set(
    clinic: Clinic, management: Management, monkeypatch: pytest.MonkeyPatch
) -> None:
    await clinic.consume(prefetch=20)
    await wait_until(management.consumers, what="the consumer in the statistics")
    found = await clinic.only_finding()
    assert (found.check, found.what) == ("prefetch", f"{AGENT}@here#1 takes 20 at once, for 2 slots at the model")
    monkeypatch.setenv("MAX_CONCURRENT_TASKS", "20")
    found = await clinic.only_finding()
    assert "MAX_CONCURRENT_TASKS is 20" in found.what
    assert "MAX_CONCURRENT_TASKS" in found.remedy


async def test_a_task_timeout_over_the_acknowledgement_timeout_is_broken(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    await clinic.consume()
    monkeypatch.setenv("SUTAZAI_TASK_TIMEOUT", "1800")
    found = await clinic.only_finding()
    assert (found.check, found.level) == ("patience", Level.BROKEN)
    assert f"agent '{AGENT}' cannot run: a task timeout of 1800 s" in found.what
    assert "consumer_timeout in rabbitmq.conf" in found.remedy
