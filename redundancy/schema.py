"""Names of dimensions, variables and attributes, in one place.

Recordings, states and results are :class:`xarray.DataTree` objects with one
node per spiking layer. Every other module takes its names from here, so that a
name is spelled once and a file written by one version can be checked by
another.
"""

from __future__ import annotations

SCHEMA_VERSION = 1

# Dimensions. Feature maps are (sample, time, channel, y, x), vectors
# (sample, time, channel).
SAMPLE = "sample"
TIME = "time"
CHANNEL = "channel"
Y = "y"
X = "x"

# The node that holds what belongs to the whole batch or the whole result.
ROOT = "/"

# Recorded variables of a spiking layer.
SPIKE = "spike"
MEMBRANE_POTENTIAL = "membrane_potential"
INPUT_CURRENT = "input_current"

# State and result variables of the firing rate.
SPIKE_COUNT = "spike_count"
N_SAMPLES = "n_samples"
N_SFR = "n_sfr"
C_SFR = "c_sfr"
T_SFR = "t_sfr"
NASFR = "nasfr"

# The node that holds the network's input, beside the spiking layers.
INPUT_NODE = "input_frames"
FRAMES = "frames"
EVENT_SUM = "event_sum"
NONZERO_COUNT = "nonzero_count"
EXAMPLE_FRAMES = "example_frames"
MEAN_FRAMES = "mean_frames"
INPUT_DENSITY = "input_density"

# Root variables of a recording and of its state.
LABEL = "label"
PREDICTION = "prediction"
N_CORRECT = "n_correct"
N_LABELLED = "n_labelled"
ACCURACY = "accuracy"

# How a state variable merges with the same variable of another part.
MERGE = "merge"

# Layer attributes.
POSITION = "position"
NEURON_TYPE = "neuron_type"
V_THRESHOLD = "v_threshold"
V_RESET = "v_reset"
FIRES_AT = "fires_at"
FRAMEWORK = "framework"

# Root attributes: what a file is, and where its numbers come from.
KIND = "kind"
VERSION = "schema_version"
NETWORK = "network"
NETWORK_ARGUMENTS = "network_arguments"
N_PARAMETERS = "n_parameters"
CHECKPOINT_SHA256 = "checkpoint_sha256"
CHECKPOINT_FORMAT = "checkpoint_format"
DATASET = "dataset"
DATASET_ARGUMENTS = "dataset_arguments"
SPLIT = "split"
N_TIMESTEPS = "n_timesteps"
BATCH_SIZE = "batch_size"
DEVICE = "device"
VERSIONS = "versions"
STATISTICS = "statistics"
JSON_ATTRIBUTES = (NETWORK_ARGUMENTS, DATASET_ARGUMENTS, VERSIONS, STATISTICS)
