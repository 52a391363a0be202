"""The loops that ``probe.py`` times ours against, as their documentation or MARBLE v1 has them."""

import contextlib
import logging
import sys
import tempfile
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import nn
from transformers import HubertModel, Wav2Vec2FeatureExtractor

RATE = 16000
CLASSES, BATCH, HIDDEN = 10, 64, 512


@torch.inference_mode()
def padded_loop(folder: Path, count: int, model: HubertModel) -> None:
    """Embed as the documentation of transformers shows it."""
    extractor = Wav2Vec2FeatureExtractor(do_normalize=False)
    pooled = []
    for first in range(0, count, 8):
        waves = [soundfile.read(folder / f"{i}.wav", dtype="float32")[0] for i in range(first, min(first + 8, count))]
        batch = extractor(waves, sampling_rate=RATE, padding=True, return_tensors="pt")
        states = model(batch.input_values, output_hidden_states=True).hidden_states
        pooled.append(torch.stack(states, dim=1).mean(dim=2).half().numpy())
    np.save(folder / "padded.npy", np.concatenate(pooled))


class Head(nn.Module):
    """Weighted sum of states and an MLP, as one writes it for one seed."""

    def __init__(self, num_states: int, width: int) -> None:
        super().__init__()
        self.mixing = nn.Parameter(torch.zeros(num_states))
        self.mlp = nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU(), nn.Dropout(0.2), nn.Linear(HIDDEN, CLASSES))

    def forward(self, states):
        return self.mlp((states * self.mixing.softmax(0)[:, None]).sum(dim=1))


class Stored(torch.utils.data.Dataset):
    """Items of one split, read one by one with ``read(i)``."""

    def __init__(self, read, classes, indices):
        self.read, self.classes, self.indices = read, classes, indices

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, k):
        i = self.indices[k]
        return torch.from_numpy(self.read(i)), int(self.classes[i])


def loaders(read, classes: np.ndarray, split: int, workers: int = 0):
    """Return the DataLoaders of training and validation."""
    parts = np.arange(split), np.arange(split, len(classes))
    load = partial(torch.utils.data.DataLoader, batch_size=BATCH, num_workers=workers)
    return [load(Stored(read, classes, part), shuffle=k == 0) for k, part in enumerate(parts)]


def plain(read, size, classes: np.ndarray, split: int, replicas: int, epochs: int) -> float:
    """Train one replica after the other in a bare loop; return the mean of their last validation accuracies."""
    last = []
    for seed in range(replicas):
        torch.manual_seed(seed)
        head = Head(*size)
        optimizer = torch.optim.Adam(head.parameters(), lr=1e-3)
        train, valid = loaders(read, classes, split)
        for _ in range(epochs):
            head.train()
            for states, target in train:
                loss = nn.functional.cross_entropy(head(states), target)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            head.eval()
            with torch.no_grad():
                hits = sum((head(states).argmax(1) == target).sum().item() for states, target in valid)
        last.append(hits / (len(classes) - split))
    return float(np.mean(last))


def lightning(read, size, classes: np.ndarray, split: int, replicas: int, epochs: int, workers: int = 0) -> float:
    """Train one replica after the other with Lightning's Trainer, as MARBLE v1's ``probe.py`` and ``probers.py`` do."""
    import lightning as pl
    from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, TQDMProgressBar
    from lightning.pytorch.loggers import CSVLogger
    from torchmetrics.classification import MulticlassAccuracy, MulticlassPrecision

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")

    class Module(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.head = Head(*size)
            for part in ("train", "valid"):
                setattr(self, f"{part}_accuracy", MulticlassAccuracy(CLASSES, average="micro"))
                setattr(self, f"{part}_precision", MulticlassPrecision(CLASSES, average="micro"))

        def one(self, part, batch):
            outputs = self.head(batch[0])
            loss = nn.functional.cross_entropy(outputs, batch[1])
            self.log(f"{part}_loss", loss, prog_bar=True)
            for name in ("accuracy", "precision"):
                getattr(self, f"{part}_{name}").update(outputs.detach().softmax(1), batch[1])
            return loss

        def finish(self, part):
            for name in (f"{part}_accuracy", f"{part}_precision"):
                self.log(name, getattr(self, name).compute())
                getattr(self, name).reset()

        def training_step(self, batch, _):
            return self.one("train", batch)

        def validation_step(self, batch, _):
            self.one("valid", batch)

        def on_train_epoch_end(self):
            self.finish("train")

        def on_validation_epoch_end(self):
            self.finish("valid")

        def configure_optimizers(self):
            adam = torch.optim.Adam(self.parameters(), lr=1e-3)
            plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(adam, mode="max", factor=0.5, patience=epochs)
            return {"optimizer": adam, "lr_scheduler": plateau, "monitor": "valid_accuracy"}

    last = []
    for seed in range(replicas):
        torch.manual_seed(seed)
        with tempfile.TemporaryDirectory() as folder:
            kept = ModelCheckpoint(monitor="valid_accuracy", mode="max", save_top_k=1)
            stop = EarlyStopping("valid_accuracy", mode="max", patience=epochs)
            callbacks = [kept, stop, TQDMProgressBar()]
            trainer = pl.Trainer(
                max_epochs=epochs, accelerator="cpu", logger=CSVLogger(folder), callbacks=callbacks,
                enable_model_summary=False, num_sanity_val_steps=0,
            )  # fmt: skip
            with contextlib.redirect_stdout(sys.stderr):  # the progress bar
                trainer.fit(Module(), *loaders(read, classes, split, workers))
        last.append(float(trainer.callback_metrics["valid_accuracy"]))
    return float(np.mean(last))
