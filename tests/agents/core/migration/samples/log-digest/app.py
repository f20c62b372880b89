#!/usr/bin/env python3
"""Log digest: reads log files of this machine and tells what is wrong with it."""
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.agent_base import BaseAgent  # noqa: E402


class LogDigestAgent(BaseAgent):
    """Blocks all over: it was the only thing in its process."""

    PAUSE = 0.2

    def process_task(self, task):
        kind = task["type"]
        if kind == "digest":
            return self.digest(task["data"]["path"])
        if kind == "disk":
            return self.disk()
        if kind == "settle":
            time.sleep(self.PAUSE)      # let the log be written
            return {"status": "success", "waited": self.PAUSE}
        raise ValueError(f"unsupported task type: {kind}")

    def digest(self, path):
        errors = []
        with open(path) as lines:
            for number, line in enumerate(lines, 1):
                if "ERROR" in line:
                    errors.append((number, line.strip()))
        if not errors:
            return {"status": "success", "errors": 0, "summary": "nothing to tell"}
        worst = "\n".join(text for _, text in errors[:20])
        time.sleep(self.PAUSE)
        summary = self.query_ollama(f"Summarise these errors in one sentence:\n{worst}")
        return {"status": "success", "errors": len(errors), "first": errors[0][0], "summary": summary}

    def disk(self):
        used = subprocess.run(["df", "-P", "/"], capture_output=True, text=True, check=True).stdout
        fields = used.splitlines()[1].split()
        return {"status": "success", "mount": fields[5], "full": fields[4].endswith("%")}


if __name__ == "__main__":
    LogDigestAgent().run()
