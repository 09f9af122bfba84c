"""Simulated scans with known truth: random structures for pretraining and a whole calf."""
