"""What is read off a segmentation: volumes, curves of cross-sectional areas, lengths, echo intensities, agreement."""
