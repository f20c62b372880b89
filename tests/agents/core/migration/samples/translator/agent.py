"""Translator, last touched when this house ran Python 2."""

from agent_base import BaseAgent


class TranslatorAgent(BaseAgent):
    def __init__(self, config_path="/app/config.json"):
        super(TranslatorAgent, self).__init__(config_path)
        self.languages = ["en", "de", "fr"]

    def process_task(self, task):
        language = task.get("data", {}).get("language", "en")
        if language not in self.languages:
            print "unknown language", language
            return {"status": "error", "message": "unknown language " + language}
        try:
            text = self.query_ollama("Translate into %s: %s" % (language, task["prompt"]))
        except IOError, error:
            return {"status": "error", "message": str(error)}
        return {"status": "success", "text": text, "language": language}

    def known_languages(self):
        return sorted(self.languages)


if __name__ == "__main__":
    TranslatorAgent().run()
