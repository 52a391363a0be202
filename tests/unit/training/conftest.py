"""Torch's settings around the tests of training."""

import pytest
import torch


@pytest.fixture(autouse=True)
def torch_settings():
    """Put back what training sets for its process: threads, deterministic algorithms."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def one_thread(torch_settings):
    """Give the model one thread: small ones wait for a second longer than it helps, and a loader keeps its share."""
    torch.set_num_threads(1)
