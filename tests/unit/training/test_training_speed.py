"""Model FLOP utilisation and time left, on devices that are not here."""

import types

import pytest
import torch
import training_kit as kit

from musicssl.costs.flops import train_step
from musicssl.training import speed
from musicssl.training.devices import peak_rate
from musicssl.training.distributed import World


@pytest.mark.parametrize(
    ("name", "peak"),
    [("NVIDIA H100 80GB HBM3", 989e12), ("NVIDIA H100 PCIe", 756e12), ("NVIDIA A100-SXM4-40GB", 312e12), ("?", None)],
)
def test_peaks_are_those_of_the_makers_sheets(monkeypatch, name, peak):
    """Dense bf16; the PCIe card of the same name is the slower one."""
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    assert peak_rate(torch.device("cuda")) == peak


def test_utilisation_is_work_over_time_and_the_peaks_of_all_devices(monkeypatch):
    """Ten updates of 8 s in 4 s on two devices of 1 TFLOP/s; time spent on saving is left out of the next row."""
    clock = types.SimpleNamespace(now=100.0)
    monkeypatch.setattr(speed.time, "perf_counter", lambda: clock.now)
    monkeypatch.setattr(speed, "peak_rate", lambda device: 1e12)
    recipe = kit.entry(kit.DATA2VEC, updates=50)
    meter = speed.Meter(recipe, World(0, 2, torch.device("cpu")), 0, 8.0)
    work = train_step(recipe.architecture, 0.5, True)
    clock.now += 4.0
    row = meter.row(10, 1.0, waited_s=1.0)
    assert (row["audio_s_per_s"], row["seconds_per_update"], row["world"]) == (20.0, 0.4, 2)
    assert row["model_flops_utilisation"] == pytest.approx(20.0 * work / 2e12)
    assert row["data_wait_fraction"] == pytest.approx(0.25)
    clock.now += 7.0
    meter.skip(5.0)
    row = meter.row(20, 1.0, waited_s=1.5)
    assert row["seconds_per_update"] == pytest.approx(0.2)
    assert row["data_wait_fraction"] == pytest.approx(0.25)


def test_time_left_is_read_at_a_glance():
    assert [speed.clock(s) for s in (12.4, 119.0, 120.0, 7260.0)] == ["12 s", "119 s", "0 h 02 min", "2 h 01 min"]
