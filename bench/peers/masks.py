"""Dual masks: the same tokens in every slot for the encoder (tube), running cells for the decoder."""
import torch


def tube_mask(clips, grid, ratio, generator):
    """Boolean (B, N), True = hidden from the encoder."""
    slots, rows, columns = grid
    hidden = int(ratio * rows * columns)
    order = torch.rand(clips, rows * columns, generator=generator).argsort(1)
    frame = torch.zeros(clips, rows * columns, dtype=torch.bool).scatter_(1, order[:, :hidden], True)
    return frame[:, None].expand(-1, slots, -1).reshape(clips, -1)


def running_cell_mask(clips, grid, ratio, generator):
    """Boolean (B, N), True = not decoded: in cells of 2 x 2 tokens a pattern that moves on from slot to slot."""
    slots, rows, columns = grid
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    cell = ((y % 2) * 2 + x % 2).flatten()
    phase = torch.randint(4, (clips, 1), generator=generator) + 1 + torch.arange(slots)  # (B, slots)
    return ((cell + phase[..., None]) % 4 < int(4 * ratio)).reshape(clips, -1)


def token_indices(mask):
    """Positions of the False entries (B, count), ascending; every clip must have equally many."""
    kept = ~mask
    count = int(kept[0].sum())
    return torch.argsort(mask.to(torch.uint8), dim=1, stable=True)[:, :count]


def dual_mask(clips, config, decoder_ratio, generator, encoder_ratio=0.9):
    """(visible (B, V), decoded (B, R), weight (B, R) f32); ratio 0 decodes what the encoder does not see."""
    encoder = tube_mask(clips, config.grid, encoder_ratio, generator)
    decoder = running_cell_mask(clips, config.grid, decoder_ratio, generator) if decoder_ratio > 0 else ~encoder
    decoded = token_indices(decoder)
    return token_indices(encoder), decoded, encoder.gather(1, decoded).float()
