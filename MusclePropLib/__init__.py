"""MuscleProp: interactive label propagation for muscles in 3D freehand ultrasound."""

__version__ = "0.1.0"
