import asyncio
import re

from agents.core.catalog import load_catalog
from bus.topology import Topology
from tests.support.command_line import Cli
from tests.support.management import Management


async def test_all_exchanges_and_queues_are_declared_with_those_of_the_named_agents(
    cli: Cli, vhost_url: str, management: Management
) -> None:
    ran = await asyncio.to_thread(cli, "topology", "one", "two", "--amqp-url", vhost_url, "--prefix", "fleet")
    assert ran.code == 0
    assert ran.out.startswith("declared on RabbitMQ")
    names = Topology(prefix="fleet")
    plans = [names.shared(), names.agent("one"), names.agent("two"), *names.logs()]
    assert (await management.exchanges()).keys() == {exchange.name for exchange in plans[0].exchanges}
    assert (await management.queues()).keys() == {queue.name for plan in plans for queue in plan.queues}


def test_show_prints_everything_whole_and_needs_no_broker(cli: Cli) -> None:
    ran = cli("topology", "one", "--show", "--amqp-url", "amqp://127.0.0.1:9/")
    assert (ran.code, ran.err) == (0, "")
    flat = ran.out.replace("│", " ").split()
    for told in (
        "sutazai.tasks.one",
        "sutazai.dead.one",
        "*.one",
        "x-max-priority=10",
        "sutazai.control",
        "sutazai.results.log",
    ):
        assert told in flat
    assert "…" not in ran.out


def test_a_name_that_no_agent_can_have_is_refused(cli: Cli) -> None:
    ran = cli("topology", "Bad Name", "--show")
    assert (ran.code, ran.out) == (2, "")
    assert "agent 'Bad Name' cannot be a name" in ran.err


def test_the_queues_of_a_whole_category_and_of_a_class_beside_it_are_shown(cli: Cli) -> None:
    ran = cli("topology", "my-class", "*-guard", "--category", "system", "--show")
    expected = {name for name, file in load_catalog().items() if file.category == "system"}
    expected |= {"my-class", "prompt-injection-guard"}
    assert ran.code == 0
    assert set(re.findall(r"sutazai\.tasks\.([a-z0-9-]+)", ran.out)) == expected
