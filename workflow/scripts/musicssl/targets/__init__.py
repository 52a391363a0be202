"""Targets of masked prediction: feature vectors, k-means, labels, and how well labels agree with annotations.

Each module needs only its own libraries; nothing is imported here, so a reader of labels needs neither dask nor torch.
"""
