"""VideoMAE V2's pre-training model in idiomatic PyTorch, with the parameter names of the published checkpoints.

What is tuned, without changing the arithmetic: attention is fused and reads q, k and v strided from the packed
projection; clips come as bytes, and only the visible tokens are normalised and embedded; targets are made for the
decoded tokens only. Shapes: B clips, N tokens, V visible, R decoded, D width, P values of a token's cube of pixels.
"""
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Config:
    width: int = 768
    depth: int = 12
    heads: int = 12
    decoder_width: int = 384
    decoder_depth: int = 4
    decoder_heads: int = 6
    image: int = 224
    patch: int = 16
    frames: int = 16
    tubelet: int = 2
    mlp_ratio: float = 4.0

    @property
    def grid(self):
        return self.frames // self.tubelet, self.image // self.patch, self.image // self.patch

    @property
    def tokens(self):
        return math.prod(self.grid)

    @property
    def values(self):
        """P: values of one token's cube of pixels."""
        return 3 * self.tubelet * self.patch**2


SIZES = {
    "vit-tiny": Config(width=48, depth=2, heads=3, decoder_width=24, decoder_depth=2, decoder_heads=3, image=32,
                       frames=8, patch=8),
    "vit-small": Config(width=384, heads=6, decoder_width=192, decoder_heads=3),
    "vit-base": Config(),
    "vit-large": Config(width=1024, depth=24, heads=16, decoder_width=512, decoder_heads=8),
    "vit-huge": Config(width=1280, depth=32, heads=16, decoder_width=512, decoder_heads=8),
    "vit-giant": Config(width=1408, depth=40, heads=16, decoder_width=512, decoder_heads=8, patch=14,
                        mlp_ratio=48 / 11),
}


