"""Guided propagation: a network that corrects a draft made from the expert's slices, fine-tuned on those slices."""
