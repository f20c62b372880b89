#!/usr/bin/env python3
"""
Code Reviewer - reviews a diff file by file
"""

import os
import sys
from typing import Any, Dict, List

sys.path.append(os.path.join(os.path.dirname(__file__), '..'))

from agent_base import BaseAgent


class CodeReviewerAgent(BaseAgent):
    """Reviews code with a local model"""

    def __init__(self, config_path: str = '/app/config.json'):
        super().__init__(config_path)
        self.max_chars = 4000   # what a small model can read

    def process_task(self, task: Dict[str, Any]) -> Dict[str, Any]:
        task_type = task.get("type", "")
        self.logger.info(f"Processing task: {task_type}")

        if task_type == "review_code":
            return self._review(task)
        elif task_type == "review_many":
            # one query for each file, in the order they came
            files = (task.get("data") or {}).get("files", [])
            reviews = [self._review_one(name) for name in files if name.endswith(".py")]
            return {"status": "success", "reviews": reviews, "count": len(reviews)}
        else:
            return {"status": "error", "message": f"Unknown task type: {task_type}"}

    def _review(self, task: Dict[str, Any]) -> Dict[str, Any]:
        code = (task.get("data") or {}).get("code")
        if not code:
            return {"status": "error", "message": "No code to review"}
        verdict = self._ask("Review this code:\n" + code[:self.max_chars])
        return {
            "status": "success",
            "review": verdict,  # the model's own words
            "lines": len(code.splitlines()),
        }

    def _review_one(self, name: str) -> Dict[str, str]:
        return {"file": name, "review": self._ask(f"Review the file {name}")}

    def _ask(self, prompt: str) -> str:
        response = self.query_ollama(prompt)
        return response.strip() if response else "no answer"


if __name__ == "__main__":
    agent = CodeReviewerAgent()
    agent.run()
