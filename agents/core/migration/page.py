"""A migration report as one HTML page that needs nothing beside it. Needs the extra `migrate`."""

from pathlib import Path
from typing import Final

from agents.core.migration.extra import require_extra
from agents.core.migration.report import MigrationReport

_TEMPLATE: Final = "report.html.j2"


def page_of(report: MigrationReport) -> str:
    """Return the page.

    Raises:
        ExtraMissingError: Jinja2 is not installed.
    """
    require_extra("jinja2")
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - an extra

    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(_TEMPLATE).render(report=report)
