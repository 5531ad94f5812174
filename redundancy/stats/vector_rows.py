"""Parts of compiled sweeps that are written as vectors, for no compiler makes them so.

A compiler may not change the order of a floating-point sum. Here a sum is made in 16 lanes,
which are added pairwise at the end: the same numbers in the same order on any machine,
whatever the width of its vectors. Import this module only where it is used: it brings
numba.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16
_I1, _I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))
_F32, _F64 = ir.FloatType(), ir.DoubleType()


def _lanes(element: ir.Type) -> ir.VectorType:
    return ir.VectorType(element, LANES)


def _splat(builder: Any, value: Any) -> Any:
    """Return a vector with one number in all lanes."""
    empty = ir.Constant(_lanes(value.type), ir.Undefined)
    first = builder.insert_element(empty, value, ir.Constant(_I32, 0))
    return builder.shuffle_vector(first, empty, ir.Constant(_lanes(_I32), [0] * LANES))


def _constant(element: ir.Type, value: float) -> Any:
    return ir.Constant(_lanes(element), [value] * LANES)


class _Row:
    """Access to arrays of a call, from an offset on, a vector of elements at a time."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self._context, self._builder = context, builder
        self._signature, self._arguments = signature, arguments

    def pointer(self, argument: int, element: ir.Type, offset: Any = None) -> Any:
        """Return the address of an element of an array."""
        array_type = self._signature.args[argument]
        array = self._context.make_array(array_type)(
            self._context, self._builder, self._arguments[argument]
        )
        pointer = self._builder.bitcast(array.data, element.as_pointer())
        return pointer if offset is None else self._builder.gep(pointer, [offset])

    def place(self, pointer: Any, index: Any, element: ir.Type) -> Any:
        """Return the address of the vector of a number, of vectors of elements."""
        at = self._builder.mul(index, ir.Constant(_I64, LANES))
        return self._builder.bitcast(self._builder.gep(pointer, [at]), _lanes(element).as_pointer())

    def load(self, pointer: Any, index: Any, element: ir.Type) -> Any:
        """Return a vector; what is only aligned as its elements may be read."""
        size = 8 if element in (_F64, _I64) else 4
        return self._builder.load(self.place(pointer, index, element), align=size)

    def store(self, vector: Any, pointer: Any, index: Any, element: ir.Type) -> None:
        """Write a vector."""
        size = 8 if element in (_F64, _I64) else 4
        self._builder.store(vector, self.place(pointer, index, element), align=size)

    def fetch(self, pointer: Any, index: Any, element: ir.Type, *, to_write: bool) -> None:
        """Ask for a vector that is needed soon; it need not exist."""
        address = ir.IntType(8).as_pointer()
        prefetch = cgutils.get_or_insert_function(
            self._builder.module,
            ir.FunctionType(ir.VoidType(), [address, _I32, _I32, _I32]),
            "llvm.prefetch.p0",
        )
        place = self._builder.bitcast(self.place(pointer, index, element), address)
        how = [ir.Constant(_I32, number) for number in (int(to_write), 3, 1)]
        self._builder.call(prefetch, [place, *how])

    def mask(self, pointer: Any, index: Any) -> Any:
        """Return 16 bits as a vector of them."""
        return self._builder.bitcast(
            self._builder.load(self._builder.gep(pointer, [index]), align=2), _lanes(_I1)
        )


def _reduced(builder: Any, vector: Any, combine: Any) -> Any:
    """Return one number of all lanes: halves combined, again and again."""
    half = LANES // 2
    while half:
        low = ir.Constant(ir.VectorType(_I32, half), list(range(half)))
        high = ir.Constant(ir.VectorType(_I32, half), list(range(half, 2 * half)))
        vector = combine(
            builder.shuffle_vector(vector, vector, low),
            builder.shuffle_vector(vector, vector, high),
        )
        half //= 2
    return builder.extract_element(vector, ir.Constant(_I32, 0))


def _smaller(builder: Any, one: Any, other: Any) -> Any:
    """Return the smaller of numbers, lane by lane; `other` where `one` is NaN."""
    return builder.select(builder.fcmp_ordered("<", one, other), one, other)


