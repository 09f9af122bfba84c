"""A simulated calf: tracked freehand sweep over the lower leg, with gastrocnemius medialis and lateralis and soleus."""

from MusclePropLib.core.phantom.calf.simulate import Calf, simulate_calf
from MusclePropLib.core.phantom.calf.subject import NAMES

__all__ = ["NAMES", "Calf", "simulate_calf"]
