"""A task and its end as people see them: the answer on standard output, marks and errors on standard error."""

from agents.cli.console import err, out, write
from agents.cli.shown_results import answer_of, cost_of, error_of, is_told
from bus.pieces import Gap, Piece, Restart, Step
from schemas import TaskResult, TaskStatus

GAP_MARK = "[...]"
"""Stands where pieces of a streamed answer were lost on the way."""


class ResultScreen:
    """Prints the answer once it is done, or the whole result as JSON."""

    def __init__(self, *, as_json: bool = False) -> None:
        self._as_json = as_json

    def show(self, step: Step) -> None:
        """Print what a step tells, if that is anything."""
        if isinstance(step, Restart):
            self.mark(_sentence(step))

    def mark(self, sentence: str) -> None:
        """Say something on a line of its own, beside the answer."""
        err.print(f"--- {sentence}", style="yellow", markup=False)

    def leave(self) -> None:
        """Leave the cursor at the beginning of a line."""

    def finish(self, result: TaskResult) -> None:
        """Print the end of the task."""
        if self._as_json:
            out.print_json(result.model_dump_json())
        elif result.status is TaskStatus.COMPLETED:
            write(f"{answer_of(result)}\n")
        if result.status is not TaskStatus.COMPLETED:
            err.print(f"error: the task ended as {result.status}: {error_of(result)}", markup=False)


class AnswerScreen(ResultScreen):
    """Prints the answer as it is written. After a retry it begins anew, below a mark."""

    def __init__(self) -> None:
        super().__init__()
        self._shown = ""

    def show(self, step: Step) -> None:
        """Print what a step tells, if that is anything."""
        match step:
            case Piece(text):
                self._write(text)
            case Gap():
                self._write(GAP_MARK)
            case Restart():
                self.mark(f"the text above is void: {_sentence(step)}" if self._shown else _sentence(step))
                self._shown = ""

    def mark(self, sentence: str) -> None:
        """Say something on a line of its own, beside the answer."""
        self.leave()
        super().mark(sentence)

    def leave(self) -> None:
        """Leave the cursor at the beginning of a line."""
        if self._shown and not self._shown.endswith("\n"):
            self._write("\n")

    def finish(self, result: TaskResult) -> None:
        """Print what is not there yet, and one line with status, model, time and tokens."""
        if result.status is not TaskStatus.COMPLETED:
            self.leave()
            super().finish(result)
            return
        if not is_told(self._shown, result):
            if self._shown:
                self.mark("the result is not the text above:")
            self._write(answer_of(result))
        self.leave()
        err.print(cost_of(result), style="dim", markup=False)

    def _write(self, text: str) -> None:
        self._shown += text
        write(text)


def _sentence(restart: Restart) -> str:
    if restart.error is None:
        return f"its host was lost or handed it back; attempt {restart.attempt} begins anew"
    when = f" in {restart.delay:g} s" if restart.delay else ""
    return f"it failed: {restart.error.message}; attempt {restart.attempt} begins{when}"
