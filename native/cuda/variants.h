// Kernels that can stand in for one another.
//
// A piece of work has a name, of a family and the sizes that matter ("gemm nt 5120 3072 768"), and variants that can do
// it on the device at hand. The first is what is taken where nothing else is known. Another is taken where a choice
// says so: a line "work = variant", or "family = variant" for all work of a family that has such a variant. Choices
// come from a table that was measured on this GPU, through the plug-in's interface, or from VIDEOMAE_CUDA_VARIANTS
// ("gemm=wgmma,attention_forward=wgmma"), which goes before the table.
//
// Variants of one piece of work take the same operands and no more scratch memory than was asked for. Their sums may be
// in another order, so their bits may differ; which variant it is depends on work and choices alone.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

namespace videomae::cuda {

/// A piece of work. Its name is put together only where somebody asks for it.
struct Work {
  const char* family;  // "gemm"
  const char* kind;    // what besides sizes tells work of a family apart: "nt", "64"; may be empty
  std::initializer_list<int64_t> sizes;

  std::string name() const;
};

/// The place in `variants` of the one that is chosen for this work; 0 where none is, or one that is not among them.
int chosen_variant(const Work& work, std::initializer_list<const char*> variants);

/// Takes the place of all choices of the table so far. @param lines  "work = variant", one a line; empty for none
/// @throws Error for a line that is none
void set_variants(const std::string& lines);

}  // namespace videomae::cuda
