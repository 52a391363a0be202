"""Labels for masked prediction: features of a trained layer, k-means over shards, assignment, quality of clusters.

Each module needs only its own libraries; nothing is imported here, so a reader of labels needs neither dask nor torch.
"""
