"""`python -m tools.screenshots FOLDER`."""

import sys
import tempfile
from pathlib import Path
from typing import Final

from tools.screenshots.browser import Browser
from tools.screenshots.management_page import ManagementPage
from tools.screenshots.stage import stage
from tools.screenshots.walk import Walk

WIDTH: Final = 1100
HEIGHT: Final = 900


def main(folder: Path) -> None:
    """Take all pictures."""
    with (
        tempfile.TemporaryDirectory(prefix="sutazai-stage-") as place,
        stage(Path(place)) as built,
        Browser(WIDTH, HEIGHT) as browser,
    ):
        ui = ManagementPage(browser, built.management_url)
        ui.log_in("guest", "guest")
        Walk(built, ui, folder).take_all()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
