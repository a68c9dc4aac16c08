// Every op of ops.def, numbered.
#pragma once

#include "ops/accumulate.h"
#include "ops/adamw.h"
#include "ops/affine.h"
#include "ops/assemble_decoder.h"
#include "ops/attention.h"
#include "ops/binary.h"
#include "ops/cast.h"
#include "ops/cat.h"
#include "ops/color_transform.h"
#include "ops/crop_resize.h"
#include "ops/cross_entropy.h"
#include "ops/dropout.h"
#include "ops/ema.h"
#include "ops/embed_visible.h"
#include "ops/exchange.h"
#include "ops/fill.h"
#include "ops/frame_to_rgb.h"
#include "ops/gather_tokens.h"
#include "ops/grad_norm.h"
#include "ops/layer_norm.h"
#include "ops/linear.h"
#include "ops/masked_pixel_loss.h"
#include "ops/matmul.h"
#include "ops/mix_clips.h"
#include "ops/op_id.h"
#include "ops/pack_weight.h"
#include "ops/permute.h"
#include "ops/random.h"
#include "ops/resize.h"
#include "ops/slice.h"
#include "ops/softmax.h"
#include "ops/sum.h"
#include "ops/unary.h"

namespace videomae {

/// What the ops look like in memory: a hash of their names and sizes. A plug-in with another one is of another build.
constexpr uint64_t ops_layout() {
  uint64_t hash = 14695981039346656037u;  // FNV-1a
  const auto add = [&hash](uint64_t value) { hash = (hash ^ value) * 1099511628211u; };
#define OP(Type, stem)                                                      \
  for (const char* c = #Type; *c != 0; ++c) add(static_cast<uint64_t>(*c)); \
  add(sizeof(Type));
#include "ops/ops.def"
#undef OP
  return hash;
}

}  // namespace videomae
