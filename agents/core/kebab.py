"""From what code calls an agent, a class, a folder or a file, to a name that a queue can bear. Pure."""

import re


def agent_name_from(text: str) -> str:
    """Return a name in kebab case: `CodeReviewer`, `code_reviewer` and `Code Reviewer` are `code-reviewer`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", text)
    return re.sub(r"[^a-z0-9]+", "-", parted.lower()).strip("-")
