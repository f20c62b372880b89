"""Structured output with a real small model: its answers are poor, but they have the shape that was asked for."""

import runpy
from pathlib import Path
from typing import Final

from agents.core.catalog import read_agent_file
from agents.core.host import Host
from agents.core.markdown_agent import MarkdownAgent
from agents.local_model import LocalModelServer
from tests.support.agent_world import connected_client, memory_url, settings_for

EXAMPLES: Final = Path(__file__).parents[3] / "examples"
MESSAGE = "My parcel has not come, and I leave tomorrow!"
BILL = "Ann's Bikes: one bell 8.50, two tubes 12.00. To be paid in 14 days."


async def test_a_real_model_answers_in_the_shape_that_the_examples_declare(model_server: LocalModelServer) -> None:
    sorter = MarkdownAgent(read_agent_file(EXAMPLES / "ticket-sorter.md"))
    program = runpy.run_path(str(EXAMPLES / "bill_reader.py"))
    settings = settings_for(memory_url(), ollama_url=model_server.url)
    async with connected_client(settings) as client, Host([sorter, program["BillReader"]()], settings):
        ticket = await client.ask("ticket-sorter", MESSAGE, timeout=50)
        bill = await client.ask("bill-reader", BILL, timeout=50)
    assert (ticket.error, bill.error) == (None, None)
    assert ticket.result.keys() == {"topic", "urgent", "reason"}
    assert ticket.result["topic"] in ("billing", "delivery", "technical", "other")
    assert isinstance(ticket.result["urgent"], bool)
    assert program["Bill"].model_validate(bill.result).total >= 0
    for result in (ticket, bill):
        assert result.usage is not None
        assert result.usage.tokens_per_second > 0
        assert (result.model, result.server) == ("tinyllama:latest", model_server.url)


def test_the_agent_files_among_the_examples_are_agents_without_a_misspelt_key() -> None:
    files = sorted(path for path in EXAMPLES.glob("*.md") if path.name != "README.md")
    assert [path.stem for path in files] == ["ticket-sorter", "translator"]
    assert all(not read_agent_file(path).extra for path in files)
