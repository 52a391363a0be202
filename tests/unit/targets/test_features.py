"""One shard of audio becomes one shard of vectors: same clips, right frames, finite numbers."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import extract_features
from musicssl.artefacts import write_json
from musicssl.artefacts.ragged import RaggedShard, RaggedWriter, ShardError
from musicssl.config.recipes import Architecture
from musicssl.geometry import num_frames, to_float32
from musicssl.models import load_encoder
from musicssl.models.encoders import empty_encoder, initialize
from musicssl.runtime import UserError
from musicssl.signal.constant_q import ConstantQ
from musicssl.signal.harmonic import chroma
from musicssl.targets import features

GOLDEN = np.load(Path(__file__).parents[2] / "golden/mfcc.npz")
SHARED = {"sample_fraction": 1.0, "sample_seed": 0}
MFCC39 = {"kind": "mfcc", "num_ceps": 13, "num_mel_bins": 23, "frame_rate_hz": 100, **SHARED}
CHROMA = {
    "kind": "chroma", "num_chroma": 12, "window_samples": 4096, "compression": 100.0, "frame_rate_hz": 100, **SHARED
}  # fmt: skip
CQT = {
    "kind": "cqt", "num_bins": 84, "bins_per_octave": 12, "min_hz": 32.70319566257483, "compression": 100.0,
    "frame_rate_hz": 50, **SHARED,
}  # fmt: skip
BOTH = {"kind": "combined", "parts": {"mfcc39": 0.5, "chroma": 8.0}, "frame_rate_hz": 100, **SHARED}
LAYER = {"kind": "layer", "model": "m", "layer": 2, "frame_rate_hz": 50, **SHARED}
CLIPS = [16000, 16000, 16000, 8000, 16000]


@pytest.fixture
def audio(tmp_path):
    """Write an audio shard of five clips and return its path."""
    path = tmp_path / "audio/000.npy"
    splits = ["train"] * 5
    with RaggedWriter(path, np.int16, (), "corpus", sample_rate_hz=16000, splits=splits, quarantine=[]) as writer:
        for i, length in enumerate(CLIPS):
            writer.append(f"a.wav#{i}", GOLDEN["pcm16"][9000 * i :][:length])
    return path


@pytest.fixture
def encoder_dir(tmp_path):
    """Write a small untrained HuBERT and return its folder."""
    size = Architecture(
        conv_width=16, hidden_size=24, num_layers=3, num_heads=2, ffn_size=32, pos_conv_kernel=8, pos_conv_groups=2,
        pos_conv_depth=1, dropout=0.1, attention_dropout=0.1, activation_dropout=0.0, input_dropout=0.1, layer_drop=0.5,
        init_std=0.02,
    )  # fmt: skip
    torch.manual_seed(0)
    encoder = empty_encoder("hubert", size)
    initialize(encoder)
    encoder.save_pretrained(tmp_path / "encoder")
    write_json(tmp_path / "encoder/preprocessor_config.json", {"do_normalize": False})
    return tmp_path / "encoder"


def run(entry, audio, encoder_dir=None, corpus_digest="corpus"):
    """Run the job script and return the shard it wrote."""
    out = audio.parents[1] / "features/000.npy"
    inputs = {"encoder": [str(encoder_dir / "config.json"), "model.safetensors"] if encoder_dir else []}
    parts = {"mfcc39": {"entry": MFCC39}, "chroma": {"entry": CHROMA}}
    recipe = {"entry": entry, "digest": "features", "inputs": {"corpus": {"digest": corpus_digest}} | parts}
    snakemake = SimpleNamespace(
        params=SimpleNamespace(recipe=recipe),
        input=SimpleNamespace(audio=str(audio), get=inputs.get),
        output=SimpleNamespace(features=out),
        threads=1,
    )
    extract_features.main(snakemake)
    return RaggedShard(out, "features")


def test_mfcc_of_every_clip(tmp_path):
    path = tmp_path / "audio/000.npy"
    with RaggedWriter(path, np.int16, (), "corpus", splits=["train"]) as writer:
        writer.append("a.wav#0", GOLDEN["pcm16"])
    shard = run(MFCC39, path)
    assert shard.ids == ["a.wav#0"]
    assert shard.data.dtype == np.float32
    assert shard.attrs == {"frame_rate_hz": 100}
    assert np.abs(shard[0] - GOLDEN["mfcc39"]).max() < 1e-3


def test_mfcc_at_50_hz_is_every_second_frame_one_for_each_encoder_frame(audio):
    full = run(MFCC39, audio)
    full_clips = [full[i].copy() for i in range(len(full))]
    half = run({**MFCC39, "frame_rate_hz": 50}, audio)
    assert half.lengths().tolist() == [num_frames(n) for n in CLIPS]
    assert all(np.array_equal(half[i], full_clips[i][::2]) for i in range(len(half)))


@pytest.mark.parametrize("normalize", [False, True])
def test_layer_equals_the_encoders_own_forward(audio, encoder_dir, normalize):
    write_json(encoder_dir / "preprocessor_config.json", {"do_normalize": normalize})
    shard = run(LAYER, audio, encoder_dir)
    assert shard.ids == [f"a.wav#{i}" for i in range(5)]
    assert shard.data.dtype == np.float16
    assert shard.lengths().tolist() == [num_frames(n) for n in CLIPS]
    encoder, clips = load_encoder(encoder_dir).eval(), RaggedShard(audio)
    for i in range(5):
        wave = to_float32(clips[i])
        if normalize:
            wave = (wave - wave.mean()) / wave.std()
        with torch.no_grad():
            hidden = encoder(torch.from_numpy(wave)[None], output_hidden_states=True).hidden_states[2][0]
        assert np.abs(shard[i] - hidden.numpy()).max() < 4e-3  # float16 keeps 11 bits


def test_batches_hold_clips_of_equal_length_in_order(audio, monkeypatch):
    monkeypatch.setattr(features, "BATCH_SAMPLES", 32000)
    shapes = []

    def forward(wave):
        shapes.append(wave.shape)
        return wave

    shard = RaggedShard(audio)
    chosen = [0, 2, 3, 4]
    outputs = list(features.in_batches(shard, chosen, forward))
    assert shapes == [(2, 16000), (1, 8000), (1, 16000)]
    assert all(np.array_equal(out, to_float32(shard[i])) for out, i in zip(outputs, chosen, strict=True))


def test_chroma_and_cqt_of_every_clip(audio):
    def cqt(wave, *settings):
        return ConstantQ(*settings)(torch.from_numpy(wave)[None])[0].numpy()

    for entry, function, width in ((CHROMA, chroma, 12), (CQT, cqt, 84)):
        shard = run(entry, audio)
        knobs = [entry["frame_rate_hz"], *list(entry.values())[1:-3]]
        assert shard.data.shape[1] == width
        assert all(np.array_equal(shard[i], function(to_float32(RaggedShard(audio)[i]), *knobs)) for i in range(5))


def test_combined_features_stand_side_by_side_scaled(audio):
    left, right = (run(entry, audio).data.copy() for entry in (MFCC39, CHROMA))
    both = run(BOTH, audio).data
    np.testing.assert_array_equal(both, np.concatenate([0.5 * left, 8 * right], axis=1))


def test_only_drawn_training_clips_are_stored(tmp_path):
    path = tmp_path / "audio/000.npy"
    with RaggedWriter(path, np.int16, (), "corpus", splits=["train", "valid"] * 20) as writer:
        for i in range(40):
            writer.append(f"a.wav#{i}", np.arange(1000, dtype=np.int16) + i)
    stored = {f: run({**MFCC39, "sample_fraction": f}, path).ids for f in (1.0, 0.5, 0.26, 0.01)}
    assert [len(ids) for ids in stored.values()] == [20, 10, 6, 1]  # of 20 training clips, rounded up
    assert all(int(name[6:]) % 2 == 0 for name in stored[1.0])
    assert stored[1.0] == [f"a.wav#{i}" for i in range(0, 40, 2)]
    assert set(stored[0.01]) < set(stored[0.26]) < set(stored[0.5])
    assert run({**MFCC39, "sample_fraction": 0.5, "sample_seed": 1}, path).ids != stored[0.5]


def test_nan_in_the_encoder_names_the_clip_and_leaves_no_shard(audio, encoder_dir):
    encoder = load_encoder(encoder_dir)
    with torch.no_grad():
        encoder.encoder.layer_norm.weight[0] = torch.nan
    encoder.save_pretrained(encoder_dir)
    with pytest.raises(UserError, match=r"000.npy: layer features of clip a.wav#0 are NaN or infinite in float16"):
        run(LAYER, audio, encoder_dir)
    assert list((audio.parents[1] / "features").iterdir()) == []


def test_constant_clips_stay_finite(tmp_path, encoder_dir):
    path = tmp_path / "audio/000.npy"
    write_json(encoder_dir / "preprocessor_config.json", {"do_normalize": True})
    with RaggedWriter(path, np.int16, (), "corpus", splits=["train", "train"]) as writer:
        writer.append("zero.wav#0", np.zeros(4000, np.int16))
        writer.append("full.wav#0", np.full(4000, 32767, np.int16))
    for entry, folder in ((MFCC39, None), (LAYER, encoder_dir)):
        assert np.isfinite(run(entry, path, folder).data).all()


def test_a_clip_below_one_frame_is_a_sentence(tmp_path):
    path = tmp_path / "audio/000.npy"
    with RaggedWriter(path, np.int16, (), "corpus", splits=["train"]) as writer:
        writer.append("a.wav#0", np.ones(399, np.int16))
    with pytest.raises(UserError, match=r"clip a.wav#0 has 399 samples, expected 400; raise min_clip_s"):
        run(MFCC39, path)


def test_an_empty_shard_stays_empty(tmp_path, encoder_dir):
    path = tmp_path / "audio/000.npy"
    with RaggedWriter(path, np.int16, (), "corpus", splits=[]):
        pass
    assert run(MFCC39, path).data.shape == (0, 39)
    assert run(LAYER, path, encoder_dir).data.shape == (0, 24)


def test_audio_of_another_corpus_is_refused(audio):
    with pytest.raises(ShardError, match="made by recipe corpus, expected other"):
        run(MFCC39, audio, corpus_digest="other")


@pytest.mark.parametrize("rate", [100, 50])
@pytest.mark.parametrize("entry", [MFCC39, CHROMA, CQT, BOTH, LAYER], ids=lambda entry: entry["kind"])
def test_a_click_shows_in_the_frames_that_see_it(tmp_path, encoder_dir, entry, rate):
    """Frame j sees samples [hop j, hop j + 400): a click in noise changes features around the frames it is in.

    Windows of chroma and CQT are longer and the noise in them is not symmetric; two hops are a tenth of a window.
    """
    if (entry["kind"] == "layer" and rate == 100) or (entry["kind"] == "combined" and rate == 50):
        pytest.skip("no such features")
    positions = [12_345, 28_800, 40_007, 55_555]
    noise = np.random.default_rng(0).normal(0, 2_000, 64_000)
    path = tmp_path / "audio/000.npy"
    with RaggedWriter(path, np.int16, (), "corpus", splits=["train"] * 5) as writer:
        writer.append("noise.wav#0", noise)
        for position in positions:
            writer.append(f"{position}.wav#0", noise + 20_000 * (np.arange(64_000) == position))
    shard = run(entry | {"frame_rate_hz": rate}, path, encoder_dir if entry["kind"] == "layer" else None)
    for clip, position in enumerate(positions, start=1):
        change = np.linalg.norm(shard[clip].astype(np.float64) - shard[0], axis=1)
        excess = np.maximum(change - np.quantile(change, 0.8), 0) ** 2
        found = np.average(np.arange(len(change)), weights=excess)
        allowed = 1.0 if entry["kind"] in ("mfcc", "layer") else 2.0
        assert found == pytest.approx((position - 200) / (16_000 // rate), abs=allowed), position
