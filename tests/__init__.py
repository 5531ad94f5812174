"""The tests, mirroring the package."""

import os

# Set before anything imports torch. Test processes share the cores, and OpenMP threads that
# wait for a core they do not get make a small network twenty times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
