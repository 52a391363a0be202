"""Samples in, samples or frame vectors out: decode, resample, MFCC, chroma, CQT, each written once.

Samples are mono float32 in [-1, 1] in memory and int16 on disk.
"""
