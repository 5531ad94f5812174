"""Values on their way to disk and back: bits, rounding, selections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from redundancy import schema
from redundancy.errors import RecordingError, UsageError
from redundancy.recordings import open_recording, write_recording
from redundancy.recordings.values import fires, pack_spikes, rounded, unpack_spikes
from tests.recordings.cases import FIRST_LAYER, PROVENANCE, random_batches

Opened = tuple[dict[str, np.ndarray], xr.DataTree]
SHAPES = st.one_of(st.tuples(*[st.integers(1, 5)] * 3), st.tuples(*[st.integers(1, 4)] * 5))


@given(SHAPES.flatmap(lambda shape: hnp.arrays(np.uint8, shape, elements=st.integers(0, 1))))
def test_bits_give_back_the_spikes(spikes: np.ndarray) -> None:
    bits = pack_spikes("layer", spikes)
    n_samples, n_timesteps, n_channels, *maps = spikes.shape
    assert bits.shape == (n_samples, n_channels, -(-n_timesteps * int(np.prod(maps)) // 8))
    np.testing.assert_array_equal(unpack_spikes(bits, (n_timesteps, *maps)), spikes)


@pytest.mark.parametrize(
    "spikes",
    [np.full((1, 2, 3), 2, np.uint8), np.ones((1, 2, 3), np.float32), -np.ones((1, 2, 3), np.int8)],
)
def test_spikes_other_than_0_and_1_are_refused(spikes: np.ndarray) -> None:
    with pytest.raises(RecordingError, match="'layer' has spikes other than 0 and 1"):
        pack_spikes("layer", spikes)


@given(
    hnp.arrays(
        np.float32, (2, 3, 2, 2, 2), elements=st.floats(-4, 4, width=32, allow_subnormal=False)
    ),
    st.sampled_from([0.3, 1.0, 0.1, [0.25, 0.7]]),
    st.sampled_from([">=", ">"]),
    st.integers(-2, 2),
)
def test_rounded_potentials_fire_where_they_did(
    potentials: np.ndarray, threshold: float | list[float], rule: str, steps: int
) -> None:
    attributes = {schema.V_THRESHOLD: threshold, schema.FIRES_AT: rule}
    # As close to the threshold as there are numbers.
    near = np.broadcast_to(np.float32(threshold), 2)
    potentials[0, 0, :, 0, 0] = near + steps * np.spacing(near)
    result = rounded("l", attributes, schema.MEMBRANE_POTENTIAL, "float16", potentials)
    np.testing.assert_array_equal(fires(attributes, result), fires(attributes, potentials))
    # Half precision has 11 bits; crossing the threshold costs up to one more rounding.
    step = np.spacing(np.abs(potentials).astype(np.float16)).astype(np.float32)
    assert (np.abs(result.astype(np.float32) - potentials) <= step).all()


def test_rounding_alone_would_cross_the_threshold() -> None:
    below = np.nextafter(np.float32(0.3), np.float32(0))
    assert np.float32(np.float16(below)) >= np.float32(0.3)


@given(st.floats(-2, 2), st.integers(-3, 3))
def test_double_precision_is_rounded_on_its_side_too(threshold: float, steps: int) -> None:
    attributes = {schema.V_THRESHOLD: threshold, schema.FIRES_AT: ">="}
    value = threshold
    for _ in range(abs(steps)):
        value = np.nextafter(value, np.inf if steps > 0 else -np.inf)
    potentials = np.full((1, 1, 1), value, np.float64)
    result = rounded("l", attributes, schema.MEMBRANE_POTENTIAL, "float32", potentials)
    np.testing.assert_array_equal(fires(attributes, result), fires(attributes, potentials))


def test_potentials_beyond_half_precision_are_refused() -> None:
    attributes = {schema.V_THRESHOLD: 1.0, schema.FIRES_AT: ">="}
    with pytest.raises(
        RecordingError, match=r"input_current of 100000, more than float16 can hold"
    ):
        rounded("l", attributes, schema.INPUT_CURRENT, "float16", np.full((1, 1, 1), 1e5, "f4"))


def test_an_unknown_precision_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="stored as float16 or float32, not as 'int8'"):
        write_recording(tmp_path / "run.zarr", [], {}, potential_dtype="int8")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    path = tmp_path_factory.mktemp("values") / "run.zarr"
    batches = list(random_batches(3, (5, 3, 7, 2, 3)))
    write_recording(path, iter(batches), PROVENANCE)
    whole = {
        name: np.concatenate([batch[FIRST_LAYER][name].values for batch in batches])
        for name in (schema.SPIKE, schema.MEMBRANE_POTENTIAL)
    }
    return whole, open_recording(path, chunks=None)


def keys(length: int) -> st.SearchStrategy[object]:
    return st.one_of(
        st.integers(-length, length - 1),
        # xarray itself fails on an empty slice that runs backwards.
        st.slices(length).filter(lambda k: k.step is None or k.step > 0 or range(length)[k]),
        st.lists(st.integers(0, length - 1), max_size=4).map(lambda k: np.array(k, int)),
    )


@settings(max_examples=100)
@given(st.tuples(*map(keys, (15, 3, 7, 2, 3))))
def test_every_selection_is_that_of_the_whole(opened: Opened, key: tuple[Any, ...]) -> None:
    whole, tree = opened
    for name, values in whole.items():
        expected = xr.DataArray(values, dims=tree[FIRST_LAYER][name].dims)
        selection = dict(zip(expected.dims, key, strict=True))
        np.testing.assert_array_equal(
            tree[FIRST_LAYER][name].isel(selection), expected.isel(selection)
        )
