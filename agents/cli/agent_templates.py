"""`sutazai agents new`: the first version of an agent, as a Markdown file or as a class."""

import json
import shlex
from dataclasses import dataclass
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from typing import Final

import yaml

from agents.core.agent_files.keys import agent_name

_MARKDOWN: Final = """\
---
name: {quoted}
description: {words}, in one line for lists
tier: default  # opus thinks hardest, sonnet is balanced, default does simple tasks
category: general
options:
  temperature: 0.3  # 0 for verdicts and code, 0.7 for ideas
  num_predict: 400  # tokens that an answer may have: a small model needs a bound
# Where programs read the answers, name their form, and name its fields in the prompt below as well:
# output_model:
#   type: object
#   properties:
#     verdict: {{enum: [good, bad]}}
#     reason: {{type: string, maxLength: 200}}
#   required: [verdict, reason]
examples:  # `sutazai agents show {name}` turns them into commands
  - Write here a task that somebody would really send, with its material.
---
You are given one task. Do it, and nothing else.

Say here what the agent is for and what it gets, how it answers (form, length, order), and what it says when the
material does not hold what is needed. Short sentences: a small model reads this before each task.
"""

_CLASS: Final = '''\
"""{words}: an agent. Run it with `{command}`, or this file itself."""

from typing import Any

from agents import BaseAgentV2, TaskMessage

SYSTEM = "You are given one task. Do it, and nothing else."
"""Say here how the model is to answer: form, length, order."""


class {class_name}(BaseAgentV2):
    """{words}, in one line for lists."""

    def __init__(self, **arguments: Any) -> None:
        """Take the arguments of BaseAgentV2."""
        super().__init__(name="{name}", **arguments)

    async def process_task(self, task: TaskMessage) -> dict[str, str]:
        """Answer a task's prompt. What this returns is the task's result; what it raises fails the task."""
        answer = await self.query_ollama(task.prompt or "", system=SYSTEM)
        return {{"response": answer}}


if __name__ == "__main__":
    {class_name}().run()
'''


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that is to be written, and the command that then runs it."""

    path: Path
    text: str
    command: str

    def write(self) -> None:
        """Write it, and make its folder. Raises ValueError where a file is there, or it cannot be written."""
        if self.path.exists():
            raise ValueError(f"{self.path} exists: choose another name or --dir, or remove it")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("x", encoding="utf-8") as file:
                file.write(self.text)
        except OSError as error:
            raise ValueError(f"{self.path} cannot be written: {error.strerror}") from None


def new_file(name: str, folder: Path, *, as_class: bool) -> NewFile:
    """Return the file of a new agent. Raises ValueError where it cannot have this name."""
    agent_name("name", name)
    words = name.replace("-", " ").strip().capitalize()
    if not as_class:
        path = folder / f"{name}.md"
        where = path if path.is_absolute() else f"./{path}"
        text = _MARKDOWN.format(name=name, quoted=_quoted(name), words=words)
        return NewFile(path, text, f"sutazai run {shlex.quote(str(where))}")
    module, class_name = _python_names(name)
    path = folder / f"{module}.py"
    command = f"sutazai run {module}:{class_name}"
    text = _CLASS.format(name=name, words=words, class_name=class_name, command=command)
    return NewFile(path, text, command if folder == Path() else f"cd {shlex.quote(str(folder))} && {command}")


def _quoted(name: str) -> str:
    """Return a name as YAML reads it back: to YAML 1.1, `no` is a boolean and `123` a number."""
    return name if yaml.safe_load(name) == name else json.dumps(name)


def _python_names(name: str) -> tuple[str, str]:
    module = name.strip("-").replace("-", "_")
    class_name = "".join(part.capitalize() for part in name.split("-"))
    if not module.isidentifier():
        raise ValueError(f"name {name!r} cannot be a Python file's: begin it with a letter")
    if iskeyword(module) or iskeyword(class_name) or find_spec(module) is not None:
        raise ValueError(f"name {name!r} cannot be a Python file's: Python has a {module!r}, so add a word to it")
    return module, class_name
