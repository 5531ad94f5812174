"""Names of dimensions, variables and attributes, in one place.

Recordings, states and results are :class:`xarray.DataTree` objects with one
node per spiking layer. Every other module takes its names from here, so that a
name is spelled once and a file written by one version can be checked by
another.
"""

from __future__ import annotations

SCHEMA_VERSION = 2

# Dimensions. Feature maps are (sample, time, channel, y, x), vectors
# (sample, time, channel).
SAMPLE = "sample"
TIME = "time"
CHANNEL = "channel"
Y = "y"
X = "x"
OTHER_CHANNEL = "other_channel"
OTHER_TIME = "other_time"
BIN = "bin"
REPLICATE = "replicate"
SYNAPSE = "synapse"

# The node that holds what belongs to the whole batch or the whole result.
ROOT = "/"

# Recorded variables of a spiking layer.
SPIKE = "spike"
MEMBRANE_POTENTIAL = "membrane_potential"
INPUT_CURRENT = "input_current"
RESET_POTENTIAL = "post_reset_potential"

# What of a neuron is binned, and the recorded variable that holds it.
QUANTITY = "quantity"
QUANTITY_VARIABLES = {
    "pre-fire": MEMBRANE_POTENTIAL,
    "input": INPUT_CURRENT,
    "post-reset": RESET_POTENTIAL,
}

# State and result variables of the firing rate.
SPIKE_COUNT = "spike_count"
N_SAMPLES = "n_samples"
N_SFR = "n_sfr"
C_SFR = "c_sfr"
T_SFR = "t_sfr"
NASFR = "nasfr"

# Membrane potentials: states and results. "Deviation" is from the threshold.
HISTOGRAM = "histogram"
UNDERFLOW = "underflow"
OVERFLOW = "overflow"
NAN_COUNT = "nan_count"
BIN_CENTRE = "bin_centre"
BIN_WIDTH = "bin_width"
BINS_BELOW = "n_bins_below"
BINS_ABOVE = "n_bins_above"
N_VALUES = "n_values"
DEVIATION_SUM = "deviation_sum"
DEVIATION_SQUARE_SUM = "deviation_square_sum"
MINIMUM = "minimum"
MAXIMUM = "maximum"
MEAN = "mean"
VARIANCE = "variance"
PTD = "peak_to_threshold_distance"

# Quantization error: states and results.
QE = "quantization_error"
N_ERRORS = "n_errors"
QE_SCALED = "quantization_error_scaled"
QE_NORMALIZED = "quantization_error_normalized"

# Spike patterns.
FOREGROUND_SPIKES = "foreground_spikes"
BACKGROUND_SPIKES = "background_spikes"
FOREGROUND_CELLS = "foreground_cells"
BACKGROUND_CELLS = "background_cells"
FOREGROUND_RATE = "foreground_rate"
BACKGROUND_RATE = "background_rate"
PATTERN_POTENTIAL = "pattern_potential"
PATTERN_SPATIAL = "pattern_spatial"

# Similarity of features, ghosts and dimensionality: states and results.
SPIKE_GRAM = "spike_gram"
N_POSITIONS = "n_positions"
JACCARD = "jaccard"
SIMILARITY = "similarity"
TEMPORAL_SIMILARITY = "temporal_similarity"
THRESHOLD = "threshold"
GROUP = "group"
GHOST_RATIO = "ghost_ratio"
N_GROUPS = "n_groups"
N_ACTIVE = "n_active"
N_NULL = "n_null"
TEMPORAL_GHOST_RATIO = "temporal_ghost_ratio"
EFFECTIVE_RANK = "effective_rank"
PARTICIPATION_RATIO = "participation_ratio"
HSIC_SUM = "hsic_sum"
N_HSIC_SAMPLES = "n_hsic_samples"
CKA = "cka"

# One neuron of every channel over time.
EXAMPLE_POTENTIAL = "example_potential"
EXAMPLE_SPIKE = "example_spike"
EXAMPLE_POSITION = "example_position"

