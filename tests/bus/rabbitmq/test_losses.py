"""What the log says of a consumer that is lost, and of one that ends."""

from structlog.testing import capture_logs

from bus.broker import ConsumerState
from tests.support.bus_world import Worker, World
from tests.support.waiting import wait_until


async def test_the_end_of_a_consumer_or_a_listener_is_no_loss(world: World) -> None:
    with capture_logs() as lines:
        async with world.consumer(Worker()) as consumer, world.client.replies() as replies:
            await replies.until_consuming()
            await wait_until(lambda: consumer.state is ConsumerState.CONSUMING, what="the consumer")
    assert consumer.losses == 0
    assert [line for line in lines if line["log_level"] == "warning"] == []


async def test_a_cut_is_left_to_who_follows_a_consumer_to_tell(world: World) -> None:
    async with world.consumer(Worker()) as consumer, world.client.replies() as replies:
        await replies.until_consuming()
        await wait_until(lambda: consumer.state is ConsumerState.CONSUMING, what="the consumer")
        with capture_logs() as lines:
            await world.cut()
            await wait_until(lambda: consumer.losses == 1, what="the loss")
            await wait_until(lambda: consumer.state is ConsumerState.CONSUMING, what="the return")
            await replies.until_consuming()
    levels = {line["event"]: line["log_level"] for line in lines}
    assert (levels["consumer.lost"], levels["listener.lost"]) == ("debug", "warning")
