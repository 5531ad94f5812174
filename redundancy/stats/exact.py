"""Sums of floats that are the same to the bit in any order and grouping.

A sum of float64 is held as the float nearest to it and, where that float is not the sum
itself, as *words*: digits of 32 bits of the exact sum in two's complement, as in the
long accumulator of Kulisch ("Computer Arithmetic and Validity", 2nd edition), but only as
many as the numbers at hand need. Both follow from the exact sum alone, which no order of
adding can change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Words = NDArray[np.uint32]

_BITS = 32
_MASK = np.int64(0xFFFFFFFF)
_SIGN = np.uint32(0x80000000)
# Of the fraction that `frexp` returns.
_MANTISSA = 53


@dataclass(frozen=True, eq=False)
class ExactSum:
    """The exact sum of some floats, element by element.

    Attributes
    ----------
    values : ndarray of float64
        The sum, rounded to nearest (twice where it is subnormal); NaN and infinities as
        adding floats gives them.
    words : ndarray of uint32, shape (word, ...), or None
        The digits of the exact sum, the least first, the last one signed. None where
        `values` are the exact sum. 0 where `values` are not finite.
    lowest : int
        The least word counts multiples of 2 to the power of 32 times this.
    """

    values: Array
    words: Words | None = None
    lowest: int = 0

    def __add__(self, other: ExactSum) -> ExactSum:
        """Return the sum of both; shapes must be equal."""
        with np.errstate(over="ignore", invalid="ignore"):
            total = self.values + other.values
            if self.words is None and other.words is None and _is_exact(self, other, total):
                return ExactSum(_without_nan_bits(total))
            specials = [np.where(_is_special(part), part.values, 0.0) for part in (self, other)]
            total = specials[0] + specials[1]
        special = ~np.isfinite(total)
        parts = [_digits(part) for part in (self, other)]
        lowest = min(low for _, low in parts)
        n_words = max(len(digits) + low for digits, low in parts) - lowest + 1
        digits = np.zeros((n_words, *total.shape), np.int64)
        for part, low in parts:
            digits[low - lowest : low - lowest + len(part)] += part
        digits[:, special] = 0
        words, lowest = _normalised(digits, lowest)
        values = np.where(special, _without_nan_bits(total), _rounded(words, lowest))
        summed = ExactSum(values, words, lowest)
        return ExactSum(values) if _fits(summed, special) else summed


def _is_exact(first: ExactSum, second: ExactSum, total: Array) -> bool:
    """Tell whether adding floats lost nothing (Knuth's two-sum)."""
    shadow = total - first.values
    error = (first.values - (total - shadow)) + (second.values - shadow)
    known = (error == 0.0) & np.isfinite(total)
    return bool((known | _is_special(first) | _is_special(second)).all())


def _is_special(part: ExactSum) -> NDArray[np.bool_]:
    """Tell where a part is NaN or infinite, and not just too large for a float."""
    special: NDArray[np.bool_] = ~np.isfinite(part.values)
    if part.words is not None and special.any():
        special &= ~part.words.any(axis=0)
    return special


def _without_nan_bits(values: Array) -> Array:
    """Return the values with one NaN and one zero: either has several in floats."""
    return np.where(np.isnan(values), np.nan, values + 0.0)


def _digits(part: ExactSum) -> tuple[NDArray[np.int64], int]:
    """Return int64 digits, not all of them within 32 bits, and the place of the least."""
    if part.words is not None:
        digits = part.words.astype(np.int64)
        digits[-1] = part.words[-1].view(np.int32)
        return digits, part.lowest
    return _digits_of_floats(np.where(np.isfinite(part.values), part.values, 0.0))


def _digits_of_floats(values: Array) -> tuple[NDArray[np.int64], int]:
    fraction, exponent = np.frexp(values)
    mantissa = np.ldexp(fraction, _MANTISSA).astype(np.int64)
    place = np.where(mantissa == 0, 0, exponent.astype(np.int64) - _MANTISSA)
    word, shift = np.divmod(place, _BITS)
    present = word[mantissa != 0]
    lowest = int(present.min()) if present.size else 0
    highest = int(present.max()) if present.size else 0
    word = np.where(mantissa == 0, lowest, word) - lowest
    # The mantissa in two halves, so that shifted by up to 31 each stays within 64 bits.
    low, high = (mantissa & _MASK) << shift, (mantissa >> _BITS) << shift
    pieces = (low & _MASK, (low >> _BITS) + (high & _MASK), high >> _BITS)
    digits = np.zeros((highest - lowest + len(pieces), *values.shape), np.int64)
    for above, piece in enumerate(pieces):
        np.put_along_axis(digits, (word + above)[None], piece[None], axis=0)
    return digits, lowest


def _normalised(digits: NDArray[np.int64], lowest: int) -> tuple[Words, int]:
    """Carry, and drop the words that say nothing, so that one sum has one form."""
    for place in range(len(digits) - 1):
        digits[place + 1] += digits[place] >> _BITS
        digits[place] &= _MASK
    words = (digits & _MASK).astype(np.uint32)
    first, last = 0, len(words)
    while last > 1 and _is_extension(words[last - 1], words[last - 2]):
        last -= 1
    while first < last - 1 and not words[first].any():
        first += 1
    words = words[first:last].copy()
    return words, lowest + first if words.any() else 0


def _is_extension(top: Words, below: Words) -> bool:
    """Tell whether the topmost word only repeats the sign of the one below."""
    sign = np.where(below >= _SIGN, np.uint32(_MASK), np.uint32(0))
    return bool((top == sign).all())


def _rounded(words: Words, lowest: int) -> Array:
    """Return the floats nearest to the words' values, ties to even."""
    negative = words[-1] >= _SIGN
    magnitude = _magnitude(words, negative)
    # Two empty words below, so that there are always three from the first one that counts.
    empty = np.zeros((2, *magnitude.shape[1:]), np.uint64)
    magnitude = np.concatenate([empty, magnitude])
    top = len(magnitude) - 1 - np.argmax(magnitude[::-1] != 0, axis=0)
    top = np.where(magnitude.any(axis=0), top, 2)[None]
    leading, second, third = (
        np.take_along_axis(magnitude, top - below, axis=0)[0] for below in range(3)
    )
    length = np.frexp(leading.astype(np.float64))[1].astype(np.uint64)
    # All 64 bits from the first one that counts, and whether anything lies below them.
    bits = np.uint64(_BITS)
    significant = (leading << (2 * bits - length)) | (second << (bits - length)) | third >> length
    left = third & ((np.uint64(1) << length) - np.uint64(1))
    below_top = np.arange(len(magnitude)).reshape(-1, *[1] * (magnitude.ndim - 1)) < top - 2
    rest = (left != 0) | ((magnitude != 0) & below_top).any(axis=0)
    # The lowest of the 64 bits is below a float's last by more than one: it only breaks ties.
    significant |= rest.astype(np.uint64)
    exponent = (top[0] - 2 + lowest) * _BITS + length.astype(np.int64) - 2 * _BITS
    with np.errstate(over="ignore"):
        values = np.ldexp(significant.astype(np.float64), exponent.astype(np.int32))
    rounded: Array = np.where(negative, -values, values) + 0.0
    return rounded


def _magnitude(words: Words, negative: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Return the absolute values' digits."""
    digits = np.where(negative, ~words, words).astype(np.uint64)
    carry = negative.astype(np.uint64)
    for place in range(len(digits)):
        digits[place] += carry
        carry = digits[place] >> np.uint64(_BITS)
        digits[place] &= np.uint64(_MASK)
    return digits


def _fits(summed: ExactSum, special: NDArray[np.bool_]) -> bool:
    """Tell whether the floats are the sum itself, so that words are not needed."""
    if not (np.isfinite(summed.values) | special).all():
        return False
    words, lowest = _normalised(*_digits(ExactSum(summed.values)))
    assert summed.words is not None
    return lowest == summed.lowest and np.array_equal(words, summed.words)
