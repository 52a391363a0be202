"""Fixtures of the models' tests."""

import pytest
from golden_models import Golden, make_data2vec, make_hubert


@pytest.fixture(scope="session")
def hubert_golden():
    return Golden("hubert.npz")


@pytest.fixture(scope="session", params=[2, 4])
def data2vec_golden(request):
    return Golden(f"data2vec_top{request.param}.npz")


@pytest.fixture(scope="session")
def hubert_recipe():
    return make_hubert()


@pytest.fixture(scope="session")
def data2vec_recipe():
    return make_data2vec()
