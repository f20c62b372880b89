import pytest

from agents.cli.selection import AgentNotFoundError, Selection
from agents.core.catalog import load_catalog
from agents.core.tiers import Tier

CATALOG = load_catalog()


def of(category: str | None = None, tier: Tier | None = None) -> list[str]:
    return sorted(
        agent.name for agent in CATALOG.values() if category in (None, agent.category) and tier in (None, agent.tier)
    )


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        (Selection(everything=True), sorted(CATALOG)),
        (Selection(categories=("security",)), of("security")),
        (Selection(categories=("security", "data")), sorted(of("security") + of("data"))),
        (Selection(tiers=(Tier.OPUS,)), of(tier=Tier.OPUS)),
        (Selection(categories=("security",), tiers=(Tier.OPUS,)), of("security", Tier.OPUS)),
        (Selection(("scrum-master", "a:B", "./x.md")), ["scrum-master", "a:B", "./x.md"]),
        (Selection(("*hardware-optimizer",)), [n for n in sorted(CATALOG) if n.endswith("hardware-optimizer")]),
        (Selection(("./agents/*.md", "what/is[1]")), ["./agents/*.md", "what/is[1]"]),
    ],
)
def test_a_selection_names_agents_in_order(selection: Selection, names: list[str]) -> None:
    assert names
    assert selection.names(CATALOG) == names


def test_an_agent_that_is_chosen_in_several_ways_is_named_once_and_the_typed_come_first() -> None:
    chosen = Selection(("*-guard", "prompt-injection-guard", "senior-engineer"), categories=("security",))
    names = chosen.names(CATALOG)
    assert names[:2] == ["prompt-injection-guard", "senior-engineer"]
    assert sorted(names[2:]) == [name for name in of("security") if name != "prompt-injection-guard"]


@pytest.mark.parametrize(
    ("selection", "told"),
    [
        (Selection(("*-optimiser*",)), r"no agent '\*-optimiser\*': did you mean .*-optimizer"),
        (Selection(("zz*",)), r"no agent 'zz\*': the catalogue has 131 others, such as adversarial-attack-detector,"),
        (Selection(categories=("securty",)), r"no agent is of category 'securty': there are ai-ml \(25\), .*security"),
    ],
)
def test_what_fits_nothing_is_an_error_that_tells_what_there_is(selection: Selection, told: str) -> None:
    with pytest.raises(AgentNotFoundError, match=told):
        selection.names(CATALOG)


def test_a_category_and_a_tier_that_share_no_agent_are_an_error() -> None:
    guard = CATALOG["prompt-injection-guard"]
    told = "no agent is of security and opus or sonnet: `sutazai agents list` shows what there is"
    with pytest.raises(AgentNotFoundError, match=told):
        Selection(categories=("security",), tiers=(Tier.OPUS, Tier.SONNET)).names({guard.name: guard})


@pytest.mark.parametrize("selection", [Selection(("a",)), Selection(everything=True), Selection(tiers=(Tier.OPUS,))])
def test_only_a_selection_of_nothing_is_empty(selection: Selection) -> None:
    assert Selection().is_empty
    assert not selection.is_empty
