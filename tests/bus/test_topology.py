import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.errors import TopologyError
from bus.plan import Binding, Exchange, Queue
from bus.routing_keys import agent_of, event_key, filter_keys, matches, report_key, result_key, returned_key
from bus.topology import QueueType, Topology
from schemas import EventKind, ReportKind, TaskStatus

BOUNDED: dict[str, str | int] = {"x-max-length": 100_000, "x-overflow": "reject-publish"}
words = st.lists(st.sampled_from(["a", "b", ""]), max_size=5).map(".".join)
patterns = st.lists(st.sampled_from(["a", "b", "", "*", "#"]), max_size=5).map(".".join)


def oracle(pattern: str, key: str) -> bool:
    """The topic rules as a regular expression over words that each end with a slash."""
    parts = {"*": "[^/]*/", "#": "(?:[^/]*/)*"}
    expression = "".join(parts.get(word, re.escape(word) + "/") for word in pattern.split("."))
    return re.fullmatch(expression, "".join(f"{word}/" for word in key.split("."))) is not None


@given(patterns, words)
def test_a_binding_takes_what_the_topic_rules_say(pattern: str, key: str) -> None:
    assert matches(pattern, key) is oracle(pattern, key)


@pytest.mark.parametrize(
    ("pattern", "key", "taken"),
    [
        ("#", "a.b.c", True),
        ("a.#", "a", True),
        ("*.worker", "1000.worker", True),
        ("*.worker", "1000.other-worker", False),
        ("1000.#", "1000.worker", True),
        ("1000.#", "10000.worker", False),
        ("*", "a.b", False),
        ("a.*.#.c", "a.c", False),
    ],
)
def test_bindings_of_the_product_take_their_keys(pattern: str, key: str, taken: bool) -> None:
    assert matches(pattern, key) is taken


def test_a_classic_task_queue_has_ten_priorities_and_refuses_when_full() -> None:
    plan = Topology().agent("worker")
    assert plan.queues == (
        Queue("sutazai.tasks.worker", {"x-queue-type": "classic", "x-max-priority": 10, **BOUNDED}),
        Queue("sutazai.dead.worker", {"x-queue-type": "classic"}),
    )
    assert set(plan.bindings) == {
        Binding("sutazai.tasks", "sutazai.tasks.worker", "worker"),
        Binding("sutazai.retry", "sutazai.tasks.worker", "*.worker"),
        Binding("sutazai.dead", "sutazai.dead.worker", "worker"),
    }


def test_a_quorum_task_queue_has_a_delivery_limit_and_never_priorities() -> None:
    task, dead = Topology(queue_type=QueueType.QUORUM).agent("worker").queues
    assert task.arguments == {
        "x-queue-type": "quorum",
        "x-delivery-limit": 20,
        "x-dead-letter-exchange": "sutazai.dead",
        "x-dead-letter-routing-key": "worker",
        "x-dead-letter-strategy": "at-least-once",
        **BOUNDED,
    }
    # What is only looked at may be looked at as often as one likes.
    assert dead.arguments == {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000_000}


