"""Results for other programs: surfaces, DICOM SEG, label maps with a legend, tables."""
