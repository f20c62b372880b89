"""FAQ bot: ranks answers by asking the model, in a pool of threads, and overrides run to warm up first."""
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import requests

from agent_base import BaseAgent


class FaqBot(BaseAgent):
    QUESTIONS = ["How do I pay?", "How do I cancel?", "Where is my parcel?"]

    def __init__(self, config_path="/app/config.json"):
        super().__init__(config_path=config_path)
        self.executor = ThreadPoolExecutor(max_workers=3)
        self.lock = threading.Lock()
        self.asked = 0

    def run(self):
        self.logger.info("warming up")
        threading.Thread(target=self._beat, daemon=True).start()
        super().run()

    def process_task(self, task):
        prompt = task.get("prompt") or ""
        if task["type"] == "rank":
            ranked = sorted(self.QUESTIONS, key=lambda question: self.score(prompt, question), reverse=True)
            return {"status": "success", "ranked": ranked}
        if task["type"] == "scores":
            futures = [self.executor.submit(self.score, prompt, question) for question in self.QUESTIONS]
            return {"status": "success", "scores": [future.result() for future in futures]}
        if task["type"] == "page":
            page = requests.get(task["data"]["url"], timeout=10)
            return {"status": "success", "length": len(page.text)}
        return {"status": "error", "message": f"unknown type {task['type']}"}

    def score(self, prompt, question):
        with self.lock:
            self.asked += 1
        answer = self.query_ollama(f"From 0 to 9, how well does '{question}' fit '{prompt}'? Answer with the digit.")
        digits = [char for char in answer or "" if char.isdigit()]
        return int(digits[0]) if digits else 0

    def _beat(self):
        while self.is_running:
            requests.post(f"{self.backend_url}/api/agents/heartbeat", json={"agent": self.agent_name}, timeout=5)
            time.sleep(30)


if __name__ == "__main__":
    FaqBot().run()
