import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.core.catalog import load_catalog, read_catalog
from agents.core.ollama_integration import OllamaConfig
from agents.core.settings import SettingsError
from agents.core.tiers import TIERS, Tier


@pytest.fixture
def config(tmp_path: Path) -> Iterator[type[OllamaConfig]]:
    for name, tier in (("ai-system-architect", "opus"), ("code-writer", "sonnet"), ("log-reader", "default")):
        (tmp_path / f"{name}.md").write_text(f"---\nname: {name}\ndescription: Works\ntier: {tier}\n---\nYou work.\n")

    class Config(OllamaConfig):
        @staticmethod
        def tier_of(name: str) -> Tier:
            agent = load_catalog((tmp_path,)).get(name)
            return agent.tier if agent else OllamaConfig.tier_of(name)

    yield Config
    read_catalog.cache_clear()


def test_the_three_tiers_have_three_models_and_sets_of_parameters() -> None:
    rows = {tier: (s.model, s.temperature, s.max_tokens, s.top_p) for tier, s in TIERS.items()}
    assert rows == {
        Tier.OPUS: ("tinyllama", 0.8, 4096, 0.95),
        Tier.SONNET: ("qwen2.5-coder:7b", 0.7, 2048, 0.9),
        Tier.DEFAULT: ("tinyllama", 0.5, 1024, 0.8),
    }


def test_an_agent_gets_the_model_and_parameters_of_its_tier(config: type[OllamaConfig]) -> None:
    assert config.get_model_for_agent("ai-system-architect", tiers=TIERS) == "tinyllama"
    assert config.get_model_for_agent("code-writer", tiers=TIERS) == "qwen2.5-coder:7b"
    assert config.get_model_config("code-writer", tiers=TIERS) == {
        "model": "qwen2.5-coder:7b",
        "temperature": 0.7,
        "max_tokens": 2048,
        "top_p": 0.9,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
    }


@pytest.mark.parametrize("agent", ["log-reader", "nobody-knows-me"])
def test_an_unknown_agent_gets_the_default_tier(config: type[OllamaConfig], agent: str) -> None:
    assert config.get_model_config(agent, tiers=TIERS)["max_tokens"] == 1024


def test_each_tiers_model_and_parameters_can_be_set_in_the_environment(
    config: type[OllamaConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_SONNET_MODEL", "tinyllama2.5-coder:7b")
    monkeypatch.setenv("OLLAMA_SONNET_TEMPERATURE", "0")
    monkeypatch.setenv("OLLAMA_SONNET_MAX_TOKENS", "99")
    monkeypatch.setenv("OLLAMA_SONNET_FREQUENCY_PENALTY", "1.5")
    assert config.get_model_config("code-writer") == {
        "model": "qwen2.5-coder:7b",
        "temperature": 0.0,
        "max_tokens": 99,
        "top_p": 0.9,
        "frequency_penalty": 1.5,
        "presence_penalty": 0.0,
    }
    monkeypatch.setenv("OLLAMA_OPUS_TOP_P", "7")
    with pytest.raises(SettingsError, match="setting OLLAMA_OPUS_TOP_P = '7'"):
        config.get_model_for_agent("code-writer")


def test_the_real_environment_is_read_at_each_call(config: type[OllamaConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_OPUS_MODEL", "big:70b")
    assert config.get_model_for_agent("ai-system-architect") == "big:70b"
    monkeypatch.delenv("OLLAMA_OPUS_MODEL")
    assert config.get_model_for_agent("ai-system-architect") == "tinyllama"


def test_the_catalogue_itself_is_read_by_default() -> None:
    assert OllamaConfig.tier_of("an-agent-that-nobody-wrote") is Tier.DEFAULT
    assert OllamaConfig.get_model_config("an-agent-that-nobody-wrote", tiers=TIERS)["temperature"] == 0.5


def test_an_agents_own_file_says_its_tier_as_in_a_host(
    config: type[OllamaConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert issubclass(config, OllamaConfig)  # which has written the files
    monkeypatch.setenv("SUTAZAI_AGENTS_PATH", os.pathsep.join(("nowhere", str(tmp_path))))
    assert OllamaConfig.get_model_for_agent("code-writer") == "qwen2.5-coder:7b"
    assert OllamaConfig.tier_of("ai-system-architect") is Tier.OPUS
    assert OllamaConfig.tier_of("nobody-knows-me") is Tier.DEFAULT
    monkeypatch.delenv("SUTAZAI_AGENTS_PATH")
    assert OllamaConfig.tier_of("code-writer") is Tier.DEFAULT


def test_every_agent_of_the_catalogue_gets_its_own_tier() -> None:
    for name, agent in load_catalog().items():
        assert OllamaConfig.tier_of(name) is agent.tier
