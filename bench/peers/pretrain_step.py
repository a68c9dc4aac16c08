"""Time and memory of one dual-masked pre-training step in tuned PyTorch: the opponent of ../step.ts.

    python3 pretrain_step.py --device cuda --models vit-base vit-giant --out rows.jsonl --budget 450
    python3 pretrain_step.py --device cpu --models vit-small --clips 2 --dtypes f32

The same work as ours: u8 clips on the device, normalise, embed the visible tokens, encoder, decoder, targets of the
decoded tokens from the pixels, loss, backward, clip by the global norm, AdamW. Every variant of variants.py is a row;
the kernel of attention is the one that was fastest at the model's shapes. Compiling is not in the times: it is
`firstStepSeconds`. Where memory runs out the batch is halved, and the row says what was asked for.
"""
import gc
import math
import re
import time
from dataclasses import replace
from pathlib import Path

import rows

rows.require_torch("step")
import torch  # noqa: E402

import model as videomae  # noqa: E402
from masks import dual_mask  # noqa: E402
from sdpa import Shape, fastest_attention  # noqa: E402
from step import TrainStep  # noqa: E402
from timing import time_calls  # noqa: E402
from variants import variants  # noqa: E402


def main():
    options = rows.parser(__doc__)
    options.add_argument("--models", nargs="+", choices=videomae.SIZES)
    options.add_argument("--clips", nargs="+", type=int)
    options.add_argument("--dtypes", nargs="+", choices=["bf16", "f32", "tf32"])
    options.add_argument("--decoder", type=float, default=0.5, help="decoder mask ratio; 0: encoder mask only")
    options.add_argument("--compile", nargs="+", help="of the variants, those with one of these kinds of compilation")
    options.add_argument("--recompute", action="store_true", help="make activations of blocks again: less memory")
    options.add_argument("--repeats", type=int, help="steps timed; default: about 3 seconds, at least 5")
    args = options.parse_args()
    session = rows.Session("step", args)
    kinds = args.compile or (["none"] if args.quick else None)  # compiling takes more than seconds
    defaults = (["vit-tiny"], [2], ["f32", "bf16"]) if args.quick else \
        (["vit-base", "vit-large", "vit-huge", "vit-giant", "vit-small"], [32], ["bf16"]) if session.cuda else \
        (["vit-small", "vit-base"], [2], ["f32", "bf16"])
    names, clip_counts, dtypes = (given or default for given, default in
                                  zip((args.models, args.clips, args.dtypes), defaults))
    for dtype in dtypes:
        torch.set_float32_matmul_precision("high" if dtype == "tf32" else "highest")
        for name in names:
            for clips in clip_counts:
                for variant in variants(session.cuda, dtype, videomae.SIZES[name].depth):
                    if session.time_left() and (kinds is None or variant.compile in kinds):
                        halve_until_it_fits(session, args, name, clips, dtype,
                                            replace(variant, recompute=args.recompute))


def halve_until_it_fits(session, args, name, asked, dtype, variant):
    clips = asked
    while True:
        identity = dict(dtype=dtype, model=name, clips=clips, decoderMaskRatio=args.decoder)
        if clips != asked:
            identity["clipsAsked"] = asked
        try:
            measure(session, args, identity, variant)
            return
        except Exception as error:  # a compiler can fail in any way; the next variant may work
            reason = f"{type(error).__name__}: {error}"
            session.error(reason, **identity, variant=variant.fields)
            again = clips > 1 and out_of_memory(error)
        finally:
            release(session.cuda)
        if not again:
            return
        clips //= 2


def out_of_memory(error):
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error).lower()


def release(cuda):
    """Gives back what a variant held. On a device that an error has broken this raises, which ends the script."""
    torch._dynamo.reset()
    gc.collect()
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()


def measure(session, args, identity, variant):
    config, clips = videomae.SIZES[identity["model"]], identity["clips"]
    torch.manual_seed(0)
    with torch.device(session.device):
        model = videomae.PretrainModel(config)
    inputs = [t.to(session.device) for t in batch(config, clips, args.decoder)]
    visible, decoded = inputs[1].shape[1], inputs[2].shape[1]
    kernels = choose_attention(model, clips, visible, visible + decoded, session.cuda, identity["dtype"])
    model.encoder.recompute = model.decoder.recompute = variant.recompute
    memory = Memory(session.cuda)
    step = TrainStep(model, inputs, variant)
    begun = time.perf_counter()
    step()
    if session.cuda:
        torch.cuda.synchronize()
    first = time.perf_counter() - begun
    if variant.graph:
        step.capture()
    repeats = dict(least=args.repeats, most=args.repeats) if args.repeats else dict(least=5, most=100)
    times = time_calls(step, session.cuda, seconds=0.1 if session.quick else 3.0, **repeats)
    loss = float(step.loss)
    if not math.isfinite(loss):
        raise RuntimeError(f"the loss after the timed steps is {loss}")
    operations = 6 * clips * videomae.forward_multiply_adds(config, visible, decoded)  # 2 a multiply-add, 3 passes
    rates = dict(clipsPerSecond=times.per_second(clips, 1), gflopPerSecond=times.per_second(operations, 1e9))
    session.row(times, **identity, **rates, firstStepSeconds=round(first, 2), loss=loss, **memory.fields(),
                parameters=sum(p.numel() for p in model.parameters()),
                variant={**variant.fields, **kernels})


def batch(config, clips, decoder_ratio):
    """Clips of noise and their masks: video u8 (B, T, S, S, 3), visible, decoded, weight."""
    generator = torch.Generator().manual_seed(0)
    shape = (clips, config.frames, config.image, config.image, 3)
    video = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    return video, *dual_mask(clips, config, decoder_ratio, generator)


def choose_attention(model, clips, encoder_tokens, decoder_tokens, cuda, dtype):
    """Gives encoder and decoder the kernels that are fastest at their shapes; returns their names."""
    number = torch.bfloat16 if dtype == "bf16" else torch.float32
    chosen = {}
    for side, tokens in (("encoder", encoder_tokens), ("decoder", decoder_tokens)):
        blocks = getattr(model, side).blocks
        width, heads = blocks[0].attn.proj.in_features, blocks[0].attn.heads
        shape = Shape(clips, heads, tokens, width // heads)
        chosen[f"{side}Attention"], attend = fastest_attention(shape, cuda, number)
        for block in blocks:
            block.attn.attend = attend
    return chosen


class Memory:
    """The most memory in use since this was made: the device's, or the process's resident memory on a CPU."""

    def __init__(self, cuda):
        self.cuda = cuda
        if cuda:
            torch.cuda.reset_peak_memory_stats()
        else:
            Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM

    def fields(self):
        if self.cuda:
            return dict(peakBytes=torch.cuda.max_memory_allocated(), reservedBytes=torch.cuda.max_memory_reserved())
        return dict(residentBytes=resident("VmHWM"), startBytes=START_BYTES)


def resident(field):
    """A figure of this process's resident memory: VmRSS is now, VmHWM the most there was."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(field + r":\s+(\d+)", status)[1])


START_BYTES = resident("VmRSS")  # after the imports


if __name__ == "__main__":
    main()
