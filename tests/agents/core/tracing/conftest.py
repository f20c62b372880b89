import pytest


@pytest.fixture(autouse=True)
def _no_provider_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep OpenTelemetry's one provider of a process unset: the tests that come later are in this process as well."""
    monkeypatch.setattr("agents.core.tracing.export.provide", lambda _: None)
