"""A simulated calf: a freehand sweep over the lower leg, with gastrocnemius medialis and lateralis and soleus.

A subject is drawn (`subject`), the leg built as surfaces (`anatomy`, `bellies`, `depths`), the probe led over it
(`sweep`), every pixel of a frame placed in the leg and given its tissue (`tissue`, `texture`, `sheets`), and scatterers
turned into a B-mode picture (`speckle`, `machine`).

What it lacks. It is a drawing lit by a simple model, not an acoustic simulation: no wave is propagated, so there is no
refraction, no side lobes, no anisotropy of fascicles beyond streaks, no reverberation but a soft onset of the bones'
shadow, and the beam is one Gaussian at all depths, always vertical. The picture stands for a compounded volume, yet no
seams, gaps or misregistration between parallel passes are drawn, and frames stay parallel; elevational jitter moves the
picture but is not told in the geometry. Bellies are single lobes between smooth surfaces with one pattern per muscle:
no plantaris, popliteus, peronei or separate deep flexors, no soleus compartments, no anatomical variants, pathology,
atrophy or contraction, and the muscles' outlines are exact, as no expert's are. Proximal to the joint line it is not a
knee. Grain, contrast and slice-to-slice correlation were fitted to one ex-vivo leg from one scanner, so results on it
rank methods at best; they do not foretell accuracy on patients.
"""

from MusclePropLib.core.phantom.calf.simulate import Calf, simulate_calf
from MusclePropLib.core.phantom.calf.subject import NAMES

__all__ = ["NAMES", "Calf", "simulate_calf"]
