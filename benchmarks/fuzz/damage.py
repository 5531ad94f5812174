"""Random damage to bytes, whatever they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

Damage = Callable[[bytearray, Random, Sequence[bytes]], None]


def _place(data: bytearray, random: Random) -> int:
    """Return an offset; beginnings and ends, where headers are, come more often."""
    near = min(len(data), 400)
    where = random.random()
    if where < 0.25:
        return random.randrange(near)
    if where < 0.5:
        return len(data) - 1 - random.randrange(near)
    return random.randrange(len(data))


def _span(data: bytearray, random: Random) -> slice:
    start = _place(data, random)
    return slice(start, start + random.choice((1, 2, 4, 8, 64, 1024)))


def flip_bits(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    """Flip one bit or a few."""
    for _number in range(random.choice((1, 1, 1, 2, 8))):
        data[_place(data, random)] ^= 1 << random.randrange(8)


def change_bytes(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    """Set bytes to what programs choke on, or to anything."""
    for _number in range(random.choice((1, 1, 4, 20))):
        data[_place(data, random)] = random.choice((0, 1, 127, 128, 255, random.randrange(256)))


def truncate(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    """Cut the end off."""
    del data[random.choice((0, _place(data, random), random.randrange(len(data)))) :]


def insert(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    """Insert a few bytes."""
    place = _place(data, random)
    data[place:place] = random.randbytes(random.choice((1, 1, 2, 4, 5, 8, 100)))


def delete(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    """Take a range out."""
    del data[_span(data, random)]


def zero(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    """Zero a block, as a disk that lost it."""
    span = _span(data, random)
    data[span] = bytes(len(data[span]))


def repeat(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    """Repeat a block after itself."""
    span = _span(data, random)
    data[span.stop : span.stop] = data[span]


def swap(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    """Swap two blocks of one length."""
    size = min(random.choice((1, 4, 64, 512)), len(data) // 2)
    first, second = (random.randrange(len(data) - size + 1) for _ in range(2))
    one, other = data[first : first + size], data[second : second + size]
    data[first : first + size], data[second : second + size] = other, one


def append(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    """Append bytes, or another file."""
    data += random.choice((b"\0", random.randbytes(40), random.choice(others)))


def splice(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    """Go on with another file from somewhere on."""
    other, place = random.choice(others), random.randrange(len(data) + 1)
    data[place:] = other[min(place, len(other) // 2) :]


DAMAGES: tuple[Damage, ...] = (
    flip_bits,
    flip_bits,
    change_bytes,
    truncate,
    insert,
    delete,
    zero,
    repeat,
    swap,
    append,
    splice,
)


def damaged(content: bytes, random: Random, others: Sequence[bytes]) -> tuple[bytes, str]:
    """Return `content` damaged once or more, and how in words."""
    data, words = bytearray(content), []
    for _ in range(random.choice((1, 1, 1, 2))):
        damage = random.choice(DAMAGES) if data else append
        damage(data, random, others)
        words.append(damage.__name__)
    if data and bytes(data) in others:  # whole, and no damage
        flip_bits(data, random, others)
    return bytes(data), " and ".join(words)
