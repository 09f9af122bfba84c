"""MRML scene <-> core: volumes, segments, annotation states and results on Slicer's own objects; imports no Qt."""
