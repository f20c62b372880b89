import json
import os
from pathlib import Path
from typing import Any

import pytest

from agents.core.settings import DEFAULT_CONFIG_PATH, Settings, SettingsError, load_settings
from agents.core.tiers import TIERS, Tier, TierSettings
from bus.topology import QueueType

ROWS = [
    # variable, field, in the file, in the environment, as an argument
    ("AMQP_URL", "amqp_url", "amqp://file/", "amqp://environment/", "amqp://argument/"),
    ("RABBITMQ_URL", "amqp_url", "amqp://file/", "amqp://environment/", "amqp://argument/"),
    ("OLLAMA_URL", "ollama_url", "http://file", "http://environment", "http://argument"),
    ("OLLAMA_BASE_URL", "ollama_url", "http://file", "http://environment", "http://argument"),
    ("OLLAMA_DEFAULT_MODEL", "ollama_default_model", "file", "environment", "argument"),
    ("OLLAMA_OPUS_MODEL", "ollama_opus_model", "file", "environment", "argument"),
    ("OLLAMA_SONNET_MODEL", "ollama_sonnet_model", "file", "environment", "argument"),
    ("AGENT_NAME", "agent_name", "file", "environment", "argument"),
    ("AGENT_TYPE", "agent_type", "file", "environment", "argument"),
    ("BACKEND_URL", "backend_url", "http://file", "http://environment", "http://argument"),
    ("MAX_CONCURRENT_TASKS", "max_concurrent_tasks", 11, 12, 13),
    ("MAX_OLLAMA_CONNECTIONS", "max_ollama_connections", 11, 12, 13),
    ("LOG_LEVEL", "log_level", "error", "warning", "debug"),
    ("HEALTH_CHECK_INTERVAL", "health_check_interval", 11.0, 12.0, 13.0),
    ("HEARTBEAT_INTERVAL", "heartbeat_interval", 11.0, 12.0, 13.0),
    ("SUTAZAI_PREFIX", "prefix", "file", "environment", "argument"),
    ("SUTAZAI_AMQP_URL", "amqp_url", "amqp://file/", "amqp://environment/", "amqp://argument/"),
    ("SUTAZAI_LOG_LEVEL", "log_level", "error", "warning", "debug"),
    ("SUTAZAI_LOG_FORMAT", "log_format", "json", "text", "json"),
    ("SUTAZAI_MAX_CONCURRENT_TASKS", "max_concurrent_tasks", 11, 12, 13),
    ("SUTAZAI_GRACE_PERIOD", "grace_period", 11.0, 12.0, 13.0),
]


@pytest.mark.parametrize(("variable", "field", "in_file", "in_environment", "argument"), ROWS)
@pytest.mark.parametrize("file_names_the_variable", [False, True], ids=["field", "variable"])
def test_an_argument_wins_over_the_environment_over_a_file_over_the_default(
    variable: str,
    field: str,
    in_file: Any,
    in_environment: Any,
    argument: Any,
    *,
    file_names_the_variable: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own_variable = variable if not variable.startswith("SUTAZAI_") and file_names_the_variable else field
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({own_variable: in_file}))
    default = getattr(Settings(), field)
    assert default not in (in_file, in_environment, argument)
    assert getattr(load_settings(None), field) == default
    assert getattr(load_settings(file), field) == in_file
    monkeypatch.setenv(variable, str(in_environment))
    assert getattr(load_settings(file), field) == in_environment
    assert getattr(load_settings(None), field) == in_environment
    assert getattr(load_settings(file, **{field: argument}), field) == argument


def test_an_argument_of_none_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_CONCURRENT_TASKS", "7")
    assert load_settings(None, max_concurrent_tasks=None).max_concurrent_tasks == 7


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_URL", "")
    assert load_settings(None).ollama_url == "http://localhost:11434"


