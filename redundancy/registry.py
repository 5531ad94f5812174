"""Named builders: networks, datasets, checkpoint formats, neuron adapters."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from redundancy.errors import UsageError

T = TypeVar("T")


class UnknownNameError(UsageError):
    """A name that no builder is registered under."""


class Registry(Generic[T]):
    """A mapping from names to builders that refuses duplicates.

    Parameters
    ----------
    kind : str
        What the registry holds, in the singular; used in messages.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers its argument under `name`.

        Raises
        ------
        ValueError
            If `name` is taken by another object.
        """

        def decorate(entry: T) -> T:
            if name in self._entries and self._entries[name] is not entry:
                raise ValueError(f"a {self.kind} named {name!r} is registered already")
            self._entries[name] = entry
            return entry

        return decorate

    def get(self, name: str) -> T:
        """Return the entry called `name`.

        Raises
        ------
        UnknownNameError
            If there is none; the message lists the known names and the nearest one.
        """
        try:
            return self._entries[name]
        except KeyError:
            near = difflib.get_close_matches(name, self._entries, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            known = ", ".join(sorted(self._entries)) or "none"
            raise UnknownNameError(
                f"there is no {self.kind} named {name!r}; known: {known}.{hint}"
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))