def _larger(builder: Any, one: Any, other: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", one, other), one, other)


@intrinsic  # type: ignore[untyped-decorator]
def fire_vectors(
    typingctx: Any, potentials: Any, n_vectors: Any, threshold: Any, reset: Any, soft: Any,
    output: Any, at: Any, carried: Any, held: Any, words: Any, bits_at: Any, currents: Any,
    next_at: Any,
) -> Any:  # fmt: skip
    """Write S of a row as numbers and as bits, and the potential carried on.

    All numbers are float32. `bits_at` counts bits in 16s. The order of operations is
    SpikingJelly's. `currents` are asked for from `next_at` on.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (_, count, fires_at, resets_to, is_soft, _, out_at, _, held_at, _, word_at, _,
         next_at) = arguments  # fmt: skip
        row = _Row(context, builder, signature, arguments)
        source = row.pointer(0, _F32)
        target, state = row.pointer(5, _F32, out_at), row.pointer(7, _F32, held_at)
        bits, ahead = row.pointer(9, _I16, word_at), row.pointer(11, _F32, next_at)
        least, base = _splat(builder, fires_at), _splat(builder, resets_to)
        one, zero = _constant(_F32, 1.0), _constant(_F32, 0.0)
        with cgutils.for_range(builder, count, intp=_I64) as loop:
            row.fetch(ahead, loop.index, _F32, to_write=False)
            potential = row.load(source, loop.index, _F32)
            fires = builder.fcmp_ordered(">=", potential, least)
            spike = builder.select(fires, one, zero)
            hard = builder.fadd(
                builder.fmul(spike, base), builder.fmul(builder.fsub(one, spike), potential)
            )
            lowered = builder.fsub(potential, builder.fmul(spike, least))
            row.store(spike, target, loop.index, _F32)
            row.store(builder.select(is_soft, lowered, hard), state, loop.index, _F32)
            place = builder.gep(bits, [loop.index])
            builder.store(builder.bitcast(fires, _I16), place, align=2)
        return context.get_dummy_value()

    signature = types.void(
        potentials, types.uint64, types.float32, types.float32, types.boolean, output,
        types.uint64, carried, types.uint64, words, types.uint64, currents, types.uint64,
    )  # fmt: skip
    return signature, generate


@intrinsic  # type: ignore[untyped-decorator]
def pack_vectors(
    typingctx: Any, spikes: Any, at: Any, n_vectors: Any, words: Any, bits_at: Any
) -> Any:
    """Write what is not zero of a row of uint8 as bits; `bits_at` counts them in 16s."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, first, count, _, word_at = arguments
        row = _Row(context, builder, signature, arguments)
        source, bits = row.pointer(0, _I8, first), row.pointer(3, _I16, word_at)
        with cgutils.for_range(builder, count, intp=_I64) as loop:
            vector = builder.load(row.place(source, loop.index, _I8), align=1)
            fires = builder.icmp_unsigned("!=", vector, ir.Constant(_lanes(_I8), [0] * LANES))
            place = builder.gep(bits, [loop.index])
            builder.store(builder.bitcast(fires, _I16), place, align=2)
        return context.get_dummy_value()

    signature = types.void(spikes, types.uint64, types.uint64, words, types.uint64)
    return signature, generate


@intrinsic  # type: ignore[untyped-decorator]
def sum_vectors(
    typingctx: Any, values: Any, first: Any, potentials: Any, start: Any, words: Any,
    bits_at: Any, n_vectors: Any, threshold: Any, origin: Any, inverse: Any, n_below: Any,
    n_bins: Any, n_parts: Any, counts: Any, begin: Any, places: Any, sums: Any, written: Any,
    next_at: Any,
) -> Any:  # fmt: skip
    """Write the sums of a row, in the columns of `sweep_rows`, and the places of its bins.

    A place is that of a bin (closed to the left) in counters of `n_parts` parts, one
    behind the other. Spikes are added to `counts` (int32) from `begin` on. `written`
    is asked for from `next_at` on.
    """
    element = _F64 if values.dtype == types.float64 else _F32

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row = _Row(context, builder, signature, arguments)
        (_, first_at, _, start_at, _, word_at, count, height, edge, per_width, below,
         total, parts, _, begins, _, _, _, next_at) = arguments  # fmt: skip
        source, other = row.pointer(0, element, first_at), row.pointer(2, element, start_at)
        bits, spiked = row.pointer(4, _I16, word_at), row.pointer(13, _I32, begins)
        target, result = row.pointer(15, _I32), row.pointer(16, _F64)
        ahead = row.pointer(17, element, next_at)
        height, edge, per_width = (_splat(builder, number) for number in (height, edge, per_width))
        one, zero = _constant(_F64, 1.0), _constant(_F64, 0.0)
        bins = _Bins(builder, below, total, parts)
        totals = [cgutils.alloca_once(builder, _lanes(_F64)) for _ in range(4)]
        for each in totals:
            builder.store(zero, each)
        least, most = (cgutils.alloca_once(builder, _lanes(element)) for _ in range(2))
        builder.store(_constant(element, float("inf")), least)
        builder.store(_constant(element, float("-inf")), most)

        def add(where: Any, number: Any) -> None:
            builder.store(builder.fadd(builder.load(where), number), where)

        def wide(vector: Any) -> Any:
            return vector if element is _F64 else builder.fpext(vector, _lanes(_F64))

        with cgutils.for_range(builder, count, intp=_I64) as loop:
            row.fetch(ahead, loop.index, element, to_write=True)
            value = row.load(source, loop.index, element)
            fires = row.mask(bits, loop.index)
            potential = wide(row.load(other, loop.index, element))
            deviation = builder.fsub(wide(value), height)
            add(totals[0], deviation)
            add(totals[1], builder.fmul(deviation, deviation))
            for where, tall in ((totals[2], one), (totals[3], height)):
                error = builder.fsub(potential, builder.select(fires, tall, zero))
                add(where, builder.fmul(error, error))
            builder.store(_smaller(builder, value, builder.load(least)), least)
            builder.store(_larger(builder, value, builder.load(most)), most)
            place = bins.place(builder.fmul(builder.fsub(wide(value), edge), per_width))
            row.store(place, target, loop.index, _I32)
            before = row.load(spiked, loop.index, _I32)
            after = builder.add(before, builder.zext(fires, _lanes(_I32)))
            row.store(after, spiked, loop.index, _I32)
        found = [_reduced(builder, builder.load(each), builder.fadd) for each in totals]
        for each, choose in ((least, _smaller), (most, _larger)):
            extreme = _reduced(builder, builder.load(each), lambda a, b, c=choose: c(builder, a, b))
            found.append(extreme if element is _F64 else builder.fpext(extreme, _F64))
        for column, number in enumerate(found):
            builder.store(number, builder.gep(result, [ir.Constant(_I64, column)]))
        return context.get_dummy_value()

    index, number = types.uint64, types.float64
    signature = types.void(
        values, index, potentials, index, words, index, index, number, number, number,
        types.int64, types.int64, types.int64, counts, index, places, sums, written, index,
    )  # fmt: skip
    return signature, generate


class _Bins:
    """From a number of widths about the origin to a place among counters."""

    def __init__(self, builder: Any, n_below: Any, n_bins: Any, n_parts: Any) -> None:
        self._builder = builder
        self._below, self._total = (
            _splat(builder, builder.sitofp(number, _F64)) for number in (n_below, n_bins)
        )
        self._over, self._neither = (
            builder.fadd(self._total, _constant(_F64, more)) for more in (1.0, 2.0)
        )
        stride = builder.trunc(builder.add(n_bins, ir.Constant(_I64, 3)), _I32)
        last = builder.trunc(builder.sub(n_parts, ir.Constant(_I64, 1)), _I32)
        lanes = ir.Constant(_lanes(_I32), list(range(LANES)))
        part = builder.and_(lanes, _splat(builder, last))
        self._offset = builder.mul(part, _splat(builder, stride))
        vector = _lanes(_F64)
        self._floor = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector]), f"llvm.floor.v{LANES}f64"
        )

    def place(self, quotient: Any) -> Any:
        builder = self._builder
        bin_ = builder.fadd(builder.call(self._floor, [quotient]), self._below)
        inside = builder.fcmp_ordered("<", bin_, self._total)
        found = builder.select(inside, bin_, self._over)
        is_under = builder.fcmp_ordered("<", bin_, _constant(_F64, 0.0))
        found = builder.select(is_under, self._total, found)
        is_number = builder.fcmp_ordered("ord", bin_, bin_)
        found = builder.select(is_number, found, self._neither)
        return builder.add(builder.fptosi(found, _lanes(_I32)), self._offset)
