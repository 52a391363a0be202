"""Kernels for CPUs: the same values as torch's and Hugging Face's modules, faster there and with less memory."""
