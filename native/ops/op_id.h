// The ops by number, in the order of ops.def. Their structs are only named here: whoever looks into one includes its
// header, and whoever needs all of them ops/all.h.
#pragma once

namespace videomae {

#define OP(Type, stem) struct Type;
#include "ops/ops.def"
#undef OP

enum class OpId : int {
#define OP(Type, stem) Type,
#include "ops/ops.def"
#undef OP
  count
};

template <class Op>
struct IdOf;
#define OP(Type, stem)                        \
  template <>                                 \
  struct IdOf<Type> {                         \
    static constexpr OpId value = OpId::Type; \
  };
#include "ops/ops.def"
#undef OP

}  // namespace videomae