@pytest.mark.parametrize("kind", QueueType)
def test_a_rung_delays_by_its_queue_s_ttl_alone_and_keeps_what_no_queue_takes(kind: QueueType) -> None:
    plan = Topology(queue_type=kind).shared()
    rungs = {queue.name: queue.arguments for queue in plan.queues if ".delay." in queue.name}
    assert list(rungs) == [f"sutazai.delay.{ms}" for ms in (1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000, 900_000)]
    assert rungs["sutazai.delay.5000"] == {
        "x-queue-type": "quorum",
        "x-message-ttl": 5000,
        "x-dead-letter-exchange": "sutazai.retry",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


@given(st.sampled_from(QueueType))
def test_no_queue_has_what_some_version_refuses(kind: QueueType) -> None:
    topology = Topology(queue_type=kind)
    plans = (topology.shared(), topology.agent("worker"), topology.listener("results", "me", "sutazai.results", ("#",)))
    for queue in (queue for plan in plans for queue in plan.queues):
        assert "x-queue-type" in queue.arguments
        assert not {"x-queue-mode", "x-queue-version", "x-consumer-timeout"} & queue.arguments.keys()
        if queue.arguments["x-queue-type"] == "quorum":
            assert "x-max-priority" not in queue.arguments


@pytest.mark.parametrize("kind", QueueType)
def test_a_listener_s_queue_is_of_the_tasks_type_and_may_be_delivered_from_without_end(kind: QueueType) -> None:
    (queue,) = Topology(queue_type=kind).listener("results", "me", "sutazai.results", ("#",)).queues
    assert queue.arguments["x-queue-type"] == kind.value
    assert ("x-delivery-limit" in queue.arguments) is (kind is QueueType.QUORUM)


def test_tasks_for_nobody_go_to_the_unrouted_queue() -> None:
    plan = Topology().shared()
    assert Exchange("sutazai.tasks", alternate="sutazai.unrouted") in plan.exchanges
    assert Binding("sutazai.unrouted", "sutazai.unrouted", "#") in plan.bindings
    assert plan.exchanges[-1].arguments == {"alternate-exchange": "sutazai.unrouted"}
    assert plan.exchanges[0].arguments == {}


def test_everything_bears_the_prefix() -> None:
    topology = Topology(prefix="mine")
    plans = (topology.shared(), topology.agent("worker"), topology.listener("replies", "me", None, ()))
    for plan in plans:
        names = [exchange.name for exchange in plan.exchanges] + [queue.name for queue in plan.queues]
        names += [name for binding in plan.bindings for name in (binding.exchange, binding.queue)]
        assert all(name.startswith("mine.") for name in names)


def test_a_listener_s_queue_outlives_a_cut_and_not_its_owner() -> None:
    topology = Topology()
    plan = topology.listener("events", "me", topology.events, ("a.#", "b.#"))
    assert plan.queues == (
        Queue("sutazai.events.to.me", {"x-queue-type": "classic", "x-expires": 300_000, "x-max-length": 100_000}),
    )
    assert [binding.key for binding in plan.bindings] == ["a.#", "b.#"]
    assert topology.listener("replies", "me", None, ("ignored",)).bindings == ()


def test_arrivals_are_heard_of_each_agent_fresh_or_off_the_ladder_in_a_short_queue_that_goes_with_its_host() -> None:
    plan = Topology().arrivals("me", ("a", "b"))
    limits: dict[str, str | int] = {"x-max-length": 1_000, "x-max-length-bytes": 10_000_000}
    name = "sutazai.arrivals.to.me"
    assert plan.queues == (Queue(name, {"x-queue-type": "classic", **limits}, exclusive=True),)
    assert set(plan.bindings) == {
        Binding("sutazai.tasks", name, "a"),
        Binding("sutazai.tasks", name, "b"),
        Binding("sutazai.retry", name, "*.a"),
        Binding("sutazai.retry", name, "*.b"),
    }
    assert plan.exchanges == ()  # an exchange of tasks that is declared here alone would lack its alternate


@pytest.mark.parametrize("rungs", [(), (0, 1), (-5,), (2, 1), (1, 1)])
def test_rungs_that_are_no_ladder_are_refused(rungs: tuple[int, ...]) -> None:
    with pytest.raises(TopologyError, match="must be positive milliseconds in ascending order") as caught:
        Topology(rungs_ms=rungs)
    assert str(rungs) in str(caught.value)


def test_routing_keys_read_as_the_design_says() -> None:
    assert Topology().delay_key(1000, "worker") == "1000.worker"
    assert result_key("worker", TaskStatus.COMPLETED) == "worker.completed"
    assert event_key("worker", EventKind.CHUNK, "t.1") == "worker.chunk.t.1"
    assert report_key("host.example.org", ReportKind.POOL) == "host-example-org.pool"
    assert filter_keys(None, "completed") == ("*.completed",)
    assert (returned_key("worker"), returned_key()) == ("returned.worker", "returned.all")
    assert (agent_of("worker"), agent_of("1000.worker")) == ("worker", "worker")
    assert filter_keys("worker", None) == ("worker.*",)


def test_the_logs_are_streams_that_forget_after_a_week() -> None:
    results, control = Topology(prefix="lab").logs()
    assert [queue.name for plan in (results, control) for queue in plan.queues] == [
        "lab.results.log",
        "lab.control.log",
    ]
    assert results.bindings == (Binding("lab.results", "lab.results.log", "#"),)
    assert control.bindings == (Binding("lab.control", "lab.control.log", "*"),)
    assert not matches("*", returned_key("worker"))  # what hosts say of the moment is not kept
    assert (results.queues[0].arguments["x-queue-type"], results.queues[0].arguments["x-max-age"]) == ("stream", "7D")
