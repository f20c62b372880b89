"""The catalogue that a command works with: the settings' folders before the product's."""

from pathlib import Path

from agents.cli.console import err
from agents.cli.selection import unknown_agent
from agents.core.catalog import CATALOG, AgentFile, Catalog, read_agent_file, read_catalog
from agents.core.settings import Settings


def known_catalog(settings: Settings) -> Catalog:
    """Read the agents of the settings' folders and of the product, and say on standard error what is wrong there."""
    catalog = read_catalog((*settings.agents_path, CATALOG))
    missing = [
        f"{folder}: no such folder: see SUTAZAI_AGENTS_PATH" for folder in settings.agents_path if not folder.is_dir()
    ]
    for told in (*missing, *catalog.broken):
        err.print(f"warning: passed over: {told}", style="yellow", markup=False)
    return catalog


def file_of(text: str, catalog: Catalog) -> AgentFile:
    """Return the file of an agent: a name of the catalogue, or a Markdown file's path.

    Raises:
        AgentNotFoundError: the catalogue has no such agent.
        AgentFileError: the file is no agent, be it one of this name in the catalogue's folders.
    """
    if text.endswith(".md"):
        return read_agent_file(Path(text))
    if text in catalog.agents:
        return catalog.agents[text]
    raise next((error for error in catalog.broken if error.path.stem == text), unknown_agent(text, catalog.agents))
