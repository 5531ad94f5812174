from __future__ import annotations

import numpy as np
import pytest

from redundancy.datasets import build_dataset
from redundancy.datasets.daily_action_dvs import ACTIONS
from redundancy.errors import DataError, UsageError

from .event_files import aedat2, davis_address, dvs128_address

FRAMES = {"n_timesteps": 4, "dt_ms": 1.0, "downsample": None, "clips": 1, "cache": False}


def recording(folder, action, number, address=dvs128_address, camera="", x=1):
    path = folder / action / f"{action}{number}.aedat"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(aedat2([(address(x, number, 1), 1000 * i) for i in range(4)], camera))


@pytest.fixture
def folder(tmp_path):
    """Ten recordings of sitting, five of climbing, one of getting up; y is the number."""
    for action, count in (("Sit", 10), ("climb", 5), ("get_up", 1)):
        for number in range(1, count + 1):
            recording(tmp_path, action, number)
    return tmp_path


def shown(dataset):
    batch = dataset.batch(0, len(dataset))
    rows = [int(np.flatnonzero(frames.sum((0, 1, 3)))[0]) for frames in batch.frames]
    return list(zip(batch.labels.tolist(), rows, strict=True))


def test_the_split_is_the_first_four_fifths_of_each_action(folder):
    test = build_dataset(f"daily-action-dvs:{folder}", **FRAMES)
    train = build_dataset(f"daily-action-dvs:{folder}", split="train", **FRAMES)
    assert shown(test) == [(0, 5), (4, 9), (4, 10)]
    assert shown(train) == [
        *[(0, 1), (4, 1), (5, 1), (0, 2), (4, 2), (0, 3), (4, 3), (0, 4), (4, 4)],
        *[(4, number) for number in (5, 6, 7, 8)],
    ]
    half = build_dataset(f"daily-action-dvs:{folder}", train_share="0.5", **FRAMES)
    assert len(half) == 2 + 5
    assert half.arguments["train_share"] == 0.5


def test_actions_have_the_published_numbers(folder):
    dataset = build_dataset(f"daily-action-dvs:{folder}", **FRAMES)
    assert dataset.class_names == ACTIONS
    assert (dataset.n_classes, len(set(ACTIONS))) == (12, 12)
    recording(folder, "swim", 1)
    recording(folder, "swim", 2)
    other = build_dataset(f"daily-action-dvs:{folder}", **FRAMES)
    assert other.class_names == ("Sit", "climb", "get_up", "swim")
    assert other.n_classes == 4


def test_the_decoding_is_recognised_and_recorded(folder, tmp_path_factory):
    dvs128 = build_dataset(f"daily-action-dvs:{folder}", **FRAMES)
    assert dvs128.arguments["decoding"] == "dvs128"
    assert dvs128.frame_shape == (4, 2, 128, 128)
    other = tmp_path_factory.mktemp("davis")
    for number in range(1, 6):
        recording(other, "run", number, davis_address, "DAVIS346", x=100)
    davis = build_dataset(f"daily-action-dvs:{other}", **FRAMES)
    assert davis.arguments["decoding"] == "davis346"
    assert davis.frame_shape == (4, 2, 260, 346)
    assert davis.batch(0, 1).frames[0, :, 1, 5, 100].tolist() == [1, 1, 1, 1]
    again = build_dataset(f"daily-action-dvs:{other}", **{**FRAMES, **davis.arguments})
    assert again.arguments == davis.arguments
    published = build_dataset(f"daily-action-dvs:{other}", preset="asa-daily-action", cache=False)
    assert published.frame_shape == (36, 2, 173, 130)
    assert published.batch(0, 1).frames[0, 0, 0, 13, 2] == 2


def test_a_recording_of_another_camera_is_named(folder):
    recording(folder, "Sit", 10, davis_address, "DAVIS346")
    dataset = build_dataset(f"daily-action-dvs:{folder}", **FRAMES)
    with pytest.raises(DataError, match=r"Sit10\.aedat is of another camera"):
        dataset.batch(2, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"decoding": "dvs640"}, "decoding must be dvs128, davis346, asa or none, got 'dvs640'"),
        ({"train_share": 1.0}, "train_share must lie between 0 and 1"),
        ({"train_share": 0.95}, "too few recordings for a split test"),
    ],
)
def test_arguments_out_of_range_are_refused(folder, arguments, message):
    with pytest.raises(UsageError, match=message):
        build_dataset(f"daily-action-dvs:{folder}", **{**FRAMES, **arguments})


def test_a_missing_or_foreign_folder_says_what_is_expected(tmp_path):
    with pytest.raises(UsageError, match=r"there is no folder .*<action>/\*\.aedat"):
        build_dataset(f"daily-action-dvs:{tmp_path / 'nowhere'}")
    (tmp_path / "sit").mkdir()
    with pytest.raises(UsageError, match=r"holds no recordings; expected <action>/\*\.aedat"):
        build_dataset(f"daily-action-dvs:{tmp_path}")
