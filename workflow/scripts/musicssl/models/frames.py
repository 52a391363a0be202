"""Time axis shared by both encoders: 7 convolutions, one frame each 320 samples of 16 kHz audio."""

SAMPLE_RATE_HZ = 16000
CONV_KERNELS = (10, 3, 3, 3, 3, 2, 2)
CONV_STRIDES = (5, 2, 2, 2, 2, 2, 2)
HOP = 320
RECEPTIVE_FIELD = 400


def num_frames(num_samples: int) -> int:
    """Return how many frames the encoders make of ``num_samples``; frame i sees samples ``[320 i, 320 i + 400)``."""
    return max(0, (num_samples - RECEPTIVE_FIELD) // HOP + 1)
