"""Agents' files that tests write."""

from pathlib import Path


def written(folder: Path, text: str, name: str = "an-agent") -> Path:
    """Write an agent's file and return its path."""
    path = folder / f"{name}.md"
    path.write_text(text)
    return path


def agent_text(description: str = "Works", *lines: str, body: str = "You work.") -> str:
    """The text of an agent's file with further lines of front matter."""
    return "\n".join(["---", f"description: {description}", *lines, "---", body, ""])
