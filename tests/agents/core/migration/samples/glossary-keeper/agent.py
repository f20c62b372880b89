"""Glossary keeper: explains words, remembers what it explained, finds a handler by the task's type."""

from typing import Callable, Dict

from agent_base import BaseAgent as Agent


class GlossaryKeeper(Agent):
    def __init__(self, config_path="/app/config.json"):
        super(GlossaryKeeper, self).__init__(config_path=config_path)
        self.glossary: Dict[str, str] = {}
        self.handlers: Dict[str, Callable[[dict], dict]] = {
            "explain": self.handle_explain,
            "list": self.handle_list,
            "forget": self.handle_forget,
        }

    def process_task(self, task: dict) -> dict:
        handler = self.handlers.get(task["type"], self.handle_unknown)
        try:
            return handler(task)
        except Exception as error:
            self.logger.exception("task failed")
            return {"status": "error", "message": str(error)}

    def handle_explain(self, task: dict) -> dict:
        word = (task["prompt"] or "").strip().lower()
        if not word:
            raise ValueError("nothing to explain")
        known = word in self.glossary
        if not known:
            self.glossary[word] = self.query_ollama(f"Explain the word '{word}' in one sentence.")
        return {"status": "success", "word": word, "meaning": self.glossary[word], "known": known}

    def handle_list(self, task: dict) -> dict:
        return {"status": "success", "words": sorted(self.glossary)}

    def handle_forget(self, task: dict) -> dict:
        self.glossary.clear()
        return {"status": "success", "words": []}

    def handle_unknown(self, task: dict) -> dict:
        return {"status": "error", "message": f"no handler for {task['type']!r}", "known": sorted(self.handlers)}


if __name__ == "__main__":
    GlossaryKeeper().start() if hasattr(GlossaryKeeper, "start") else GlossaryKeeper().run()
