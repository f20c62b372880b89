"""The catalogue that a command works with: the settings' folders before the product's."""

from pathlib import Path

from agents.cli.console import err
from agents.cli.selection import AgentNotFoundError, unknown_agent
from agents.core.catalog import CATALOG, AgentFile, Catalog, read_agent_file, read_catalog
from agents.core.settings import Settings


def known_catalog(settings: Settings) -> Catalog:
    """Read the agents of the settings' folders and of the product, and say on standard error what is wrong there."""
    catalog = read_catalog((*settings.agents_path, CATALOG))
    missing = [
        f"{folder}: no such folder: see SUTAZAI_AGENTS_PATH" for folder in settings.agents_path if not folder.is_dir()
    ]
    told = [f"passed over: {fault}" for fault in (*missing, *catalog.broken[:1])]
    if len(catalog.broken) > 1:
        told[-1] = f"{len(catalog.broken)} agent files cannot be used: see `sutazai agents check`"
    for sentence in told:
        err.print(f"warning: {sentence}", style="yellow", markup=False)
    return catalog


def file_of(text: str, catalog: Catalog) -> AgentFile:
    """Return the file of an agent: a name of the catalogue, or a Markdown file's path.

    Raises:
        AgentNotFoundError: the catalogue has no such agent, or it is Python.
        AgentFileError: the file is no agent, be it one of this name in the catalogue's folders.
    """
    if text.endswith(".md"):
        return read_agent_file(Path(text))
    if text.endswith(".py") or ":" in text:
        raise AgentNotFoundError(f"{text} is Python: only agents that are Markdown files can be shown")
    if text in catalog.agents:
        return catalog.agents[text]
    raise next((error for error in catalog.broken if error.path.stem == text), unknown_agent(text, catalog.agents))
