"""Chat with a model on the terminal; the answers appear as they are written.

    python examples/chat.py

The broker is that of AMQP_URL (`memory://` needs none), the model server that of OLLAMA_URL. Ctrl-C ends an answer, and
its work at the model; at the prompt, it ends the chat, as Ctrl-D does. One sees:

    Ctrl-C ends an answer, at the prompt the chat.
    > Name one colour.
    The name of a colour is **blue**.
    > Name another one.
    The name of a colour is **gold**
"""

import asyncio
import signal
import threading
from contextlib import suppress

from agents import BaseAgentV2, Client, Host, Priority, TaskMessage, TaskResult, TaskStatus
from agents.core.process import run_process
from bus.errors import BusError
from bus.pieces import Piece, Restart, Step

MOST_MESSAGES = 20
"""Of the conversation, that the model is shown."""


class Chatter(BaseAgentV2):
    """Goes on with a conversation, which a task brings as `data.messages`: nothing of it is kept here."""

    async def process_task(self, task: TaskMessage) -> str:
        """Return the next answer."""
        return await self.query_ollama_chat(task.data["messages"], max_tokens=512)


class Conversation:
    """What was said, and one answer at a time."""

    def __init__(self, client: Client, agent: str) -> None:
        self.client = client
        self.agent = agent
        self.messages: list[dict[str, str]] = []

    async def answer(self, question: str, interrupted: asyncio.Event) -> None:
        """Print the answer to a question; both are kept, unless it does not come to its end."""
        asked = [*self.messages, {"role": "user", "content": question}][-MOST_MESSAGES:]
        result = await self._streamed(asked, interrupted)
        if result.status is TaskStatus.COMPLETED:
            self.messages = [*asked, {"role": "assistant", "content": str(result.result)}]
        else:
            print(f"[{result.status}: {getattr(result.error, 'message', result.error)}]")

    async def _streamed(self, messages: list[dict[str, str]], interrupted: asyncio.Event) -> TaskResult:
        data = {"messages": messages}
        async with self.client.stream(self.agent, data=data, priority=Priority.HIGH) as stream:
            watch = asyncio.create_task(self._cancel(stream.task.id, interrupted), name="chat:interrupt")
            try:
                async for step in stream.steps():
                    show(step)
                return await stream.result()
            finally:
                watch.cancel()
                print()

    async def _cancel(self, task_id: str, interrupted: asyncio.Event) -> None:
        await interrupted.wait()
        try:
            await self.client.cancel(task_id, agent=self.agent)
        except BusError as error:
            print(f"\n[not cancelled: {error}]")


def show(step: Step) -> None:
    """Print a piece of the answer, or that those so far are void. Control characters would move the cursor."""
    if isinstance(step, Piece):
        print("".join(sign for sign in step.text if sign.isprintable() or sign in "\t\n"), end="", flush=True)
    elif isinstance(step, Restart):
        print("\n[the text above is void: the answer begins anew]")


class Lines:
    """The lines of the standard input, read in a daemon thread: one that waits there keeps no process alive."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        threading.Thread(target=self._read, name="chat:input", daemon=True).start()

    async def next(self, interrupted: asyncio.Event) -> str:
        """Return the next line; an empty text at the end of the input, and after Ctrl-C."""
        line = asyncio.create_task(self._queue.get(), name="chat:line")
        stop = asyncio.create_task(interrupted.wait(), name="chat:stop")
        await asyncio.wait([line, stop], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if line.done():
            return line.result()
        line.cancel()
        return ""

    def _read(self) -> None:
        # Not sys.stdin, whose lock Python wants for itself when it ends. The chat may have ended before the input.
        with open(0, closefd=False) as stdin, suppress(RuntimeError):
            for line in stdin:
                self._loop.call_soon_threadsafe(self._queue.put_nowait, line)
            self._loop.call_soon_threadsafe(self._queue.put_nowait, "")


async def chat() -> None:
    """Read a line, answer it, and so on until the end of the input."""
    agent = Chatter(name="chatter")
    async with Host([agent], agent.settings) as host:
        await host.pool.refresh_models()  # no model server: one line says so, where the tasks would wait for it
        lines, interrupted = Lines(), asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupted.set)
        conversation = Conversation(Client(host.broker, host.topology), agent.name)
        print("Ctrl-C ends an answer, at the prompt the chat.\n> ", end="", flush=True)
        while line := await lines.next(interrupted):
            if line.strip():
                await conversation.answer(line.strip(), interrupted)
                interrupted.clear()
            print("> ", end="", flush=True)
    print()


if __name__ == "__main__":
    run_process(chat, "error")
