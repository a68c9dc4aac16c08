"""Writes small VideoMAE models with random weights as the transformers library saves them, with an input and the outputs
that the library computes, for test/weights/transformers.test.ts.

    python transformers-models.py FOLDER

Each model gets a folder: its own files, `input.safetensors` (pixel_values, mask) and `output.safetensors`. A second
folder `<name>-published` holds the same weights under the names of published checkpoints (q_bias, v_bias).
"""

import json
import os
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import (
    VideoMAEConfig,
    VideoMAEForPreTraining,
    VideoMAEForVideoClassification,
    VideoMAEModel,
)

SIZES = dict(
    image_size=32,
    patch_size=8,
    num_frames=4,
    hidden_size=48,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=96,
    decoder_num_attention_heads=2,
    decoder_hidden_size=32,
    decoder_num_hidden_layers=2,
    decoder_intermediate_size=64,
)

CASES = {
    "model": (VideoMAEModel, dict(use_mean_pooling=False)),
    "model-without-norm": (VideoMAEModel, dict(use_mean_pooling=True)),
    "pretraining": (VideoMAEForPreTraining, dict(use_mean_pooling=False)),
    "classification": (VideoMAEForVideoClassification, dict(use_mean_pooling=True, num_labels=7)),
    "classification-first-token": (VideoMAEForVideoClassification, dict(use_mean_pooling=False, num_labels=7)),
    "classification-no-bias": (VideoMAEForVideoClassification, dict(qkv_bias=False, num_labels=7)),
}


def published(name):
    """The name before release 5; None for what those releases did not store."""
    if name.endswith("key.bias"):
        return None
    return name.replace("attention.query.bias", "attention.q_bias").replace("attention.value.bias", "attention.v_bias")


def main(folder):
    torch.manual_seed(5)
    for case, (kind, options) in CASES.items():
        generator = torch.Generator().manual_seed(17)
        model = kind(VideoMAEConfig(**SIZES, **options)).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                spread = 0.2 if parameter.dim() == 1 else 1.5 / parameter[0].numel() ** 0.5
                parameter.add_(spread * torch.randn(parameter.shape, generator=generator))
        video = torch.randn(2, 4, 3, 32, 32, generator=generator)
        # The mask of a clip hides whole tubes; both clips hide as many tokens.
        hidden = torch.stack([torch.randperm(16, generator=generator) < 12 for _ in range(2)]).repeat(1, 2)
        with torch.no_grad():
            if kind is VideoMAEForPreTraining:
                result = model(video, bool_masked_pos=hidden)
                output = {"logits": result.logits, "loss": result.loss.reshape(1)}
            elif kind is VideoMAEModel:
                output = {"tokens": model(video).last_hidden_state}
            else:
                output = {"logits": model(video).logits}
        target = os.path.join(folder, case)
        model.save_pretrained(target)
        inputs = {"pixel_values": video.transpose(1, 2).contiguous(), "mask": hidden.to(torch.uint8)}
        save_file(inputs, os.path.join(target, "input.safetensors"))
        save_file({k: v.contiguous() for k, v in output.items()}, os.path.join(target, "output.safetensors"))
        copy = f"{target}-published"
        os.makedirs(copy, exist_ok=True)
        weights = load_file(os.path.join(target, "model.safetensors"))
        renamed = {published(name): value for name, value in weights.items() if published(name)}
        save_file(renamed, os.path.join(copy, "model.safetensors"))
        with open(os.path.join(target, "config.json")) as source, open(os.path.join(copy, "config.json"), "w") as sink:
            json.dump(json.load(source), sink)


main(sys.argv[-1])
