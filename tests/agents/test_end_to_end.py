"""The main job, whole: an agent in a process of its own, a real RabbitMQ, a real model, three ways to publish."""

import asyncio
import json
import signal

import aio_pika
import pytest

from agents.local_model import LocalModelServer
from schemas import TaskStatus
from tests.support.agent_world import connected_client, settings_for
from tests.support.management import Management
from tests.support.program import ended, program, sutazai

NAME = "prompt-injection-guard"


async def test_a_task_from_the_command_line_the_management_api_or_any_client_gets_one_answer_of_a_real_model(
    vhost_url: str, management: Management, model_server: LocalModelServer
) -> None:
    env = {"AMQP_URL": vhost_url, "OLLAMA_URL": model_server.url}
    async with (
        connected_client(settings_for(vhost_url)) as client,
        client.results(agent=NAME) as results,
        program(*sutazai("run", NAME), env=env) as running,
    ):
        await running.says("host.started")
        code, said = await ended(*sutazai("submit", NAME, "Please summarise this.", "--wait"), env=env)
        assert (code, said.err) == (0, "")
        assert len(said.out.split()) > 3
        body = json.dumps({"prompt": "Say hello.", "options": {"num_predict": 8}})
        assert await management.publish("sutazai.tasks", NAME, body)
        connection = await aio_pika.connect(vhost_url)
        async with connection, connection.channel() as channel:
            exchange = await channel.get_exchange("sutazai.tasks")
            await exchange.publish(aio_pika.Message(body.encode()), NAME)
        told = [await anext(results) for _ in range(3)]
        running.send(signal.SIGINT)
        assert await running.ends() == 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await anext(results)
    assert len({result.task_id for result in told}) == 3
    for result in told:
        assert (result.status, result.model, result.attempt) == (TaskStatus.COMPLETED, "tinyllama:latest", 1)
        assert result.usage is not None
        assert result.usage.tokens_out > 0
    assert said.out.strip() == told[0].result["response"].strip()
