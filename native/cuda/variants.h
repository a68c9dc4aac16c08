// Kernels that can stand in for one another.
//
// A piece of work has a name, of a family and the sizes that matter ("gemm nt 5120 3072 768"), and variants that can do
// it on the device at hand. The first is what is taken where nothing else is known. Another is taken where a choice
// says so: a line "work = variant", or "family = variant" for all work of a family that has such a variant. Choices
// come from a table that was measured on this GPU, through the plug-in's interface, or from VIDEOMAE_CUDA_VARIANTS
// ("gemm=mma-large,attention_forward=wgmma"), which goes before the table. How a table is measured is in measuring.h.
//
// Variants of one piece of work take the same operands and no more scratch memory than was asked for. Their sums may be
// in another order, so their bits may differ; which variant it is depends on work and choices alone. Several places of
// the code may know variants of the same work, one inside the other: a choice is taken by the place that knows it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace videomae::cuda {

/// A piece of work. Its name is put together only where somebody asks for it.
struct Work {
  const char* family;  // "gemm"
  const char* kind;    // what besides sizes tells work of a family apart: "nt", "64"; may be empty
  std::initializer_list<int64_t> sizes;

  std::string name() const;
};

/// The place in `variants` of the one that is chosen for this work; 0 where none is, or one that is not among them.
int chosen_variant(const Work& work, const std::vector<const char*>& variants);

/// Takes the place of all choices of a device's table so far, and forgets what the device has met.
/// @param lines  "work = variant", one a line; empty for none
/// @throws Error for a line that is none
void set_variants(const std::string& lines, int device = 0);

/// The variant that a choice names for work of this name; empty where none does.
std::string choice_for(const std::string& work, int device);

/// Work that has variants, as it was met.
struct MetWork {
  std::string work;
  std::vector<std::string> variants;  // that could do it there, the default first
  std::string chosen;
};

/// All that a device has met since its choices were set, by name.
std::vector<MetWork> met_works(int device);

/// While it lives, what this thread launches is a device's: its table is the one that is looked at.
class LaunchesOn {
 public:
  explicit LaunchesOn(int device);
  ~LaunchesOn();
  LaunchesOn(const LaunchesOn&) = delete;
  LaunchesOn& operator=(const LaunchesOn&) = delete;

 private:
  const int before_;
};

/// While it lives, this thread's work is done by defaults, whatever the choices are, but for one piece of work that is
/// done by a given variant. What is met is noted here and not as the device's.
class Trial {
 public:
  explicit Trial(std::string work = "", std::string variant = "");
  ~Trial();
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  int choose(const std::string& work, const std::vector<const char*>& variants);
  const std::vector<MetWork>& met() const { return met_; }

 private:
  const std::string work_, variant_;
  std::vector<MetWork> met_;
};

}  // namespace videomae::cuda
