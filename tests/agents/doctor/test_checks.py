from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from agents.core.settings import load_settings
from agents.doctor.checks import CHECKS, diagnose
from agents.doctor.facts import BrokerFacts, CheckedAgent, Facts, Generation, ManagementFacts, Permissions, ServerFacts
from agents.doctor.finding import Finding, Level, broken, exit_code_of, ok, warning
from bus.broker import QueueInfo
from bus.topology import Topology
from schemas import AgentReport

TASKS = "sutazai.tasks.a"
TOPOLOGY = Topology()
PLANS = (TOPOLOGY.shared(), TOPOLOGY.agent("a"))
QUEUES = [queue for plan in PLANS for queue in plan.queues]
AGENT = CheckedAgent("a", "tinyllama")
STUCK = "consumed, and nothing delivered or settled for ten minutes while tasks wait: "


def managed(**row: object) -> ManagementFacts:
    """All as it should be, but for `row` at the task queue."""
    rows: dict[str, dict[str, Any]] = {
        queue.name: {"name": queue.name, "type": queue.arguments["x-queue-type"], "arguments": dict(queue.arguments)}
        for queue in QUEUES
    }
    rows[TASKS] |= row
    return ManagementFacts(
        exchanges={
            exchange.name: {"type": "topic", "arguments": exchange.arguments}
            for plan in PLANS
            for exchange in plan.exchanges
        },
        queues=rows,
        bindings=frozenset(
            (binding.exchange, binding.queue, binding.key) for plan in PLANS for binding in plan.bindings
        ),
        consumers=[{"queue": "sutazai.control.to.h-1"}],
        permissions=Permissions(".*", ".*", ".*"),
        skew=0.1,
    )


def facts(management: ManagementFacts | None = None, server: ServerFacts | None = None, **settings: object) -> Facts:
    """All as it should be, but for what is given."""
    broker = BrokerFacts(
        "RabbitMQ 4.3 at there",
        agents=["a"],
        queues={queue.name: QueueInfo(queue.name, 0, 1) for queue in QUEUES},
        management=management or managed(),
    )
    well = ServerFacts("http://m", version="0.33", installed=[{"name": "tinyllama:latest", "size": 5}], memory=9)
    return Facts(load_settings(None, **settings), broker, [AGENT], [server or well])


def bad(found: Facts) -> list[Finding]:
    return [finding for finding in diagnose(found) if finding.level is not Level.OK]


def only(found: Facts) -> Finding:
    (finding,) = bad(found)
    assert finding.remedy
    return finding


def test_where_all_is_well_every_check_says_so_under_its_own_name() -> None:
    found = replace(facts(), servers=[replace(facts().servers[0], generation=Generation("tinyllama", 0.1, 2.0))])
    assert [(finding.check, finding.level) for finding in diagnose(found)] == [(name, Level.OK) for name in CHECKS]


def test_a_check_that_is_skipped_says_nothing() -> None:
    assert {finding.check for finding in diagnose(facts(), ["clock", "broker"])} == set(CHECKS) - {
        "clock",
        "broker",
        "generation",
    }


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([], 0),
        ([ok("a", "fine")], 0),
        ([warning("a", "odd", "do"), ok("b", "fine")], 1),
        ([broken("a", "bad", "do"), warning("b", "odd", "do")], 2),
    ],
)
def test_the_worst_finding_is_the_exit_code(findings: list[Finding], code: int) -> None:
    assert exit_code_of(findings) == code


def test_of_an_unreachable_broker_only_that_is_said() -> None:
    found = replace(facts(), broker=BrokerFacts(error="no RabbitMQ answers at x: start it"))
    assert only(found) == broken("broker", "no RabbitMQ answers at x", "start it")
    assert not {"topology", "consumers", "permissions", "dead-letters"} & {each.check for each in diagnose(found)}


@pytest.mark.parametrize(
    ("skew", "told"), [(9.0, "9 s ahead of this machine's"), (-70.0, "70 s behind this machine's")]
)
def test_a_clock_that_is_off_is_told_with_its_direction(skew: float, told: str) -> None:
    finding = only(facts(replace(managed(), skew=skew)))
    assert (finding.check, finding.level) == ("clock", Level.WARNING)
    assert finding.what.endswith(told)


