"""The requests a queue knows: those still open, and how the newest finished ones ended."""

from collections import OrderedDict

from agents.core.requests.record import Outcome, Request, RequestStatus

KEPT_RESULTS = 1000
"""Finished requests whose result can still be asked for; older ones are forgotten, so that memory is bounded."""


class RequestBook:
    """Requests by id. A finished one keeps its outcome only, not what it ran."""

    def __init__(self) -> None:
        self.open: dict[str, Request] = {}
        self._finished: OrderedDict[str, Outcome] = OrderedDict()

    def __contains__(self, request_id: str) -> bool:
        return request_id in self.open or request_id in self._finished

    def status(self, request_id: str) -> RequestStatus | None:
        """Return where a request is; None if the id is not known."""
        known = self.open.get(request_id) or self._finished.get(request_id)
        return None if known is None else known.status

    def outcome(self, request_id: str) -> Outcome:
        """Return how a finished request ended. Raises KeyError, with a sentence, if the id is not known."""
        if request_id not in self._finished:
            raise KeyError(
                f"request {request_id!r} is not known: check the id; the newest {KEPT_RESULTS} finished ones are kept"
            )
        return self._finished[request_id]

    def forget(self, request_id: str) -> None:
        """Drop the outcome of a finished request."""
        self._finished.pop(request_id, None)

    def settle(self, request: Request, outcome: Outcome) -> None:
        """Write down how an open request ended, and wake who waits for it."""
        del self.open[request.id]
        self._finished[request.id] = request.outcome = outcome
        if len(self._finished) > KEPT_RESULTS:
            self._finished.popitem(last=False)
        request.done.set()