# The node that holds the synaptic layers (convolutions, fully connected layers).
SYNAPSE_NODE = "synaptic_layers"
# Recorded per sample and synaptic layer, and summed over samples.
INPUT_ELEMENTS = "input_elements"
INPUT_SUM = "input_sum"
INPUT_NONZERO = "input_nonzero"
INPUT_NONBINARY = "input_nonbinary"
INPUT_UNFIT = "input_unfit"
INPUT_OFF_LEVEL = "input_off_level"
EFFECTIVE_OPERATIONS = "effective_operations"
DENSE_OPERATIONS = "dense_operations"
APPLICATIONS = "applications"
# Coordinates of synaptic layers: what a layer is, and what stands before and after it.
SYNAPSE_KIND = "kind"
ROLE = "role"
FED_BY = "fed_by"
FED_BY_RULE = "fed_by_rule"
SOURCE = "source"
SPIKE_PATH = "spike_path"
CALL_POSITION = "call_position"
BATCH_NORM_ELEMENTS = "batch_norm_elements"
NEURON_UPDATES = "neuron_updates"
RESCALE_ELEMENTS = "rescale_elements"
# What became of spikes on their way to a synaptic layer.
SUMS = "sums"
AVERAGES = "averages"
SCALED = "scaled"
OTHER = "other"
UNTRACED = "untraced"
# Attribute of the node: operations of the network that no synaptic layer's module does.
UNCOUNTED_OPERATIONS = "uncounted_operations"
# Results of the energy estimate.
CONVENTION = "convention"
E_MAC = "e_mac"
E_AC = "e_ac"
FLOPS = "flops"
INPUT_RATE = "input_rate"
NONZERO_FRACTION = "nonzero_fraction"
IS_BINARY = "is_binary"
MACS = "macs"
ACS = "acs"
ENERGY = "energy"
COUNTED_AS = "counted_as"
BATCH_NORM_OPERATIONS = "batch_norm_operations"
NEURON_OPERATIONS = "neuron_operations"
RESCALE_OPERATIONS = "rescale_operations"
TOTAL_MACS = "total_macs"
TOTAL_ACS = "total_acs"
TOTAL_ENERGY = "total_energy"
ATTENTION_MACS = "attention_macs"
ATTENTION_RESCALES = "attention_rescales"
ATTENTION_TOTAL = "attention_total"
DELTA_MACS = "delta_macs"
DELTA_ACS = "delta_acs"
DELTA_ENERGY = "delta_energy"

# The node that holds the network's input, beside the spiking layers.
INPUT_NODE = "input_frames"
FRAMES = "frames"
EVENT_SUM = "event_sum"
NONZERO_COUNT = "nonzero_count"
EXAMPLE_FRAMES = "example_frames"
MEAN_FRAMES = "mean_frames"
INPUT_DENSITY = "input_density"

# The nodes that are not spiking layers.
OTHER_NODES = (ROOT, INPUT_NODE, SYNAPSE_NODE)

# Root variables of a recording and of its state.
LABEL = "label"
PREDICTION = "prediction"
# Of a prediction: whether another class had the same score.
TIED = "tied"
N_CORRECT = "n_correct"
# Samples that accuracy rests on: with a label, and an output that predicts a class.
N_LABELLED = "n_labelled"
N_UNLABELLED = "n_unlabelled"
N_NOT_FINITE = "n_not_finite"
N_TIED = "n_tied"
ACCURACY = "accuracy"
# Which recording a sample is a clip of; in a state, a dimension.
RECORDING = "recording"
N_CLIPS = "n_clips"
N_CLIPS_CORRECT = "n_clips_correct"
N_RECORDINGS = "n_recordings"
RECORDING_ACCURACY = "recording_accuracy"

# How a state variable merges with the same variable of another part.
MERGE = "merge"

# Layer attributes.
POSITION = "position"
NEURON_TYPE = "neuron_type"
V_THRESHOLD = "v_threshold"
V_RESET = "v_reset"
FIRES_AT = "fires_at"
FRAMEWORK = "framework"
# How a layer was read: by a fused sweep, or in the general way.
PATH = "path"

# Root attributes: what a file is, and where its numbers come from.
KIND = "kind"
VERSION = "schema_version"
NETWORK = "network"
NETWORK_ARGUMENTS = "network_arguments"
N_PARAMETERS = "n_parameters"
CHECKPOINT_SHA256 = "checkpoint_sha256"
CHECKPOINT_FORMAT = "checkpoint_format"
CHECKPOINT_NOTES = "checkpoint_notes"
DATASET = "dataset"
DATASET_ARGUMENTS = "dataset_arguments"
SPLIT = "split"
N_TIMESTEPS = "n_timesteps"
# Which samples of the dataset results hold: "start:stop", several joined by commas.
SAMPLES = "samples"
BATCH_SIZE = "batch_size"
DEVICE = "device"
VERSIONS = "versions"
STATISTICS = "statistics"
# How the network was called, what of it emits spikes, and its random numbers.
CALLING_CONVENTION = "calling_convention"
OUTPUT_AXES = "output_axes"
SPIKE_SOURCES = "spike_sources"
IS_RANDOM = "is_random"
RANDOM_SEED = "random_seed"
JSON_ATTRIBUTES = (NETWORK_ARGUMENTS, DATASET_ARGUMENTS, VERSIONS, STATISTICS, SPIKE_SOURCES)
# Batches, and those of them in which what was read was compared with the neuron itself.
N_BATCHES = "n_batches"
VERIFIED_BATCHES = "verified_batches"

# Recordings on disk. Spikes are eight a byte; see docs/recordings.md.
RECORDING_FORMAT = "recording_format"
SPIKE_BITS = "spike_bits"
BYTE = "byte"
BIT_ORDER = "bit_order"
UNPACKED_SHAPE = "unpacked_shape"
# The data type that potentials were rounded to; absent where none was.
POTENTIALS_ROUNDED_TO = "potentials_rounded_to"
METADATA_CHECKSUM = "metadata_crc32c"
FILE_CHECKSUMS = "files_crc32c"
