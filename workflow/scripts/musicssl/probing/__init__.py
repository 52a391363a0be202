"""Probing: embeddings of frozen encoders, small heads trained on them, scores with intervals and floors."""
