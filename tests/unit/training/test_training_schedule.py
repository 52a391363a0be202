"""Learning rates against the numbers of the published configurations (tests/golden/pretraining.md)."""

import pytest

from musicssl.config.recipes import PolynomialSchedule, TriStageSchedule
from musicssl.training.schedule import learning_rate

POLYNOMIAL = PolynomialSchedule(kind="polynomial", warmup_updates=32000)
TRI_STAGE = TriStageSchedule(
    kind="tri-stage", warmup_fraction=0.03, hold_fraction=0.9, init_lr_scale=0.01, final_lr_scale=0.01
)


@pytest.mark.parametrize(
    ("update", "expected"), [(0, 0.0), (8000, 1.25e-4), (32000, 5e-4), (216000, 2.5e-4), (399999, 5e-4 / 368000)]
)
def test_polynomial_rises_to_the_peak_and_falls_to_zero(update, expected):
    assert learning_rate(POLYNOMIAL, 5e-4, update, 400000) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        (0, 5e-6),
        (6000, (5e-6 + 5e-4) / 2),
        (12000, 5e-4),
        (372000, 5e-4),
        (372028, 5e-4 * 0.01**0.001),
        (386000, 5e-5),  # half of 28k exponential steps to a hundredth: a tenth
        (400000, 5e-6),
    ],
)
def test_tri_stage_has_12k_linear_360k_flat_28k_exponential(update, expected):
    assert learning_rate(TRI_STAGE, 5e-4, update, 400000) == pytest.approx(expected, rel=1e-12)


def test_tri_stage_stretches_with_the_run():
    for update in (0, 9000, 24000, 700000, 780000):
        stretched = learning_rate(TRI_STAGE, 5e-4, update, 800000)
        assert stretched == pytest.approx(learning_rate(TRI_STAGE, 5e-4, update // 2, 400000), rel=1e-12)
