import asyncio

import pytest

from bus.node_layout import HOST, free_ports
from tests.support.port_mapper import PortMapper

NAMES = b"\x6e"
WHERE_IS_TWO = b"\x7atwo"
REGISTER_ONE = b"\x78\x50\x00\x4d\x00\x00\x06\x00\x05\x00\x03one\x00\x00"


@pytest.fixture
def mapper() -> PortMapper:
    return PortMapper(free_ports(1)[0], {"two": 0x1234})


def test_a_node_that_is_known_is_found_at_its_port(mapper: PortMapper) -> None:
    assert mapper.answer(WHERE_IS_TWO) == b"\x77\x00\x12\x34\x4d\x00\x00\x06\x00\x06\x00\x03two\x00\x00"


def test_a_node_that_is_not_known_is_not_found(mapper: PortMapper) -> None:
    assert mapper.answer(b"\x7athree") == b"\x77\x01"


def test_two_lives_of_a_node_are_told_apart(mapper: PortMapper) -> None:
    first, second = mapper.answer(REGISTER_ONE), mapper.answer(REGISTER_ONE)
    assert first[:2] == second[:2] == b"\x76\x00"
    assert first[2:] != second[2:]


def test_a_node_that_starts_again_does_not_find_itself(mapper: PortMapper) -> None:
    assert len(mapper.answer(NAMES)) == 4


def test_what_is_no_request_gets_no_answer(mapper: PortMapper) -> None:
    assert mapper.answer(b"\x00") == b""


async def test_a_node_is_registered_for_as_long_as_it_stays() -> None:
    (port,) = free_ports(1)
    async with PortMapper(port, {"two": 0x1234}):
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(len(REGISTER_ONE).to_bytes(2, "big") + REGISTER_ONE)
        assert len(await reader.readexactly(6)) == 6
        writer.close()
        await writer.wait_closed()


async def test_a_mapper_that_ends_leaves_no_connection_open() -> None:
    (port,) = free_ports(1)
    async with PortMapper(port, {}):
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(len(REGISTER_ONE).to_bytes(2, "big") + REGISTER_ONE)
        await reader.readexactly(6)
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("sent", [b"", b"\x00", b"\x00\x05abc"])
async def test_who_leaves_within_a_request_does_no_harm(sent: bytes) -> None:
    (port,) = free_ports(1)
    async with PortMapper(port, {}):
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(sent)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
