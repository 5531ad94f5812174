"""Connecting to the scheduler of a cluster, with TLS or without.

Import this module only where it is used: it brings dask.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import ssl
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import Client, Security
from distributed.comm.addressing import parse_host_port

from redundancy.errors import ClusterError, UsageError

_CONNECT_SECONDS = 10
_WORKER_SECONDS = 60


@dataclass(frozen=True)
class Credentials:
    """Files, in PEM, by which this process and a scheduler know one another.

    Attributes
    ----------
    ca_file : Path
        Certificate of the authority that both trust.
    cert, key : Path
        Certificate of this process, and its key.
    """

    ca_file: Path
    cert: Path
    key: Path


@contextlib.contextmanager
def remote_client(address: str, credentials: Credentials | None = None) -> Iterator[Client]:
    """Connect to the scheduler of a cluster.

    Parameters
    ----------
    address : str
        Such as ``tls://10.0.0.1:8786``.
    credentials : Credentials, optional
        For TLS; default what dask's own configuration names.

    Raises
    ------
    UsageError
        If there is none at the address, or it does not take the credentials.
    ClusterError
        If it has no worker.

    Warns
    -----
    UserWarning
        If whoever is on the network between could read and change what is sent.
    """
    _silence_dask()
    security = _security(address, credentials)
    try:
        host = parse_host_port(address.rpartition("://")[2])[0]
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False, security=security)
    except (OSError, ValueError, TimeoutError, TypeError, RuntimeError) as error:
        raise UsageError(
            f"there is no dask scheduler at {address or 'an empty address'} that this process "
            "can talk to; give the address that it prints when it starts, such as "
            "tls://10.0.0.1:8786, and with tls:// its --tls-ca-file, --tls-cert and --tls-key"
        ) from error
    if not _is_tls(address) and not _is_this_machine(host):
        warnings.warn(
            f"the scheduler at {address} is reached over a network without TLS: whoever is on it "
            "can run code here and on the workers; start it with TLS (docs/cluster.md)",
            UserWarning,
            stacklevel=3,
        )
    try:
        try:
            client.wait_for_workers(1, timeout=_WORKER_SECONDS)
        except TimeoutError as error:
            raise ClusterError(
                f"the scheduler at {address} has had no worker for {_WORKER_SECONDS} s; start "
                f"some, for instance with dask worker {address} --nthreads 1"
            ) from error
        yield client
    finally:
        _quietly(client.close)


def _security(address: str, credentials: Credentials | None) -> Security | None:
    if credentials is None:
        return None
    if not _is_tls(address):
        raise UsageError(
            f"--tls-ca-file, --tls-cert and --tls-key are for a scheduler at tls://..., got "
            f"{address}; start it with TLS, or leave them out"
        )
    files = {
        "tls_ca_file": credentials.ca_file,
        "tls_client_cert": credentials.cert,
        "tls_client_key": credentials.key,
    }
    for path in files.values():
        if not path.is_file():
            raise UsageError(f"there is no file {path}; name the scheduler's --tls-... files")
    security = Security(
        require_encryption=True, **{name: str(path) for name, path in files.items()}
    )
    try:
        security.get_connection_args("client")
    except (OSError, ssl.SSLError, ValueError) as error:
        raise UsageError(
            f"{', '.join(map(str, files.values()))} are not a certificate of an authority, a "
            f"certificate and its key, in PEM ({getattr(error, 'reason', None) or error})"
        ) from error
    return security


def _is_tls(address: str) -> bool:
    return address.partition("://")[0] in ("tls", "wss")


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _silence_dask() -> None:
    """Leave what dask logs to sentences of our own."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _quietly(close: Callable[[], Any]) -> None:
    with contextlib.suppress(Exception):
        close()
