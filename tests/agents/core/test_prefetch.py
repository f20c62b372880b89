from urllib.parse import urlsplit

from agents import BaseAgentV2
from schemas import TaskMessage, TaskStatus
from tests.support.agent_world import Gate, agent_world, connected_client, settings_for
from tests.support.management import Management, Row
from tests.support.proxy import TcpProxy
from tests.support.waiting import wait_until


class Holder(BaseAgentV2):
    def __init__(self, gate: Gate) -> None:
        super().__init__(name="holder", max_concurrent_tasks=2)
        self.gate = gate

    async def process_task(self, task: TaskMessage) -> dict[str, str]:
        return await self.gate.hold(task)


async def test_prefetch_is_max_concurrent_tasks_and_no_more_handlers_run_even_across_a_cut(
    vhost_url: str, management: Management
) -> None:
    gate = Gate()
    parts = urlsplit(vhost_url)
    async with (
        TcpProxy(parts.hostname or "", parts.port or 5672) as proxy,
        connected_client(settings_for(vhost_url)) as client,
        client.results() as results,
        agent_world(Holder(gate), amqp_url=proxy.url_for(vhost_url)) as world,
    ):
        tasks = [await client.submit("holder", str(n)) for n in range(6)]
        running = {await gate.next(), await gate.next()}
        await wait_until(lambda: _consumer(management), what="the consumer in the statistics")
        row = await _consumer(management)
        assert row is not None
        assert (row["prefetch_count"], row["consumer_tag"].rpartition("#")[0]) == (2, "holder@host-1")
        queue = client.topology.task_queue("holder")

        async def consumes_again() -> bool:
            info = await client.broker.queue_info(queue)
            return info is not None and info.consumers == 1 and info.ready == 4

        await proxy.drop()
        await wait_until(consumes_again, what="the consumer after the cut")
        assert (gate.running, gate.most, gate.started.qsize()) == (2, 2, 0)
        gate.leave.set()
        ended = [await anext(results) for _ in tasks]
        assert {result.task_id for result in ended} == {task.id for task in tasks}
        assert {result.status for result in ended} == {TaskStatus.COMPLETED}
        assert gate.most == 2
        assert running | {await gate.next() for _ in range(4)} == {task.id for task in tasks}
        assert world.host.consumers[0].prefetch == 2


async def _consumer(management: Management) -> Row | None:
    return next((row for row in await management.consumers() if row["queue"]["name"] == "sutazai.tasks.holder"), None)
