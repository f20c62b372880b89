"""Each snippet of the document this product is built from runs, with only its import lines changed."""

import asyncio
import importlib

import pytest

from agents import BaseAgentV2, TaskMessage, TaskResult
from agents.local_model import LocalModelServer
from schemas import TaskStatus
from tests.support.agent_world import agent_world, attempt_at, connected_client, memory_url, settings_for


@pytest.fixture(autouse=True)
def _ask_the_real_model(model_server: LocalModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_URL", model_server.url)


class MyAgent(BaseAgentV2):
    async def process_task(self, task: TaskMessage) -> TaskResult:
        # Use async Ollama integration
        response = await self.query_ollama("Your prompt here", max_tokens=8)

        return TaskResult(task_id=task["id"], status="completed", result={"response": response}, processing_time=0.5)


class NewAgent(BaseAgentV2):
    async def process_task(self, task: TaskMessage) -> TaskResult:
        # Use async methods
        response = await self.query_ollama(task["prompt"])

        return TaskResult(task_id=task["id"], status="completed", result={"response": response}, processing_time=1.0)


async def test_an_agent_queries_ollama_and_returns_a_task_result() -> None:
    task = TaskMessage(agent="my-agent", prompt="x")
    attempt = attempt_at(task)
    result = await MyAgent().handle(attempt)
    assert (result.task_id, result.status, result.processing_time) == (task.id, TaskStatus.COMPLETED, 0.5)
    assert result.result["response"]
    assert 0 < attempt.spent.usage.tokens_out <= 8


async def test_a_new_agent_answers_a_task_from_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    url = memory_url()
    monkeypatch.setenv("AMQP_URL", url)
    async with connected_client(settings_for(url)) as client:
        await client.broker.declare(client.topology.agent("new-agent"))
        agent = NewAgent()
        running = asyncio.create_task(agent.run_async())
        result = await client.ask("new-agent", "Say hello.", options={"num_predict": 8}, timeout=30)
        running.cancel()
        await asyncio.wait([running])
    assert result.status is TaskStatus.COMPLETED
    assert result.result["response"]


async def test_the_pool_generates_chats_and_embeds() -> None:
    from agents.core.ollama_pool import OllamaConnectionPool

    messages = [{"role": "user", "content": "Say hello."}]
    async with OllamaConnectionPool(max_connections=2) as pool:
        response = await pool.generate("Your prompt", max_tokens=8)
        chat_response = await pool.chat(messages, max_tokens=8)
        embeddings = await pool.embeddings("Text to embed", model="all-minilm")
        stats = pool.get_stats()
        print(f"Total requests: {stats['total_requests']}")  # noqa: T201 - as in the document
        print(f"Success rate: {stats['success_rate']}")  # noqa: T201 - the same
        print(f"Hit rate: {stats['hit_rate']}")  # noqa: T201 - the same
    assert response
    assert chat_response
    assert sum(number * number for number in embeddings) == pytest.approx(1, abs=0.01)
    assert (stats["total_requests"], stats["success_rate"]) == (3, 1.0)


async def test_the_breaker_protects_a_call_and_decorates_a_function(capsys: pytest.CaptureFixture[str]) -> None:
    from agents.core.circuit_breaker import CircuitBreaker

    async def risky_function(first: int, second: int) -> int:
        return first + second

    breaker = CircuitBreaker(failure_threshold=3, recovery_timeout=60)

    # Protect any async function
    result = await breaker.call(risky_function, 1, 2)

    # Or use as decorator
    @breaker
    async def protected_function() -> str:
        # Function code here
        return "done"

    assert (result, await protected_function()) == (3, "done")
    stats = breaker.get_stats()
    print(f"State: {stats['state']}")  # noqa: T201 - as in the document
    print(f"Trip count: {stats['trip_count']}")  # noqa: T201 - the same
    print(f"Success rate: {stats['success_rate']}")  # noqa: T201 - the same
    assert capsys.readouterr().out == "State: closed\nTrip count: 0\nSuccess rate: 1.0\n"


async def test_the_queue_takes_a_request_with_a_priority_and_gives_its_result() -> None:
    from agents.core.request_queue import RequestPriority, RequestQueue

    async def function_to_execute(first: int, second: int) -> int:
        return first * second

    async with RequestQueue(max_concurrent=3) as queue:
        # Submit with priority
        request_id = await queue.submit(function_to_execute, 3, 4, priority=RequestPriority.HIGH)

        # Get result
        result = await queue.get_result(request_id)
    assert result == 12


def test_each_agent_has_a_model_and_a_configuration() -> None:
    from agents.core.ollama_integration import OllamaConfig

    # Get model for specific agent
    model = OllamaConfig.get_model_for_agent("ai-system-architect")
    assert model == "tinyllama"

    config = OllamaConfig.get_model_config("simple-task-agent")
    assert config == {
        "model": "tinyllama",
        "temperature": 0.5,
        "max_tokens": 1024,
        "top_p": 0.8,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
    }


async def test_health_prints_what_the_document_prints(capsys: pytest.CaptureFixture[str]) -> None:
    agent = MyAgent()
    health = await agent.health_check()
    capsys.readouterr()
    print(f"Agent healthy: {health['healthy']}")  # noqa: T201 - as in the document
    print(f"Tasks processed: {health['tasks_processed']}")  # noqa: T201 - the same
    print(f"Avg processing time: {health['avg_processing_time']}")  # noqa: T201 - the same
    assert capsys.readouterr().out == "Agent healthy: True\nTasks processed: 0\nAvg processing time: 0.0\n"


def test_the_tuning_constructors_take_their_arguments() -> None:
    # For very limited resources
    agent = BaseAgentV2(
        max_concurrent_tasks=1,  # Process one task at a time
        max_ollama_connections=1,  # Single connection
        health_check_interval=60,  # Less frequent health checks
    )
    assert (agent.settings.max_concurrent_tasks, agent.settings.max_ollama_connections) == (1, 1)

    # For better performance (if resources allow)
    agent = BaseAgentV2(
        max_concurrent_tasks=5,  # More parallel processing
        max_ollama_connections=3,  # More connections
        health_check_interval=30,  # More frequent monitoring
    )
    assert (agent.settings.max_concurrent_tasks, agent.settings.health_check_interval) == (5, 30)


async def test_a_component_is_tried_alone() -> None:
    from agents.core.ollama_pool import OllamaConnectionPool

    async with OllamaConnectionPool() as pool:
        response = await pool.generate("Hello!", max_tokens=8)
        print(response)  # noqa: T201 - as in the document
    assert response


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("base_agent_v2", "AgentStatus BaseAgent BaseAgentV2 TaskResult"),
        ("ollama_pool", "OllamaConnectionPool"),
        ("circuit_breaker", "CircuitBreaker CircuitState CircuitBreakerOpenException CircuitBreakerTimeoutException"),
        ("request_queue", "RequestQueue RequestPriority RequestStatus QueueFullError RequestTimeoutError"),
        ("ollama_integration", "OllamaConfig"),
    ],
)
def test_each_module_holds_the_names_of_the_document(module: str, names: str) -> None:
    found = importlib.import_module(f"agents.core.{module}")
    assert [name for name in names.split() if not hasattr(found, name)] == []


async def test_two_agents_of_the_document_share_one_host() -> None:
    async with agent_world(MyAgent(), NewAgent()) as world:
        results = [await world.client.ask(name, "Hi", timeout=10) for name in ("my-agent", "new-agent")]
    assert [result.status for result in results] == [TaskStatus.COMPLETED] * 2
