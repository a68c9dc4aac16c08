#include "cuda/variants.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <mutex>

#include "core/error.h"

namespace videomae::cuda {
namespace {

using Choices = std::map<std::string, std::string>;

/// All that there are.
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
    {"gemm", "mma-huge"},
    {"gemm", "mma-large"},
    {"gemm", "mma-small"},
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

/// The place of a variant; 0 where it is none of these.
int place_of(const std::string& variant, const std::vector<const char*>& variants) {
  for (size_t i = 1; i < variants.size(); ++i)
    if (variant == variants[i]) return static_cast<int>(i);
  return 0;
}

/// Notes work that was met once more, maybe by another place that knows other variants of it.
void meet(MetWork& met, const std::vector<const char*>& variants, int chosen) {
  for (const char* variant : variants)
    if (std::find(met.variants.begin(), met.variants.end(), variant) == met.variants.end())
      met.variants.push_back(variant);
  if (chosen > 0 || met.chosen.empty()) met.chosen = variants[static_cast<size_t>(chosen)];
}

/// What is chosen, by whom, and what was met, by device.
class ChoiceTable {
 public:
  ChoiceTable() {
    if (const char* lines = std::getenv(kVariable)) asked_ = parse(lines, ',', kVariable);
  }

  void set(int device, Choices measured) {
    const std::lock_guard<std::mutex> lock(mutex_);
    devices_[device] = {std::move(measured), {}};
  }

  /// Called by every launch of work that has variants: after the first time, a look into one map.
  int choose(int device, const std::string& work, const std::vector<const char*>& variants) {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto& seen = devices_[device].seen;
    auto found = seen.find(work);
    if (found == seen.end()) found = seen.insert({work, {named(device, work), {work, {}, ""}}}).first;
    const int chosen = place_of(found->second.named, variants);
    meet(found->second.met, variants, chosen);
    return chosen;
  }

  std::string choice(int device, const std::string& work) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return named(device, work);
  }

  std::vector<MetWork> met(int device) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<MetWork> all;
    for (const auto& [work, seen] : devices_[device].seen)
      if (seen.met.variants.size() > 1) all.push_back(seen.met);
    return all;
  }

 private:
  struct Seen {
    std::string named;  // by a choice
    MetWork met;
  };
  struct OfDevice {
    Choices measured;
    std::map<std::string, Seen> seen;
  };

  /// What a choice names, of the work before its family and of the environment before the table.
  std::string named(int device, const std::string& work) {
    const std::string family = work.substr(0, work.find(' '));
    for (const Choices* choices : {&asked_, &devices_[device].measured})
      for (const std::string& key : {work, family})
        if (const auto found = choices->find(key); found != choices->end()) return found->second;
    return "";
  }

  std::mutex mutex_;
  Choices asked_;
  std::map<int, OfDevice> devices_;
};

ChoiceTable& table() {
  static auto* choices = new ChoiceTable();  // never destroyed: a device may be at work while the process ends
  return *choices;
}

thread_local int launching_on = 0;
thread_local Trial* trial = nullptr;

}  // namespace

std::string Work::name() const {
  std::string text;
  text.reserve(64);
  text += family;
  if (*kind) (text += ' ') += kind;
  for (const int64_t size : sizes) {
    char digits[24];
    (text += ' ').append(digits, std::to_chars(digits, digits + sizeof digits, size).ptr);
  }
  return text;
}

int chosen_variant(const Work& work, const std::vector<const char*>& variants) {
  if (variants.size() < 2) return 0;
  return trial ? trial->choose(work.name(), variants) : table().choose(launching_on, work.name(), variants);
}

void set_variants(const std::string& lines, int device) { table().set(device, parse(lines, '\n', "kernel choices")); }

std::string choice_for(const std::string& work, int device) { return table().choice(device, work); }

std::vector<MetWork> met_works(int device) { return table().met(device); }

LaunchesOn::LaunchesOn(int device) : before_(launching_on) { launching_on = device; }
LaunchesOn::~LaunchesOn() { launching_on = before_; }

Trial::Trial(std::string work, std::string variant) : work_(std::move(work)), variant_(std::move(variant)) {
  trial = this;
}
Trial::~Trial() { trial = nullptr; }

int Trial::choose(const std::string& work, const std::vector<const char*>& variants) {
  const int chosen = work == work_ ? place_of(variant_, variants) : 0;
  auto found = std::find_if(met_.begin(), met_.end(), [&](const MetWork& met) { return met.work == work; });
  if (found == met_.end()) found = met_.insert(met_.end(), {work, {}, ""});
  meet(*found, variants, chosen);
  return chosen;
}

}  // namespace videomae::cuda
