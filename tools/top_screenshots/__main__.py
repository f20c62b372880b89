"""`python -m tools.top_screenshots FOLDER`."""

import asyncio
import re
import sys
import tempfile
from pathlib import Path
from typing import Final

from agents.core.log import configure_logging
from agents.top.app import TopApp
from agents.top.watch import Watch
from tools.screenshots.browser import Browser
from tools.top_screenshots.fleet import lively_fleet

LIVELY_SECONDS: Final = 45.0
"""Until there are results, dead letters and speeds to see."""

WIDEST: Final = 1200
"""Pixels of a picture."""

_PAGE: Final = """<!doctype html><meta charset="utf-8">
<style>body {{ margin: 0 }} svg {{ width: {width}px; display: block }}
text {{ font-family: "DejaVu Sans Mono", monospace !important }}</style>{svg}"""


async def take_all(folder: Path) -> None:
    """Take one picture of a fleet that is well, and one after a model server has gone."""
    configure_logging("critical")
    async with lively_fleet() as fleet, Watch(fleet.client, interval=2.0) as watch:
        well = await _screen(watch, 80, 24)
        fleet.break_model()
        broken = await _screen(watch, 160, 45)
    _photograph(well, folder / "top-80.png")
    _photograph(broken, folder / "top-160.png")


async def _screen(watch: Watch, width: int, height: int) -> str:
    """Return the screen after a while, as SVG."""
    app = TopApp(watch)
    async with app.run_test(size=(width, height)) as pilot:
        await pilot.pause(LIVELY_SECONDS)
        return app.export_screenshot()


def _photograph(svg: str, path: Path) -> None:
    drawn_wide, drawn_high = (float(side) for side in re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)[0])
    width = min(WIDEST, round(drawn_wide))
    height = round(drawn_high * width / drawn_wide)
    with tempfile.TemporaryDirectory(prefix="sutazai-top-") as place, Browser(width, height) as browser:
        page = Path(place, "top.html")
        page.write_text(_PAGE.format(width=width, svg=svg))
        browser.open(page.as_uri())
        browser.wait("document.querySelector('svg') !== null && document.readyState === 'complete'")
        browser.photograph({"x": 0, "y": 0, "width": width, "height": height}, path)


if __name__ == "__main__":
    asyncio.run(take_all(Path(sys.argv[1])))
