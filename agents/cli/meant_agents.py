"""What somebody may have meant who named an agent that the broker does not know."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

from agents.core.catalog import CATALOG, load_catalog
from agents.core.settings import Settings
from bus.errors import UnknownAgent


@contextmanager
def names_explained(settings: Settings) -> Iterator[None]:
    """Within the block, an UnknownAgent says which agent of the catalogue was meant, or how to start it."""
    try:
        yield
    except UnknownAgent as error:
        remedy = remedy_for(error.agent, load_catalog((*settings.agents_path, CATALOG)))
        raise UnknownAgent(error.agent, remedy) if remedy else error from None


def remedy_for(name: str, catalog: Collection[str]) -> str:
    """Return what to do about an unknown name; empty where the catalogue has nothing like it."""
    if name in catalog:
        return f"start it with `sutazai run {name}`"
    close = get_close_matches(name, catalog, n=2)
    return f"did you mean {' or '.join(close)}?" if close else ""
