"""What every test shares. The tests import the installed package, never the source folder."""

import os

from hypothesis import settings

os.environ["MPLBACKEND"] = "Agg"  # subprocesses inherit it

settings.register_profile("default", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("nightly", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
