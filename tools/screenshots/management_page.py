"""RabbitMQ's management UI as a person uses it: log in, open a page, unfold a section, fill in a form, look."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from tools.screenshots.browser import Browser

HEADING: Final = "#main h1, #main > h2"
"""The page of a connection has no h1."""

MARGIN: Final = 12
"""Pixels around what a picture shows."""

QUIET: Final = """
    $.fx.off = true;
    const style = document.createElement('style');
    style.textContent = `
        #topnav, #logo, #footer, #rhs, .plus-minus, #main h3:has(+ .filter), .filter { display: none !important }
        #header { position: static !important; padding: 0 } #main { padding-top: 0 !important }
        tr.alt1 > td { background: #f0f0f0 !important } tr.alt2 > td { background: none !important }
        .msg-payload { white-space: pre-wrap; word-break: break-word } #msg-wrapper th { white-space: nowrap }
        .form-popup-info { left: 560px !important; top: 420px !important; width: 240px !important }`;
    document.head.append(style);
"""
"""Ends animations, and takes away what tells of nothing but this broker and this browser."""

SECTION: Final = """
    const section = name => [...document.querySelectorAll('#main div')].find(
        one => /^section/.test(one.className) && one.querySelector(':scope > h2')?.innerText.trim().startsWith(name));
"""
FILL: Final = """
    const fill = (field, value) => { field.value = value; field.dispatchEvent(new Event('change', {bubbles: true})) };
"""


def _script(*parts: str) -> str:
    return f"(() => {{ {' '.join(parts)} }})()"


class ManagementPage:
    """The UI in a browser. Paths are those behind `#` in its addresses."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url

    def log_in(self, user: str, password: str) -> None:
        """Log in by the form."""
        self._browser.open(self._url + "/")
        self._browser.wait("document.querySelector('#login input[name=username]') !== null")
        form = "const form = document.querySelector('#login form');"
        values = "".join(
            f"form.querySelector('[name={name}]').value = {json.dumps(value)};"
            for name, value in (("username", user), ("password", password))
        )
        self._browser.run(_script(form, values, "form.querySelector('[type=submit]').click()"))
        self._browser.wait("document.querySelector('#tabs') !== null")
        self._browser.run(_script(QUIET))

    def open(self, place: str, heading: str) -> None:
        """Go to a page and wait for its heading."""
        self._browser.run(f"window.location.hash = {json.dumps('#/' + place)}")
        found = f"document.querySelector('{HEADING}')?.innerText.includes({json.dumps(heading)})"
        self._browser.wait(found)

    def open_queue(self, name: str) -> None:
        """Go to the page of a queue."""
        self.open(f"queues/%2F/{quote(name, safe='')}", name)

    def unfold(self, section: str) -> None:
        """Show a section that may be folded away."""
        self._fold(section, is_shown=True)

    def fold(self, section: str) -> None:
        """Fold a section away."""
        self._fold(section, is_shown=False)

    def leave_only(self, *sections: str) -> None:
        """Hide all other sections of the page, and the charts of rates, until the page is opened again."""
        others = f"""
            const left = {json.dumps(list(sections))}.map(section);
            for (const one of document.querySelectorAll('#main > div.section, #main > div.section-hidden'))
                if (!left.includes(one)) one.style.display = 'none';
            $('#main h3').filter((_, one) => /^(Message|Data) rates/.test(one.innerText)).each(
                (_, one) => $(one).nextUntil('h3').addBack().hide());
        """
        self._browser.run(_script(SECTION, others))

    def publish(self, routing_key: str, payload: str, properties: Mapping[str, str]) -> None:
        """Fill in the form Publish message of an exchange, and press its button."""
        self.unfold("Publish message")
        fields = {"[name=routing_key]": routing_key, "[name=payload]": payload}
        steps = [f"fill(form.querySelector({json.dumps(name)}), {json.dumps(text)});" for name, text in fields.items()]
        for name, value in properties.items():
            row = "[...form.querySelectorAll('#props input')]"
            steps += [f"fill({row}[0], {json.dumps(name)}); fill({row}[1], {json.dumps(value)});"]
        form = "const form = section('Publish message').querySelector('form');"
        self._browser.run(_script(SECTION, FILL, form, *steps, "form.querySelector('[type=submit]').click()"))
        self._browser.wait("document.querySelector('.form-popup-info')?.innerText.includes('Message published')")

    def close_popup(self) -> None:
        """Close what a form has answered."""
        self._browser.run("document.querySelectorAll('.form-popup-info span').forEach(one => one.click())")
        self._browser.wait("document.querySelector('.form-popup-info') === null")

    def get_messages(self, count: int) -> None:
        """Look at the first messages of the open queue, which go back: Nack message requeue true."""
        self.unfold("Get messages")
        form = "const form = section('Get messages').querySelector('form');"
        number = f"fill(form.querySelector('[name=count]'), '{count}');"
        self._browser.run(_script(SECTION, FILL, form, number, "form.querySelector('[type=submit]').click()"))
        self._browser.wait(f"document.querySelectorAll('#msg-wrapper .box').length === {count}")

    def wait_for(self, text: str) -> None:
        """Wait until the page shows a text."""
        self._browser.wait(f"document.querySelector('#main').innerText.includes({json.dumps(text)})")

    def photograph(self, path: Path, *parts: str) -> None:
        """Take a picture of the box around these parts of the page, named by CSS selectors."""
        rectangles = f"""
            const parts = {json.dumps(parts)}.flatMap(one => [...document.querySelectorAll(one)]);
            const found = parts.map(one => one.getBoundingClientRect()).filter(one => one.width && one.height);
            const x = Math.max(0, Math.min(...found.map(one => one.left)) + scrollX - {MARGIN});
            const y = Math.max(0, Math.min(...found.map(one => one.top)) + scrollY - {MARGIN});
            const right = Math.max(...found.map(one => one.right)) + scrollX + {MARGIN};
            const bottom = Math.max(...found.map(one => one.bottom)) + scrollY + {MARGIN};
            return {{x, y, width: right - x, height: bottom - y}};
        """
        self._browser.photograph(self._browser.run(_script(rectangles)), path)

    def _fold(self, section: str, *, is_shown: bool) -> None:
        found = f"const one = section({json.dumps(section)}); const hider = one?.querySelector('.hider');"
        self._browser.wait(_script(SECTION, found, "return one !== undefined"))
        is_visible = "hider.offsetParent !== null"
        wanted = f"({is_visible}) === {json.dumps(is_shown)}"
        self._browser.run(_script(SECTION, found, f"if (!({wanted})) one.querySelector('h2').click()"))
        self._browser.wait(_script(SECTION, found, f"return {wanted} && hider.getAnimations().length === 0"))
