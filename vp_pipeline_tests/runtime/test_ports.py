import socket
import subprocess
import sys

from vp_pipeline.runtime import ports


def free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_free_port_is_taken_as_preferred() -> None:
    wanted = free()
    with ports.taken() as take:
        assert take(wanted) == wanted


def test_a_port_in_use_is_replaced() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, ports.taken() as take:
        wanted = other.getsockname()[1]
        assert take(wanted) not in (0, wanted)
        assert ports.listens(wanted)


def test_a_port_given_to_another_platform_is_not_given_again_before_it_listens() -> None:
    wanted = free()
    code = f"from vp_pipeline.runtime import ports\nwith ports.taken() as take: print(take({wanted}))"

    def other() -> int:
        command = [sys.executable, "-c", code]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    with ports.taken() as take:
        assert take(wanted) == wanted
        assert not ports.listens(wanted)
        assert other() != wanted
    assert other() == wanted


def test_no_preference_gets_different_free_ports() -> None:
    with ports.taken() as take:
        found = [take(0) for _ in range(4)]
    assert len(set(found)) == 4
    assert not any(map(ports.listens, found))
