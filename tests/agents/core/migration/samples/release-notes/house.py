"""What the agents of the release team share."""

from agent_base import BaseAgent


class ReleaseTeamAgent(BaseAgent):
    """Asks with the team's preamble, and counts how often."""

    PREAMBLE = "You write for users, not for developers.\n"

    def __init__(self, config_path="/app/config.json"):
        super().__init__(config_path=config_path)
        self.asked = 0

    def ask(self, prompt):
        self.asked += 1
        return self.query_ollama(self.PREAMBLE + prompt)

    def fail(self, message):
        return {"status": "error", "message": message, "asked": self.asked}
