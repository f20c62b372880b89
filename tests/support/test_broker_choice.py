import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.topology import QueueType
from tests.support.broker_choice import AMQP_URL, QUEUE_TYPE, SERVER, Source, queue_type, sources

GIVEN = {AMQP_URL: "amqp://broker/"}


@pytest.mark.parametrize(
    ("env", "docker_answers", "server_found", "debian_root", "expected"),
    [
        (GIVEN, True, True, True, (Source.GIVEN,)),
        ({SERVER: "/opt/rabbitmq-server"}, True, True, True, (Source.SERVER,)),
        ({SERVER: "/opt/rabbitmq-server"} | GIVEN, True, True, True, (Source.GIVEN,)),
        ({}, True, True, True, (Source.DOCKER, Source.MACHINE)),
        ({}, True, False, True, (Source.DOCKER, Source.DEBIAN)),
        ({}, False, True, True, (Source.MACHINE,)),
        ({}, False, False, True, (Source.DEBIAN,)),
        ({AMQP_URL: ""}, True, False, False, (Source.DOCKER,)),
        ({}, False, False, False, ()),
    ],
)
def test_the_first_source_is_the_best_the_machine_offers(
    env: dict[str, str],
    docker_answers: bool,
    server_found: bool,
    debian_root: bool,
    expected: tuple[Source, ...],
) -> None:
    choice = sources(env, docker_answers=docker_answers, server_found=server_found, debian_root=debian_root)
    assert choice == expected


@given(st.booleans(), st.booleans(), st.booleans())
def test_a_given_broker_is_never_replaced(docker: bool, server: bool, debian: bool) -> None:
    assert sources(GIVEN, docker_answers=docker, server_found=server, debian_root=debian) == (Source.GIVEN,)


@given(st.booleans(), st.booleans(), st.booleans())
def test_nothing_is_tried_that_the_machine_does_not_offer(docker: bool, server: bool, debian: bool) -> None:
    choice = sources({}, docker_answers=docker, server_found=server, debian_root=debian)
    assert (Source.DOCKER in choice) is docker
    assert (Source.MACHINE in choice) is server
    assert (Source.DEBIAN in choice) is (debian and not server)
    assert Source.GIVEN not in choice


@pytest.mark.parametrize(
    ("env", "expected"),
    [({}, QueueType.CLASSIC), ({QUEUE_TYPE: ""}, QueueType.CLASSIC), ({QUEUE_TYPE: "quorum"}, QueueType.QUORUM)],
)
def test_task_queues_are_classic_unless_something_else_is_said(env: dict[str, str], expected: QueueType) -> None:
    assert queue_type(env) is expected


def test_a_queue_type_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match="stream"):
        queue_type({QUEUE_TYPE: "stream"})
