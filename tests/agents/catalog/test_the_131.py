"""The agents that come with the product are those of agents.tsv, and each is fit for a small model."""

import csv
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from agents.cli.checked_files import checked
from agents.core.catalog import CATALOG, load_catalog
from agents.core.markdown_agent import MarkdownAgent
from agents.core.ollama_integration import OllamaConfig
from agents.core.tiers import TIERS, Tier
from tests.support.agent_world import agent_world
from tests.support.scripted_ollama import ScriptedOllama

AGENTS = load_catalog()
NAMES = sorted(AGENTS)
LINES = (Path(__file__).parent / "agents.tsv").read_text().splitlines()
LISTED = list(csv.DictReader(LINES, delimiter="\t", quoting=csv.QUOTE_NONE))

SHARED = 0.08
"""Share of the 5-word sequences of the shorter of two prompts that may stand in the other."""


def shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[a-z0-9]+", text.lower())
    return set(zip(*(words[start:] for start in range(5)), strict=False))


def test_the_catalogue_is_the_list_in_names_tiers_categories_and_descriptions() -> None:
    found = {(agent.name, agent.tier.value, agent.category, agent.description) for agent in AGENTS.values()}
    assert found == {(row["name"], row["tier"], row["category"], row["description"]) for row in LISTED}
    assert len(found) == len(LISTED) == 131


def test_31_agents_are_opus_59_sonnet_and_41_default_for_ollama_config_too() -> None:
    counts = {Tier.OPUS: 31, Tier.SONNET: 59, Tier.DEFAULT: 41}
    assert Counter(agent.tier for agent in AGENTS.values()) == counts
    assert Counter(OllamaConfig.tier_of(name) for name in NAMES) == counts
    for row in LISTED:
        assert OllamaConfig.get_model_config(row["name"], tiers=TIERS) == TIERS[Tier(row["tier"])].as_dict()


def test_every_file_passes_the_check_without_a_note_and_lies_in_its_category() -> None:
    report = checked([CATALOG])
    assert (report.faults, report.notes, report.agents) == ([], [], 131)
    assert {(agent.path.stem, agent.path.parent.name) for agent in AGENTS.values()} == {
        (agent.name, agent.category) for agent in AGENTS.values()
    }


@pytest.mark.parametrize("name", NAMES)
def test_an_agent_bounds_its_answers_shows_two_tasks_and_leaves_the_model_to_its_tier(name: str) -> None:
    agent = AGENTS[name]
    assert 1 <= agent.options["num_predict"] <= TIERS[agent.tier].max_tokens
    assert not {"num_ctx", "num_thread", "num_batch", "num_gpu"} & agent.options.keys()
    assert agent.model is None
    assert len(agent.examples) == 2
    assert agent.system_prompt.count(" ") > 50


def test_no_two_prompts_are_one_text_with_the_names_swapped() -> None:
    parts = {name: shingles(agent.system_prompt) for name, agent in AGENTS.items()}
    shared = {
        (one, other): len(parts[one] & parts[other]) / min(len(parts[one]), len(parts[other]))
        for one, other in combinations(NAMES, 2)
    }
    assert {pair: share for pair, share in shared.items() if share > SHARED} == {}


@pytest.mark.parametrize("category", sorted({agent.category for agent in AGENTS.values()}))
async def test_a_task_to_an_agent_of_each_category_is_answered_under_its_prompt(category: str) -> None:
    file = next(file for name, file in sorted(AGENTS.items()) if file.category == category and not file.output_model)
    ollama = ScriptedOllama()
    ollama.installed += [of_tier.model for of_tier in TIERS.values()]
    async with agent_world(MarkdownAgent(file), ollama=ollama) as world:
        result = await world.client.ask(file.name, file.examples[0].prompt or "", timeout=20)
    assert (result.status, result.result) == ("completed", {"response": "ok"})
    (asked,) = ollama.asked("/api/generate")
    assert (asked["system"], asked["prompt"]) == (file.system_prompt, file.examples[0].prompt)
    assert asked["options"]["num_predict"] == file.options["num_predict"]