def sinusoid_table(positions, width):
    """(N, D): sines at even columns, cosines at odd ones, computed in float64."""
    column = torch.arange(width)
    frequency = torch.pow(torch.tensor(10000.0, dtype=torch.float64), -2 * (column // 2) / width)
    angle = torch.arange(positions, dtype=torch.float64)[:, None] * frequency
    return torch.where(column % 2 == 0, angle.sin(), angle.cos()).float()


class Attention(nn.Module):
    """Multi-head attention; `attend` is the kernel, (B, H, N, d) x 3 -> (B, H, N, d)."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.attend = F.scaled_dot_product_attention
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)
        self.register_buffer("k_bias", torch.zeros(width), persistent=False)

    def forward(self, x):  # (B, N, D)
        clips, tokens, width = x.shape
        bias = torch.cat((self.q_bias, self.k_bias.to(self.q_bias.dtype), self.v_bias))
        qkv = F.linear(x, self.qkv.weight, bias).view(clips, tokens, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        return self.proj(self.attend(q, k, v).transpose(1, 2).reshape(clips, tokens, width))


class Mlp(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, width, heads, mlp_ratio):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, int(width * mlp_ratio))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class TokenCubes:
    """Cuts tokens out of u8 clips (B, T, S, S, 3). Bytes are put in token order, then only those asked for are read."""

    def __init__(self, config):
        self.config = config

    def __call__(self, video, tokens):
        """u8 (B, n, tubelet * patch^2, 3) of the tokens (B, n): a token's pixels in the order t, y, x."""
        c, (slots, rows, columns), clips = self.config, self.config.grid, video.shape[0]
        cells = video.view(clips, slots, c.tubelet, rows, c.patch, columns, c.patch, 3).permute(0, 1, 3, 5, 2, 4, 6, 7)
        cubes = cells.reshape(clips * c.tokens, c.values)
        first = torch.arange(0, clips * c.tokens, c.tokens, device=video.device)[:, None]  # (B, 1)
        return cubes.index_select(0, (tokens + first).flatten()).view(*tokens.shape, -1, 3)


class PatchEmbed(nn.Module):
    """The patch embedding of the visible tokens; the weight keeps the shape of the published convolution."""

    def __init__(self, config):
        super().__init__()
        size = (config.tubelet, config.patch, config.patch)
        self.proj = nn.Conv3d(3, config.width, kernel_size=size, stride=size)
        self.cubes = TokenCubes(config)
        self.register_buffer("mean", torch.tensor(MEAN), persistent=False)
        self.register_buffer("std", torch.tensor(STD), persistent=False)

    def forward(self, video, visible):  # u8 (B, T, S, S, 3), i64 (B, V) -> (B, V, D)
        pixels = (self.cubes(video, visible).float() / 255 - self.mean) / self.std
        columns = pixels.transpose(2, 3).flatten(2)  # (B, V, P) in the weight's order: c, t, y, x
        weight = self.proj.weight.flatten(1)  # (D, P)
        return F.linear(columns.to(weight.dtype), weight, self.proj.bias)


def run_blocks(part, x):
    """Through all blocks; with `part.recompute` their activations are not kept but made again in the backward pass."""
    for block in part.blocks:
        x = checkpoint(block, x, use_reentrant=False) if part.recompute and torch.is_grad_enabled() else block(x)
    return x


class Encoder(nn.Module):
    recompute = False

    def __init__(self, c):
        super().__init__()
        self.patch_embed = PatchEmbed(c)
        self.blocks = nn.ModuleList(Block(c.width, c.heads, c.mlp_ratio) for _ in range(c.depth))
        self.norm = nn.LayerNorm(c.width, eps=1e-6)
        self.register_buffer("position", sinusoid_table(c.tokens, c.width), persistent=False)

    def forward(self, video, visible):
        return self.norm(self.features(video, visible))

    def features(self, video, visible):
        """(B, V, D) before the norm."""
        x = self.patch_embed(video, visible)
        x = x + self.position[visible].to(x.dtype)
        return run_blocks(self, x)


class Decoder(nn.Module):
    recompute = False

    def __init__(self, c):
        super().__init__()
        width = c.decoder_width
        self.blocks = nn.ModuleList(Block(width, c.decoder_heads, c.mlp_ratio) for _ in range(c.decoder_depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, c.values)

    def forward(self, x, decoded_count):  # (B, V + R, D) -> (B, R, P)
        x = run_blocks(self, x)
        return self.head(self.norm(x[:, -decoded_count:]))


class PretrainModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.encoder_to_decoder = nn.Linear(config.width, config.decoder_width, bias=False)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, config.decoder_width))
        self.register_buffer("position", sinusoid_table(config.tokens, config.decoder_width), persistent=False)
        self.apply(_initialize)
        nn.init.trunc_normal_(self.mask_token, std=0.02, a=-0.02, b=0.02)

    def forward(self, video, visible, decoded):
        """Predicted pixels (B, R, P), channel fastest, of u8 clips (B, T, S, S, 3), visible (B, V), decoded (B, R)."""
        z = self.encoder_to_decoder(self.encoder(video, visible))  # (B, V, d)
        shown = z + self.position[visible].to(z.dtype)
        hidden = (self.mask_token + self.position[decoded]).to(z.dtype)
        return self.decoder(torch.cat((shown, hidden), 1), decoded.shape[1])

    @torch.no_grad()
    def target(self, video, decoded):
        """(B, R, P): pixels of the decoded tokens in [0, 1], normalised per token and channel, channel fastest."""
        pixels = self.encoder.patch_embed.cubes(video, decoded).float() / 255  # (B, R, P / 3, 3)
        centred = pixels - pixels.mean(2, keepdim=True)
        # By hand: torch.var over an inner axis is several times slower on a CPU.
        variance = centred.square().sum(2, keepdim=True) / (pixels.shape[2] - 1)
        return (centred / (variance.sqrt() + 1e-6)).flatten(2)

    def loss(self, video, visible, decoded, weight):
        """Mean squared error over the decoded tokens that the encoder did not see: weight (B, R) is 1 there, else 0."""
        return masked_loss(self(video, visible, decoded), self.target(video, decoded), weight)


def masked_loss(output, target, weight):
    error = (output.float() - target).square().mean(-1)  # (B, R)
    return (error * weight).sum() / weight.sum()


def _initialize(module):
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def parameter_groups(model, weight_decay=0.05):
    """Vectors, biases and the mask token are not decayed."""
    named = list(model.named_parameters())
    plain = [p for name, p in named if p.ndim <= 1 or name.endswith(".bias") or name == "mask_token"]
    skipped = {id(p) for p in plain}
    decayed = [p for _, p in named if id(p) not in skipped]
    return [dict(params=decayed, weight_decay=weight_decay), dict(params=plain, weight_decay=0.0)]


def forward_multiply_adds(c, visible, decoded):
    """Multiply-adds of one clip's forward pass that embeds visible tokens only (../../lib/models/multiply-adds.ts)."""
    def blocks(tokens, width, depth):
        return depth * (tokens * (4 * width**2 + 2 * width * int(width * c.mlp_ratio)) + 2 * tokens**2 * width)
    encoder = visible * c.values * c.width + blocks(visible, c.width, c.depth)
    bridge = visible * c.width * c.decoder_width
    decoder = blocks(visible + decoded, c.decoder_width, c.decoder_depth)
    return encoder + bridge + decoder + decoded * c.decoder_width * c.values
