from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.core.ollama_integration import OllamaConfig, tier_in_catalog, tiers_in
from agents.core.tiers import TIERS, Tier, settings_of


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "development").mkdir()
    (tmp_path / "ai-system-architect.md").write_text("---\nname: ai-system-architect\ntier: opus\n---\nYou design.")
    (tmp_path / "development" / "x.md").write_text("---\nname: code-writer\ntier: sonnet\n---\nYou write.")
    (tmp_path / "development" / "log-reader.md").write_text("---\ntier: default\n---\nYou read.")
    (tmp_path / "README.md").write_text("# No agent\n")
    yield tmp_path
    tiers_in.cache_clear()


@pytest.fixture
def config(catalog: Path) -> type[OllamaConfig]:
    class Config(OllamaConfig):
        @staticmethod
        def tier_of(name: str) -> Tier:
            return tiers_in(catalog).get(name, Tier.DEFAULT)

    return Config


def test_the_three_tiers_have_three_models_and_sets_of_parameters() -> None:
    rows = {tier: (s.model, s.temperature, s.max_tokens, s.top_p) for tier, s in TIERS.items()}
    assert rows == {
        Tier.OPUS: ("tinyllama", 0.8, 4096, 0.95),
        Tier.SONNET: ("qwen2.5-coder:7b", 0.7, 2048, 0.9),
        Tier.DEFAULT: ("tinyllama", 0.5, 1024, 0.8),
    }


def test_an_agent_gets_the_model_and_parameters_of_its_tier(config: type[OllamaConfig]) -> None:
    assert config.get_model_for_agent("ai-system-architect", environ={}) == "tinyllama"
    assert config.get_model_for_agent("code-writer", environ={}) == "qwen2.5-coder:7b"
    assert config.get_model_config("code-writer", environ={}) == {
        "model": "qwen2.5-coder:7b",
        "temperature": 0.7,
        "max_tokens": 2048,
        "top_p": 0.9,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
    }


@pytest.mark.parametrize("agent", ["log-reader", "nobody-knows-me"])
def test_an_unknown_agent_gets_the_default_tier(config: type[OllamaConfig], agent: str) -> None:
    assert config.get_model_config(agent, environ={})["max_tokens"] == 1024


def test_each_tiers_model_can_be_set_in_the_environment() -> None:
    environ = {"OLLAMA_OPUS_MODEL": "a", "OLLAMA_SONNET_MODEL": "b", "OLLAMA_DEFAULT_MODEL": "c"}
    assert [settings_of(tier, environ).model for tier in Tier] == ["a", "b", "c"]
    assert settings_of(Tier.OPUS, {"OLLAMA_OPUS_MODEL": " "}).model == "tinyllama"


def test_the_real_environment_is_read_at_each_call(config: type[OllamaConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_OPUS_MODEL", "big:70b")
    assert config.get_model_for_agent("ai-system-architect") == "big:70b"
    monkeypatch.delenv("OLLAMA_OPUS_MODEL")
    assert config.get_model_for_agent("ai-system-architect") == "tinyllama"


def test_a_tier_that_does_not_exist_is_refused_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "wrong.md").write_text("---\nname: wrong\ntier: gold\n---\n")
    with pytest.raises(ValueError, match=r"wrong\.md: tier 'gold' is not known: use one of opus, sonnet, default"):
        tiers_in(tmp_path)


def test_the_catalogue_itself_is_read_by_default() -> None:
    assert tier_in_catalog("an-agent-that-nobody-wrote") is Tier.DEFAULT
    assert OllamaConfig.get_model_config("an-agent-that-nobody-wrote", environ={})["temperature"] == 0.5
