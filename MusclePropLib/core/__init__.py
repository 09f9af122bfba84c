"""Volumes, annotations, network, propagation and measurements; imports neither Slicer nor Qt."""
