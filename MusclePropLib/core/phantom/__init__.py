"""Simulated scans with known truth: random structures for pretraining and a whole calf."""

from MusclePropLib.core.phantom.calf import NAMES, Calf, simulate_calf

__all__ = ["NAMES", "Calf", "simulate_calf"]
