"""What holds for all tests."""

from hypothesis import settings

# How long an example takes depends on what else the machine does, and says nothing of whether it is right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