def test_a_partial_file_is_merged_with_the_defaults_and_may_be_toml(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('max_attempts = 5\nqueue_type = "quorum"\nunknown = 1\n')
    settings = load_settings(file)
    assert (settings.retry_policy.max_attempts, settings.max_concurrent_tasks) == (5, 3)
    assert settings.topology.queue_type is QueueType.QUORUM


def test_the_default_file_may_be_missing_and_any_other_may_not(tmp_path: Path) -> None:
    assert not Path(DEFAULT_CONFIG_PATH).exists()
    assert load_settings(DEFAULT_CONFIG_PATH).prefix == "sutazai"
    with pytest.raises(SettingsError, match=r"the settings file .*none\.json cannot be read: No such file"):
        load_settings(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.json", "{", r"a\.json is not valid: Expecting property name"),
        ("a.toml", "= 1", r"a\.toml is not valid: "),
        ("a.json", "[1]", r"a\.json holds no table of settings but a list"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_a_sentence(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SettingsError, match=told):
        load_settings(tmp_path / name)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"max_concurrent_tasks": 0}, "setting max_concurrent_tasks = 0: Input should be greater than or equal to 1"),
        ({"prefix": "a b"}, "setting prefix = 'a b': use "),
        ({"agent_name": "My Agent"}, "setting agent_name = 'My Agent': use lower-case letters"),
        ({"agent_name": "a" * 101}, "setting agent_name = .* at most 100 characters"),
        ({"log_level": "loud"}, "setting log_level = 'loud': "),
        ({"ollama_default_model": " "}, "setting ollama_default_model = ' ': String should have at least 1 character"),
        ({"breaker_recovery": float("inf")}, "setting breaker_recovery = inf: Input should be a finite number"),
        ({"grace_period": -1, "max_attempts": 0}, "setting max_attempts = 0: .*; setting grace_period = -1: "),
    ],
)
def test_an_invalid_value_is_named_with_its_setting_and_the_remedy(given: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        load_settings(None, **given)


def test_no_password_is_shown_by_an_error_or_a_repr() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(None, amqp_url=["amqp://me:secret@host/"])
    assert "secret" not in str(caught.value)
    assert "setting amqp_url = ***" in str(caught.value)
    settings = load_settings(None, amqp_url="amqp://me:secret@host/", ollama_url="http://me:secret@host")
    assert "secret" not in repr(settings)
    assert "secret" not in repr(settings.shown)
    assert (settings.shown["amqp_url"], settings.shown["ollama_url"]) == ("amqp://host/", "http://host")
    assert settings.shown["backend_url"] is None
    assert settings.shown.keys() == Settings.model_fields.keys()


def test_folders_with_agents_are_separated_as_in_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUTAZAI_AGENTS_PATH", f"/a{os.pathsep}{os.pathsep}/b")
    assert load_settings(None).agents_path == (Path("/a"), Path("/b"))
    assert load_settings(None, agents_path=(Path("/c"),)).agents_path == (Path("/c"),)


def test_each_tier_has_the_model_and_the_parameters_that_settings_give_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_OPUS_PRESENCE_PENALTY", "-1.5")
    monkeypatch.setenv("SUTAZAI_OLLAMA_DEFAULT_MAX_TOKENS", "64")
    settings = load_settings(None, ollama_opus_model="big", ollama_opus_temperature=0, ollama_default_top_p=1)
    assert settings.tiers == {
        Tier.OPUS: TierSettings("big", temperature=0, max_tokens=4096, top_p=0.95, presence_penalty=-1.5),
        Tier.SONNET: TIERS[Tier.SONNET],
        Tier.DEFAULT: TierSettings("tinyllama", temperature=0.5, max_tokens=64, top_p=1),
    }


@pytest.mark.parametrize("tier", Tier)
@pytest.mark.parametrize(
    ("parameter", "value", "told"),
    [
        ("MODEL", "  ", "String should have at least 1 character"),
        ("TEMPERATURE", "2.1", "Input should be less than or equal to 2"),
        ("TEMPERATURE", "nan", "Input should be less than or equal to 2"),
        ("MAX_TOKENS", "0", "Input should be greater than or equal to 1"),
        ("TOP_P", "0", "Input should be greater than 0"),
        ("FREQUENCY_PENALTY", "-3", "Input should be greater than or equal to -2"),
        ("PRESENCE_PENALTY", "much", "Input should be a valid number"),
    ],
)
def test_a_tiers_parameter_out_of_its_bounds_is_refused(
    monkeypatch: pytest.MonkeyPatch, tier: Tier, parameter: str, value: str, told: str
) -> None:
    name = f"OLLAMA_{tier.name}_{parameter}"
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"setting {name} = .*: {told}"):
        load_settings(None)


def test_a_tiers_model_of_a_name_that_no_registry_has_is_the_one_that_is_meant() -> None:
    settings = load_settings(None, ollama_opus_model=" TinyLlama2.5-coder:7b ")
    assert settings.tiers[Tier.OPUS].model == "qwen2.5-coder:7b"


def test_a_hosts_name_is_made_of_machine_and_process() -> None:
    assert load_settings(None).host_name.endswith(f"-{os.getpid()}")


def test_an_invalid_variable_is_named_as_it_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_CONCURRENT_TASKS", "many")
    with pytest.raises(SettingsError, match="setting MAX_CONCURRENT_TASKS = 'many': Input should be a valid integer"):
        load_settings(None)
