"""Workers of this machine leave Ctrl-C to the process in front."""

from __future__ import annotations

import signal

import pytest

from redundancy.sharding.clients import local_client

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "pthread_sigmask"), reason="there are no signal masks here"
)


def hears_interrupts() -> bool:
    return signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_workers_do_not_hear_ctrl_c_and_this_process_does() -> None:
    with local_client(1) as client:
        assert not client.submit(hears_interrupts).result(timeout=60)
        assert hears_interrupts()