@pytest.mark.parametrize(
    ("is_attended", "held", "ready", "level"),
    [
        (True, 3, 5, Level.OK),
        (True, 0, 5, Level.WARNING),
        (False, 3, 5, Level.BROKEN),
        (False, 3, 0, Level.WARNING),
    ],
)
def test_a_consumer_that_its_full_host_has_shut_is_not_missed(
    held: int, ready: int, level: Level, *, is_attended: bool
) -> None:
    management = managed(messages_unacknowledged=held)
    ears = {("sutazai.tasks", "sutazai.arrivals.to.h-1", "a")} if is_attended else set()
    found = facts(replace(management, bindings=management.bindings | ears))
    queues = dict(found.broker.queues) | {TASKS: QueueInfo(TASKS, ready, 0)}
    found = replace(found, broker=replace(found.broker, queues=queues))
    assert [finding.level for finding in CHECKS["consumers"](found)] == [level]


def told(host: str, consumer: str, reason: str | None = None) -> AgentReport:
    """A report on the one agent."""
    return AgentReport(host=host, agent="a", consumer=consumer, reason=reason, prefetch=1, held=0, health={})


@pytest.mark.parametrize(
    ("reports", "what"),
    [
        ([told("h1", "paused", "operator: new model")], [f"paused: {TASKS} (5 wait) on h1 (operator: new model)"]),
        (
            [told("h1", "paused", "operator"), told("h2", "full"), told("h3", "paused", "no server")],
            [f"paused: {TASKS} (5 wait) on h1 (operator), h3 (no server)"],
        ),
        ([told("h1", "full")], []),
        ([told("h1", "lost")], [f"nobody consumes {TASKS} (5 wait)"]),
        ([], [f"nobody consumes {TASKS} (5 wait)"]),
    ],
)
def test_a_pause_is_told_however_busy_its_host_is_with_other_tasks(reports: list[AgentReport], what: list[str]) -> None:
    found = facts(managed(messages_unacknowledged=3))
    queues = dict(found.broker.queues) | {TASKS: QueueInfo(TASKS, 5, 0)}
    found = replace(found, broker=replace(found.broker, queues=queues, reports=reports))
    assert [finding.what for finding in bad(found)] == what
    assert not what or bad(found)[0].remedy


@pytest.mark.parametrize(
    ("error", "check"),
    [("no model server answers at http://m (refused): start Ollama there", "`model-server`"), (None, "`generation`")],
)
@pytest.mark.parametrize("is_told", [True, False])
def test_in_an_outage_the_consumers_are_said_to_be_paused_and_the_check_that_tells_more_is_one_that_speaks(
    error: str | None, check: str, *, is_told: bool
) -> None:
    reason = "operator: night; the model server does not answer, failing since 2026-11-23 03:32:09 UTC: refused; x"
    found = facts(
        replace(managed(), bindings=managed().bindings | {("sutazai.control", "sutazai.control.to.h1-1", "a")})
    )
    found = replace(found, servers=[replace(found.servers[0], error=error, generation=Generation("m", 0.1))])
    queues = dict(found.broker.queues) | {TASKS: QueueInfo(TASKS, 5, 0)}
    reports = [told("h1", "paused", reason)] * is_told
    found = replace(found, broker=replace(found.broker, queues=queues, reports=reports))
    (finding,) = CHECKS["consumers"](found)
    assert finding.level is (Level.WARNING if is_told else Level.BROKEN)
    assert check in finding.remedy
    assert check.strip("`") in {each.check for each in diagnose(found)}
    short = f"paused: {TASKS} (5 wait) on h1 (operator: night; the model server does not answer)"
    assert finding.what == (short if is_told else f"nobody consumes {TASKS} (5 wait)")


@pytest.mark.parametrize("is_managed", [True, False])
@pytest.mark.parametrize("agents", [[], ["a"]])
def test_where_nothing_is_there_at_all_the_prefix_is_suspected_and_nothing_of_what_is_missing_praised(
    agents: list[str], *, is_managed: bool
) -> None:
    plans = (TOPOLOGY.shared(), *map(TOPOLOGY.agent, agents))
    queues: dict[str, QueueInfo | None] = {queue.name: None for plan in plans for queue in plan.queues}
    management = replace(managed(), exchanges={"other.tasks": {}}, queues={}, bindings=frozenset(), consumers=())
    seen = BrokerFacts("RabbitMQ 4.3", agents=agents, queues=queues, management=management if is_managed else None)
    found = diagnose(replace(facts(), broker=seen, agents=[]))
    suspected = next(finding for finding in found if finding.check == "topology")
    assert suspected.what == "nothing whose name begins with 'sutazai' is here"
    assert "SUTAZAI_PREFIX" in suspected.remedy
    assert {finding.check for finding in found} == {
        *("broker", "permissions", "topology", "patience", "prefetch", "model-server"),
        *("management", "clock") * is_managed,
    }


