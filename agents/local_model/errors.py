"""What can go wrong in the local model server.

LocalModelError           a ModelError, so that every program shows it as one sentence
├── ExtraMissingError     the `local` extra, or a system library it needs, is not installed (also an ImportError)
├── SettingsError         a setting has an impossible value (also a ValueError)
├── ListenError           the address cannot be listened on
├── WeightsError          the weights file could not be fetched or is not the right one
├── EngineError           a model could not be loaded
│   └── EngineDiedError   a loaded model's process ended under a request
└── ReplyError            a request that is answered with an error status
    └── ServerBusyError   503: too many requests wait for a model to load
"""

from agents.core.model.errors import ModelError


class LocalModelError(ModelError):
    """Root of all errors of the local model server."""


class ExtraMissingError(LocalModelError, ImportError):
    """The `local` extra is not installed, or cannot be loaded on this system."""


class SettingsError(LocalModelError, ValueError):
    """A setting has an impossible value; the sentence names it."""


class ListenError(LocalModelError):
    """The server cannot listen on the address it was given."""


class WeightsError(LocalModelError):
    """The weights file could not be fetched, or is not the one expected."""


class EngineError(LocalModelError):
    """A model could not be loaded."""


class EngineDiedError(EngineError):
    """The process of a loaded model ended while a request ran; the next request loads it again."""

    def __init__(self) -> None:
        """Say what the real server says when its runner is killed."""
        super().__init__("an error was encountered while running the model: unexpected EOF")


class ReplyError(LocalModelError):
    """A request that is answered with `status` and `{"error": message}`."""

    def __init__(self, status: int, message: str, *, media_type: str = "application/json; charset=utf-8") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.media_type = media_type


class ServerBusyError(ReplyError):
    """Too many requests wait for a model to load."""

    def __init__(self) -> None:
        """Use the real server's sentence; its two spaces are not a slip."""
        super().__init__(503, "server busy, please try again.  maximum pending requests exceeded")
