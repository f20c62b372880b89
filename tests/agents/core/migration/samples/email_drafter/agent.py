"""Drafts e-mails. Errors are exceptions here: whoever runs the agent turns them into a failed task."""

import agent_base


class DraftError(Exception):
    pass


class EmailDrafter(agent_base.BaseAgent):
    TONES = {"formal": "politely and formally", "friendly": "warmly", "short": "in two sentences"}

    def __init__(self, config_path='/app/config.json'):
        agent_base.BaseAgent.__init__(self, config_path=config_path)
        self.signature = self.config.get("signature", "The support team")

    def process_task(self, task):
        task_type = task["type"]
        if task_type == "draft":
            return self._draft(task.get("data") or {})
        elif task_type == "subject":
            return {"status": "success", "subject": self._subject(task["prompt"])}
        else:
            raise DraftError("cannot do %r" % task_type)

    def _draft(self, data):
        tone = data.get("tone", "formal")
        if tone not in self.TONES:
            raise DraftError(f"unknown tone {tone}: use one of {', '.join(sorted(self.TONES))}")
        to = data["to"]  # a KeyError is a failed task as well
        body = self.query_ollama(
            f"Write an e-mail to {to}, {self.TONES[tone]}, about: {data['about']}",
            "tinyllama",
        )
        return {
            "status": "success",
            "to": to,
            "draft": f"{body}\n\n{self.signature}",
            "characters": len(body),
        }

    def _subject(self, text):
        return (self.query_ollama("One subject line for this e-mail:\n" + text) or "").split("\n")[0]


if __name__ == "__main__":
    EmailDrafter().run()
