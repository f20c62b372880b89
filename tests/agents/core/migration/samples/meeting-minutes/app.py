"""Meeting minutes. Somebody made process_task async, the base it stands on is not."""
import asyncio

from agent_base import BaseAgent


class MeetingMinutesAgent(BaseAgent):

    def __init__(self):
        super().__init__()
        self.sections = ("decisions", "actions", "open questions")

    async def process_task(self, task):
        self.logger.info("task %s of type %s", task["id"], task["type"])
        transcript = task.get("prompt") or ""
        if task["type"] == "minutes":
            minutes = {}
            for section in self.sections:
                minutes[section] = await self.extract(section, transcript)
                await asyncio.sleep(0)
            return {"status": "success", "minutes": minutes, "words": len(transcript.split())}
        if task["type"] == "title":
            # the query is sync: the loop stands still for so long
            title = self.query_ollama(f"A title of five words for:\n{transcript}")
            return {"status": "success", "title": title}
        return {"status": "error", "message": "unknown type " + task["type"]}

    async def extract(self, section, transcript):
        found = self.query_ollama("List the {} of this meeting:\n{}".format(section, transcript))
        return self.lines_of(found)

    @staticmethod
    def lines_of(text):
        return [line.strip("-* ") for line in (text or "").splitlines() if line.strip()]


if __name__ == '__main__':
    agent = MeetingMinutesAgent()
    agent.run()
