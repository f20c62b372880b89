"""examples/researcher_and_critic.py: one agent has another do a part of its task."""

from tests.examples.stage import Stage
from tests.support.scripted_ollama import answer, refusal

EXAMPLE = "researcher_and_critic.py"


async def test_the_answer_is_written_with_the_critique_and_the_tasks_are_shown_as_a_family(stage: Stage) -> None:
    stage.ollama.script.extend([answer("It is blue."), answer("No reason is given."), answer("Light is scattered.")])
    code, ran = await stage.ran(EXAMPLE, "Why is the sky blue?")
    assert (code, ran.err) == (0, "")
    critic, critique, researcher, better = ran.out.splitlines()
    assert researcher.startswith("researcher ")
    parent = researcher.split()[1].rstrip(":")
    assert critic.startswith("critic ")
    assert f" for {parent}: completed in " in critic
    assert (critique.strip(), better.strip()) == ("No reason is given.", "Light is scattered.")
    _, to_critic, last = stage.prompts
    assert to_critic.startswith("It is blue.")
    assert "No reason is given." in last


async def test_a_critic_that_fails_fails_the_research(stage: Stage) -> None:
    stage.ollama.script.extend([answer("It is blue."), refusal(400, "no such thing")])
    code, ran = await stage.ran(EXAMPLE, "Why is the sky blue?")
    assert code == 6
    assert "failed in" in ran.out.splitlines()[0]
    assert "agent 'critic' ended as failed" in ran.out.splitlines()[-1]
