"""Several scripted model servers behind one transport, told apart by the host in the address."""

import httpx

from tests.support.scripted_ollama import ScriptedOllama


class ScriptedFleet:
    """Servers named `a`, `b`, ... at `http://a`, `http://b`, ..."""

    def __init__(self, names: str = "ab") -> None:
        self.servers = {name: ScriptedOllama() for name in names}

    def __getitem__(self, name: str) -> ScriptedOllama:
        return self.servers[name]

    @property
    def urls(self) -> str:
        """Their addresses, as OLLAMA_URL has them."""
        return ",".join(f"http://{name}" for name in self.servers)

    @property
    def transport(self) -> httpx.MockTransport:
        """What reaches all of them."""
        return httpx.MockTransport(self._handle)

    def prompts(self, name: str) -> list[str]:
        """The prompts that one server was asked, in order."""
        return [body["prompt"] for body in self[name].asked("/api/generate") if "prompt" in body]

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        return await self[request.url.host].transport.handle_async_request(request)
