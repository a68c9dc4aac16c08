"""One training step of the pre-training model: loss, backward, clipping by global norm, AdamW. No host waits in it."""
import contextlib

import torch

import model as videomae
from timing import capture
from variants import COMPILE_MODES

CLIP_NORM = 0.02


class TrainStep:
    """
    The step of one model on fixed inputs; call it to run it once. `loss` is the last step's, on the device.

    inputs: video u8 (B, T, S, S, 3), visible i64 (B, V), decoded i64 (B, R), weight f32 (B, R), on the model's device.
    lr and betas: of AdamW; clip: greatest gradient norm, or None. The norm is measured in any case.
    """

    def __init__(self, model, inputs, variant, lr=1e-4, betas=(0.9, 0.95), clip=CLIP_NORM, weight_decay=0.05):
        self.inputs, self.variant, self.clip = inputs, variant, clip
        self.device = inputs[0].device
        self.cuda = self.device.type == "cuda"
        groups = videomae.parameter_groups(model, weight_decay)
        self.masters = Masters(model, groups) if variant.precision == "bf16 weights" else None
        self.parameters = [p for group in groups for p in group["params"]]
        # A rate in device memory can change under a captured graph.
        rate = torch.tensor(lr, device=self.device) if self.cuda else lr
        self.optimizer = torch.optim.AdamW(groups, lr=rate, betas=betas, eps=1e-8, fused=True, capturable=self.cuda)
        self.optimizer.found_inf = torch.zeros((), device=self.device)  # asked for beside grad_scale
        self.loss_of = compiled(model, variant.compile)
        self.loss = self.gradient_norm = None
        self.graph = None

    def __call__(self):
        if self.graph:
            self.graph.replay()
        else:
            self._clear()
            self._run()

    def capture(self):
        """Makes later calls replay one CUDA graph of the whole step; runs three plain steps first."""
        def plain():
            self._run()
            self._clear()  # with no gradients left, those made in the capture lie in the graph's pool, at fixed places
        self._clear()
        self.graph, _ = capture(self._run, plain, warmups=3)

    def _clear(self):
        self.optimizer.zero_grad(set_to_none=True)
        if self.masters:
            self.masters.clear()

    def _run(self):
        with self.precision():
            loss = self.loss_of(*self.inputs)
        loss.backward()
        if self.masters:
            self.masters.take_gradients()
        self._clip()
        self.optimizer.step()
        if self.masters:
            self.masters.give_weights()
        self.loss = loss.detach()

    @torch.no_grad()
    def _clip(self):
        """As clip_grad_norm_, but the fused AdamW divides by the factor, which saves a pass over all gradients."""
        self.gradient_norm = torch.nn.utils.get_total_norm([p.grad for p in self.parameters], foreach=True)
        if self.clip is not None:
            self.optimizer.grad_scale = ((self.gradient_norm + 1e-6) / self.clip).clamp(min=1.0)

    def precision(self):
        if self.variant.precision != "autocast":
            return contextlib.nullcontext()
        # Every weight is used once a step, so remembering casts gains nothing, and a capture forbids it.
        return torch.autocast(self.device.type, dtype=torch.bfloat16, cache_enabled=False)


class Masters:
    """f32 copies that AdamW updates in place of a model's parameters, which become bf16."""

    def __init__(self, model, groups):
        self.weights = [p for group in groups for p in group["params"]]
        self.copies = [p.detach().float().clone() for p in self.weights]
        copy_of = dict(zip(map(id, self.weights), self.copies))
        for group in groups:
            group["params"] = [copy_of[id(p)] for p in group["params"]]
        for p in self.weights:
            p.data = p.data.bfloat16()

    def clear(self):
        for p in self.weights:
            p.grad = None

    @torch.no_grad()
    def take_gradients(self):
        gradients = [torch.empty_like(copy) for copy in self.copies]
        torch._foreach_copy_(gradients, [p.grad for p in self.weights])
        for copy, gradient in zip(self.copies, gradients):
            copy.grad = gradient

    @torch.no_grad()
    def give_weights(self):
        torch._foreach_copy_(self.weights, self.copies)


def compiled(model, how):
    """The model's loss function, compiled as the variant says."""
    if how == "none":
        return model.loss
    if how != "blocks":
        return torch.compile(model.loss, mode=COMPILE_MODES[how], dynamic=False)
    for block in [*model.encoder.blocks, *model.decoder.blocks]:
        block.compile(dynamic=False)
    model.encoder.patch_embed.compile(dynamic=False)
    target = torch.compile(model.target, dynamic=False)
    error = torch.compile(videomae.masked_loss, dynamic=False)
    return lambda video, visible, decoded, weight: error(model(video, visible, decoded), target(video, decoded), weight)
