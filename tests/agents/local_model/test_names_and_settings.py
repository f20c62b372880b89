"""Names, settings, and what is said where the extra is missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import agents.local_model
from agents.local_model import ExtraMissingError, LocalModelSettings, SettingsError, require_extra
from agents.local_model.extra import remedy
from agents.local_model.models import Catalogue, full_name
from agents.local_model.settings import default_model_dir


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("smollm2", "smollm2:latest"),
        (" TinyLlama ", "tinyllama:latest"),
        ("Qwen2.5-Coder:7B", "qwen2.5-coder:7b"),
        ("", ""),
    ],
)
def test_a_name_is_in_lower_case_and_has_a_tag(name: str, full: str) -> None:
    assert full_name(name) == full


def test_an_alias_is_a_model_of_its_own_and_a_stand_in() -> None:
    catalogue = Catalogue({"qwen2.5-coder:7b": "smollm2", "all-minilm": "smollm2-embed"})
    coder, embedder, own = (catalogue.find(name) for name in ("Qwen2.5-coder:7B", "all-minilm", "smollm2"))
    assert coder is not None
    assert embedder is not None
    assert own is not None
    assert (coder.answered_by, coder.embeds, coder.is_stand_in) == ("smollm2:135m", False, True)
    assert (embedder.answered_by, embedder.embeds, embedder.is_stand_in) == ("smollm2-embed:latest", True, True)
    assert not own.is_stand_in
    assert len({model.digest for model in catalogue}) == 5
    assert catalogue.find("nope") is None


@pytest.mark.parametrize(
    "setting", [{"threads": 0}, {"max_loaded_models": 0}, {"num_parallel": 0}, {"max_queue": -1}, {"context_length": 3}]
)
def test_an_impossible_number_is_named(setting: dict[str, int]) -> None:
    ((name, value),) = setting.items()
    with pytest.raises(SettingsError, match=f"{name} is {value}; give . or more"):
        LocalModelSettings(**setting)  # type: ignore[arg-type] # the numbers among the settings


def test_more_slots_than_a_host_may_use_are_refused() -> None:
    assert LocalModelSettings(num_parallel=64).num_parallel == 64
    with pytest.raises(SettingsError, match="num_parallel is 65; give 64 or less"):
        LocalModelSettings(num_parallel=65)


@pytest.mark.parametrize(("cache", "base"), [("/caches", "/caches"), ("", "~/.cache")])
def test_weights_lie_in_the_users_cache(cache: str, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", cache)
    assert default_model_dir() == Path(base).expanduser() / "sutazai" / "models"


def test_a_missing_package_is_told_with_the_command_that_installs_it() -> None:
    with pytest.raises(ExtraMissingError, match=r"pip install 'sutazai-agents\[local\]'") as caught:
        require_extra(("no_such_package_anywhere",))
    assert isinstance(caught.value, ImportError)


def test_a_missing_system_library_is_told_with_the_command_that_installs_it() -> None:
    error = ImportError("libgomp.so.1: cannot open shared object file: No such file or directory")
    assert "apt-get install libgomp1" in remedy(error)


def test_importing_without_the_extra_says_so_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "xllamacpp.py").write_text("raise ImportError('libgomp.so.1: cannot open shared object file')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", "import agents.local_model"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert "ExtraMissingError: The local model server needs the system library libgomp" in ended.stderr


def test_the_public_face_is_complete() -> None:
    assert all(hasattr(agents.local_model, name) for name in agents.local_model.__all__)
