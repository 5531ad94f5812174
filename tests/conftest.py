"""Settings that every test shares."""

import os

from hypothesis import settings

# A loaded machine is no bug, so no example has a deadline; and on CI the examples are
# the same in every run, so that a change is judged by what it changes.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")
