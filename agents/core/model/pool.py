"""The pool that settings describe: one for each host, shared by its agents."""

from agents.core.model.addresses import server_addresses
from agents.core.model.breaker import breaker_of
from agents.core.ollama_pool import OllamaConnectionPool
from agents.core.settings import Settings, SettingsError


def make_pool(settings: Settings) -> OllamaConnectionPool:
    """Return a pool for the settings' model servers, not yet opened.

    Raises:
        SettingsError: OLLAMA_URL holds no http address, or the breaker's settings contradict each other.
    """
    try:
        server_addresses(settings.ollama_url)
    except ValueError as error:
        raise SettingsError(f"setting OLLAMA_URL: {error}") from error
    return OllamaConnectionPool(
        settings.ollama_url,
        max_connections=settings.max_ollama_connections,
        default_model=settings.ollama_default_model,
        timeouts=settings.model_timeouts,
        lanes_in_flight=settings.models_in_flight,
        preload_models=settings.preload_models,
        watch=True,
        breaker=lambda name: breaker_of(settings, f"ollama {name}"),
    )
