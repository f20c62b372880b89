"""The pool that settings describe."""

import pytest

from agents.core.model.pool import make_pool
from agents.core.settings import SettingsError, load_settings


def test_the_settings_describe_each_server_its_slots_and_its_breaker() -> None:
    pool = make_pool(
        load_settings(
            None,
            ollama_url="http://a:1,http://me:hunter2@b:2",
            max_ollama_connections=3,
            breaker_failures=7,
            ollama_default_model="m",
        )
    )
    assert pool.default_model == "m:latest"
    assert pool.queue.get_stats()["servers"].keys() == {"http://a:1", "http://b:2"}
    assert [server.breaker.name for server in pool.servers] == ["ollama http://a:1", "ollama http://b:2"]
    assert {server.breaker.get_stats()["failure_threshold"] for server in pool.servers} == {7}
    assert {place["slots"] for place in pool.queue.get_stats()["servers"].values()} == {3}


def test_the_settings_patiences_are_those_of_every_connection() -> None:
    settings = load_settings(None, model_load_timeout=7, model_gap_timeout=3)
    assert {server.control.timeouts for server in make_pool(settings).servers} == {settings.model_timeouts}


@pytest.mark.parametrize("url", ["ftp://a", "http://a,http://a", "http://me:hunter2,x@a,b"])
def test_an_address_that_is_none_is_refused_under_the_setting_s_name(url: str) -> None:
    with pytest.raises(SettingsError, match="setting OLLAMA_URL: ") as caught:
        make_pool(load_settings(None, ollama_url=url))
    assert "hunter2" not in str(caught.value)


def test_names_of_models_to_warm_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUTAZAI_PRELOAD_MODELS", "a, b:7b,,")
    assert load_settings(None).preload_models == ("a", "b:7b")
    assert load_settings(None, preload_models=["c"]).preload_models == ("c",)
