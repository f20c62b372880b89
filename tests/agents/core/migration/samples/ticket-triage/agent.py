"""Ticket triage. Keeps what it has seen: the second ticket of the same subject is a duplicate."""
import json
from datetime import datetime

from shared.agent_base import BaseAgent

QUEUES = ["billing", "technical", "account", "other"]


class TicketTriage(BaseAgent):

    def __init__(self, config_path="/app/config.json"):
        super().__init__(config_path=config_path)
        self.seen = {}              # subject -> id of the first task
        self.counts = {queue: 0 for queue in QUEUES}
        self.started_at = datetime.now()

    def process_task(self, task):
        try:
            if task["type"] == "triage":
                return self.triage(task)
            if task["type"] == "counts":
                return {"status": "success", "counts": dict(self.counts), "seen": len(self.seen)}
            if task["type"] == "reset":
                self.seen.clear()
                self.counts = {queue: 0 for queue in QUEUES}
                return {"status": "success", "counts": self.counts}
            return {"status": "error", "error": "unknown task type '%s'" % task["type"]}
        except KeyError as e:
            self.logger.error("ticket without %s", e)
            return {"status": "error", "error": f"missing field {e}"}

    def triage(self, task):
        ticket = task["data"]
        subject = ticket["subject"].strip().lower()
        if subject in self.seen:
            return {"status": "success", "duplicate_of": self.seen[subject]}
        self.seen[subject] = task["id"]
        queue = self.choose_queue(ticket["subject"], ticket.get("body", ""))
        self.counts[queue] += 1
        return {"status": "success", "queue": queue, "position": self.counts[queue]}

    def choose_queue(self, subject, body):
        answer = self.query_ollama(
            prompt=f"Which of {json.dumps(QUEUES)} is this ticket for?\n{subject}\n{body}",
            model="tinyllama",
        )
        words = (answer or "").lower()
        return next((queue for queue in QUEUES if queue in words), "other")


def main():
    TicketTriage().run()


if __name__ == "__main__":
    main()
