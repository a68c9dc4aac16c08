#include "cuda/variants.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>

#include "core/error.h"

namespace videomae::cuda {
namespace {

using Choices = std::map<std::string, std::string>;

/// All that there are, the first of each family being the one that every device has.
struct Known {
  const char *family, *variant;
};
constexpr Known known[] = {
    {"attention_backward", "mma"},
    {"attention_backward", "head-pipelined"},
    {"attention_backward", "wgmma"},
    {"attention_forward", "mma"},
    {"attention_forward", "head"},
    {"attention_forward", "wgmma"},
    {"attention_forward", "wgmma3"},
    {"embed_visible", "direct"},
    {"embed_visible", "staged"},
    {"gemm", "cublaslt"},
    {"gemm", "mma"},
    {"gemm", "wgmma-128x256"},
    {"gemm", "wgmma-128x192"},
    {"gemm", "wgmma-128x128"},
    {"launch", "plain"},
    {"launch", "programmatic"},
    {"layer_norm_backward", "registers"},
    {"layer_norm_backward", "staged"},
    {"pixel_loss", "direct"},
    {"pixel_loss", "staged"},
};

constexpr const char* kVariable = "VIDEOMAE_CUDA_VARIANTS";

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// @param source  where the lines came from, for errors
Choices parse(const std::string& lines, char separator, const char* source) {
  Choices choices;
  for (size_t begin = 0; begin < lines.size();) {
    const size_t end = std::min(lines.find(separator, begin), lines.size());
    const std::string line = trimmed(lines.substr(begin, end - begin));
    begin = end + 1;
    if (line.empty()) continue;
    const size_t equals = line.find('=');
    const std::string work = trimmed(line.substr(0, equals));
    const std::string variant = equals == std::string::npos ? "" : trimmed(line.substr(equals + 1));
    const std::string family = work.substr(0, work.find(' '));
    std::string variants;
    bool found = false;
    for (const Known& one : known) {
      if (one.family != family) continue;
      variants += (variants.empty() ? "" : " or ") + std::string(one.variant);
      found = found || one.variant == variant;
    }
    if (variants.empty())
      throw Error(source, "the name of work, \"=\", and a variant", line, "for example: gemm = mma");
    if (!found) throw Error(source, variants + " for " + family, variant.empty() ? "nothing" : variant);
    choices[work] = variant;
  }
  return choices;
}

/// What was chosen, and by whom. Read by every launch, so an empty one costs a load.
class ChoiceTable {
 public:
  ChoiceTable() {
    if (const char* lines = std::getenv(kVariable)) asked_ = parse(lines, ',', kVariable);
    any_ = !asked_.empty();
  }

  void set(Choices measured) {
    const std::lock_guard<std::mutex> lock(mutex_);
    measured_ = std::move(measured);
    any_ = !asked_.empty() || !measured_.empty();
  }

  int find(const Work& work, std::initializer_list<const char*> variants) {
    if (!any_) return 0;
    const std::lock_guard<std::mutex> lock(mutex_);
    const std::string name = work.name();
    for (const Choices* choices : {&asked_, &measured_})
      for (const std::string& key : {name, std::string(work.family)})
        if (const auto found = choices->find(key); found != choices->end())
          for (size_t i = 0; i < variants.size(); ++i)
            if (found->second == variants.begin()[i]) return static_cast<int>(i);
    return 0;
  }

 private:
  std::atomic<bool> any_{false};
  std::mutex mutex_;
  Choices asked_, measured_;
};

ChoiceTable& table() {
  static ChoiceTable choices;
  return choices;
}

}  // namespace

std::string Work::name() const {
  std::string text = family;
  if (*kind) text += std::string(" ") + kind;
  for (const int64_t size : sizes) text += " " + std::to_string(size);
  return text;
}

int chosen_variant(const Work& work, std::initializer_list<const char*> variants) {
  return table().find(work, variants);
}

void set_variants(const std::string& lines) { table().set(parse(lines, '\n', "kernel choices")); }

}  // namespace videomae::cuda
