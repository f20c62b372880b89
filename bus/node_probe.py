"""Whether a private node answers: a real AMQP handshake and a real API call, not an open port."""

import base64
import http.client
import socket

_AMQP_0_9_1 = b"AMQP\x00\x00\x09\x01"
_METHOD_FRAME_ON_CHANNEL_0 = b"\x01\x00\x00"
_CONNECTION_START = b"\x00\x0a\x00\x0a"
_GUEST = "Basic " + base64.b64encode(b"guest:guest").decode()
_SECONDS = 2.0


def amqp_answers(host: str, port: int, seconds: float = _SECONDS) -> bool:
    """Tell whether a broker offers Connection.Start at `host:port` within `seconds`."""
    try:
        with socket.create_connection((host, port), timeout=seconds) as link, link.makefile("rb") as answer:
            link.sendall(_AMQP_0_9_1)
            head = answer.read(11)  # frame type, channel (2 octets), size (4), class (2), method (2)
    except OSError:
        return False
    return head[:3] == _METHOD_FRAME_ON_CHANNEL_0 and head[7:] == _CONNECTION_START


def management_answers(host: str, port: int, seconds: float = _SECONDS) -> bool:
    """Tell whether the management API serves guest/guest at `host:port` within `seconds`."""
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    try:
        connection.request("GET", "/api/overview", headers={"Authorization": _GUEST})
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
