"""Release notes from commit messages; its base class lies beside it and derives from the house's own."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from house import ReleaseTeamAgent


class ReleaseNotesAgent(ReleaseTeamAgent):

    def process_task(self, task):
        if task["type"] == "notes":
            commits = (task.get("data") or {}).get("commits") or []
            if not commits:
                return self.fail("no commits")
            groups = self.group(commits)
            notes = {title: self.ask(f"{title}: {'; '.join(items)}") for title, items in groups.items()}
            return {"status": "success", "notes": notes, "asked": self.asked}
        if task["type"] == "headline":
            return {"status": "success", "headline": self.ask(task["prompt"]), "asked": self.asked}
        return self.fail("unknown type: " + task["type"])

    def group(self, commits):
        groups = {}
        for commit in commits:
            kind, _, text = commit.partition(": ")
            groups.setdefault({"feat": "New", "fix": "Mended"}.get(kind, "Other"), []).append(text or commit)
        return groups


if __name__ == "__main__":
    ReleaseNotesAgent().run()
