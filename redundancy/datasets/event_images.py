"""Images of events: which pixels are ON and OFF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from redundancy.errors import DataError
from redundancy.file_kinds import but_is
from redundancy.limits import check_regular_file

Mask = NDArray[np.bool_]

_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")


def read_event_image(path: Path, sensor_size: tuple[int, int]) -> tuple[Mask, Mask]:
    """Read an image that shows the events of a short time.

    Parameters
    ----------
    path : Path
        A PNG file.
    sensor_size : tuple of int
        (height, width) of the camera, and of the image, in pixels.

    Returns
    -------
    on, off : ndarray of bool, shape (y, x)
        In colour, ON is where red exceeds blue, OFF where blue exceeds red. In grey,
        ON is brighter and OFF darker than the background, the most frequent value.

    Raises
    ------
    DataError
        If the file is no such image.
    """
    from PIL import Image

    check_regular_file(path)
    try:
        # Decoding passes over the checksums of the pixels.
        with Image.open(path, formats=["PNG"]) as image:
            image.verify()
        with Image.open(path, formats=["PNG"]) as image:
            size, mode = (image.height, image.width), image.mode
            if size == sensor_size and mode in _MODES:
                pixels = np.asarray(image.convert("RGB")).astype(np.int16)
    # A damaged image fails in as many ways as the library has.
    except Exception as error:
        raise DataError(f"{path} cannot be read as a PNG image: {error}{but_is(path)}") from error
    if size != sensor_size or mode not in _MODES:
        raise DataError(
            f"{path} has {size[0]}x{size[1]} pixels (height x width) of mode {mode}, but an event "
            f"image has {sensor_size[0]}x{sensor_size[1]} in colour or 8-bit grey"
        )
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    if np.array_equal(red, green) and np.array_equal(red, blue):
        background = int(np.bincount(red.reshape(-1)).argmax())
        return red > background, red < background
    return red > blue, blue > red