def test_without_an_agent_or_a_model_no_queue_of_one_and_no_model_is_judged() -> None:
    shared = {queue.name: QueueInfo(queue.name, 0, 0) for queue in TOPOLOGY.shared().queues}
    management = managed()
    rows = {name: row for name, row in management.queues.items() if name in shared}
    broker = BrokerFacts("RabbitMQ", queues=shared, management=replace(management, queues=rows))
    told = {finding.check: finding.what for finding in diagnose(replace(facts(), broker=broker, agents=[]))}
    assert not {"dead-letters", "consumers", "progress", "models", "num-ctx"} & told.keys()
    assert told["topology"] == f"exchanges and {len(shared)} queues are as they should be"
    assert {"bindings", "deprecated", "unrouted"} <= told.keys()


def test_without_the_management_api_no_check_says_that_it_looked_at_what_only_that_tells() -> None:
    found = replace(facts(), broker=replace(facts().broker, management=None))
    told = {finding.check: finding.what for finding in diagnose(found)}
    assert told["permissions"] == "this user may write to sutazai.delay and sutazai.dead"
    assert told["topology"] == f"{len(QUEUES)} queues are as they should be"
    assert not {"bindings", "deprecated", "progress", "clock"} & told.keys()


@pytest.mark.parametrize(("consumers", "more"), [(0, ""), (1, " and 1 consumer"), (2, " and 2 consumers")])
def test_a_prefetch_that_is_well_is_told_with_what_was_looked_at(consumers: int, more: str) -> None:
    rows = [{"queue": TASKS, "consumer_tag": "c", "prefetch_count": 3}] * consumers
    foreign = {"queue": "another's", "consumer_tag": "foreign", "prefetch_count": 3}
    (finding,) = CHECKS["prefetch"](facts(replace(managed(), consumers=[*rows, foreign])))
    assert finding == ok("prefetch", f"below 10 times the 2 slots: MAX_CONCURRENT_TASKS{more}")


def rates(deliver: float | None, ack: float | None) -> Mapping[str, object]:
    named = {"deliver_get_details": deliver, "ack_details": ack}
    return {name: {"avg_rate": rate} for name, rate in named.items() if rate is not None}


@pytest.mark.parametrize(
    ("consumers", "ready", "statistics", "is_stuck"),
    [
        (1, 1, rates(0.0, 0.0), True),
        (0, 1, rates(0.0, 0.0), False),
        (1, 0, rates(0.0, 0.0), False),
        (1, 1, rates(0.1, 0.0), False),
        (1, 1, rates(0.0, 0.1), False),
        (1, 1, rates(0.0, None), False),
        (1, 1, None, False),
    ],
)
def test_a_queue_is_stuck_where_consumers_let_tasks_wait_and_nothing_moved(
    consumers: int, ready: int, statistics: object, *, is_stuck: bool
) -> None:
    management = managed(consumers=consumers, messages_ready=ready, message_stats=statistics)
    assert [finding.check for finding in bad(facts(management))] == ["progress"] * is_stuck


@pytest.mark.parametrize(
    ("head", "head_of_b", "told"),
    [
        (1_000, 2_000, f"; the oldest task that is first in its queue was made 1:06:40 ago: {TASKS}"),
        (1_000, 500, "; the oldest task that is first in its queue was made 1:15:00 ago: sutazai.tasks.b"),
        (5_000, None, f"; the oldest task that is first in its queue was made 0:00:00 ago: {TASKS}"),
        (1_700_000_000_000, None, ""),
        (None, None, ""),
    ],
)
@pytest.mark.parametrize("is_stuck", [True, False])
def test_the_age_of_the_oldest_first_task_is_told_where_the_broker_knows_it(
    head: int | None, head_of_b: int | None, told: str, *, is_stuck: bool
) -> None:
    busy = {"consumers": 1, "messages_ready": 1, "message_stats": rates(0.0, 0.0)} if is_stuck else {}
    management = managed(**busy, head_message_timestamp=head)
    rows = {**management.queues, "sutazai.tasks.b": {"head_message_timestamp": head_of_b}}
    found = facts(replace(management, queues=rows, looked_at=5_000.5))
    (finding,) = CHECKS["progress"](replace(found, broker=replace(found.broker, agents=["a", "b"])))
    assert finding.level is (Level.WARNING if is_stuck else Level.OK)
    assert finding.what == (f"{STUCK}{TASKS}{told}" if is_stuck else f"nothing is stuck{told}")


