"""The pool that settings describe: one for each host, shared by its agents."""

from agents.core.circuit_breaker import CircuitBreaker
from agents.core.model.errors import ModelServerFault
from agents.core.model.server_url import parse_url
from agents.core.ollama_pool import OllamaConnectionPool
from agents.core.settings import Settings, SettingsError


def make_pool(settings: Settings) -> OllamaConnectionPool:
    """Return a pool for the settings' model server, not yet opened.

    Raises:
        SettingsError: OLLAMA_URL is no http address.
    """
    try:
        address = parse_url(settings.ollama_url).address
    except ValueError as error:
        raise SettingsError(f"setting OLLAMA_URL: {error}") from error
    breaker = CircuitBreaker(
        failure_threshold=settings.breaker_failures,
        recovery_timeout=settings.breaker_recovery,
        expected_exception=ModelServerFault,
        name=f"ollama {address}",
    )
    return OllamaConnectionPool(
        settings.ollama_url,
        max_connections=settings.max_ollama_connections,
        default_model=settings.ollama_default_model,
        lanes_in_flight=settings.models_in_flight,
        breaker=breaker,
    )