def test_a_queues_own_consumer_timeout_below_the_settings_is_broken() -> None:
    by_policy = only(facts(managed(effective_policy_definition={"consumer-timeout": 60_000})))
    assert (by_policy.check, by_policy.level) == ("patience", Level.BROKEN)
    assert "away after 60 s, agents reckon with 1800 s" in by_policy.what
    assert by_policy.remedy.endswith("SUTAZAI_CONSUMER_TIMEOUT=60")
    fits = facts(managed(effective_policy_definition={"consumer-timeout": 60_000}), consumer_timeout=60)
    assert not bad(fits)


def test_a_deprecated_policy_on_a_queue_of_ours_is_told() -> None:
    finding = only(facts(managed(effective_policy_definition={"ha-mode": "all"})))
    assert (finding.check, finding.level) == ("deprecated", Level.WARNING)
    assert finding.what.endswith(f"ha-mode for {TASKS}")


@pytest.mark.parametrize(
    ("exchange", "told"),
    [
        ({"type": "direct"}, "type is direct instead of topic"),
        ({"type": "topic", "arguments": {}}, "alternate-exchange is absent instead of sutazai.unrouted"),
    ],
)
def test_an_exchange_of_another_kind_is_told(exchange: dict[str, object], told: str) -> None:
    management = managed()
    there = dict(management.exchanges) | {"sutazai.tasks": exchange}
    finding = only(facts(replace(management, exchanges=there)))
    assert (finding.check, finding.level) == ("topology", Level.BROKEN)
    assert told in finding.what


def test_missing_exchanges_come_before_queues_and_only_the_first_few_are_named() -> None:
    found = facts(replace(managed(), exchanges={}))
    missing = next(finding for finding in bad(found) if finding.check == "topology")
    assert missing.what == "missing: sutazai.results, sutazai.events, sutazai.metrics, sutazai.control and 5 more"


def test_a_queue_of_another_type_is_told_where_only_the_broker_names_the_type() -> None:
    queue = {name: value for name, value in QUEUES[-2].arguments.items() if name != "x-queue-type"}
    assert not bad(facts(managed(type="classic", arguments=queue)))
    assert "x-queue-type is quorum instead of classic" in only(facts(managed(type="quorum", arguments=queue))).what


def test_the_words_that_describe_a_queue_make_no_difference() -> None:
    described = {**QUEUES[-2].arguments, "x-description": "words of an older version"}
    assert not bad(facts(managed(arguments=described)))


def test_rights_are_judged_by_their_patterns() -> None:
    finding = only(facts(replace(managed(), permissions=Permissions("", r"^sutazai\.(?!results)", "^nothing"))))
    assert (finding.check, finding.level) == ("permissions", Level.BROKEN)
    assert finding.what == f"this user may not read {TASKS}, write to sutazai.results"
    assert not bad(facts(replace(managed(), permissions=None)))


def test_an_unlimited_prefetch_counts_as_too_many() -> None:
    rows = [
        {"queue": TASKS, "consumer_tag": "greedy", "prefetch_count": 0},
        {"queue": "another's", "consumer_tag": "foreign", "prefetch_count": 0},
    ]
    finding = only(facts(replace(managed(), consumers=rows)))
    assert finding.what == "greedy takes any number at once, for 2 slots at the model"


def test_a_slow_token_is_a_warning_and_one_after_a_slow_load_is_none() -> None:
    server = facts().servers[0]
    slow = only(facts(server=replace(server, generation=Generation("tinyllama", 12.0))))
    assert (slow.check, slow.level) == ("generation", Level.WARNING)
    assert not bad(facts(server=replace(server, generation=Generation("tinyllama", 0.2, 60.0))))


def test_models_that_run_at_once_are_weighed_together() -> None:
    both = [{"name": "tinyllama:latest", "size": 5}, {"name": "b", "size": 5}]
    server = ServerFacts("http://m", installed=both, memory=9)
    agents = [AGENT, CheckedAgent("b", "b")]
    assert not bad(replace(facts(server=server), agents=agents))
    two = replace(facts(server=server, models_in_flight=2), agents=agents)
    assert only(two).check == "memory"


def test_a_context_left_to_the_server_is_no_foreign_one_and_no_agent_at_all_is_fine() -> None:
    loaded = [{"name": "tinyllama:latest", "context_length": 8192}]
    found = facts(server=replace(facts().servers[0], loaded=loaded))
    assert not bad(found)
    assert not bad(replace(found, agents=[]))
