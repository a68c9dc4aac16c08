// Finding, opening and calling cuBLASLt. Its matrices are column-major: a row-major C is its C^T = op(B)^T op(A)^T, so
// the operands change places and nothing else.
#include "cuda/cublaslt.h"

#include <dlfcn.h>
#include <glob.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <tuple>
#include <vector>

#include "cuda/cublaslt_api.h"
#include "cuda/device/cublaslt_check.cuh"
#include "cuda/runtime.h"

namespace videomae::cuda {
namespace {

using namespace cublaslt;

constexpr size_t kWorkspace = 32 << 20;  // what NVIDIA recommends for Hopper
constexpr const char* kFile = "libcublasLt.so.13";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// Where it may be, in the order of looking.
std::vector<std::string> places(const std::string& choice) {
  std::vector<std::string> list;
  if (!choice.empty() && choice != "on") return {choice, choice + "/" + kFile};
  for (const char* home : {"CUDA_HOME", "CUDA_PATH"})
    if (const std::string folder = variable(home); !folder.empty())
      for (const char* inside : {"/lib64/", "/targets/x86_64-linux/lib/"}) list.push_back(folder + inside + kFile);
  for (const char* home : {"VIRTUAL_ENV", "CONDA_PREFIX"})
    if (const std::string folder = variable(home); !folder.empty()) {
      glob_t found{};
      const std::string pattern = folder + "/lib/python*/site-packages/nvidia/cu13/lib/" + kFile;
      if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; ++i) list.push_back(found.gl_pathv[i]);
      globfree(&found);
    }
  list.push_back(kFile);  // the loader's own search
  return list;
}

/// What a heuristic's answer depends on.
using Key = std::tuple<DType, DType, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, bool, bool, int64_t, int64_t,
                       int64_t, int64_t, uint32_t, uint32_t, uint32_t, bool>;

struct Choice {
  bool there = false;
  Algorithm algorithm{};
};

/// A device's handle and what was chosen on it. A device has one compute stream, which stands for it here.
struct PerDevice {
  void* handle = nullptr;
  std::map<Key, Choice> choices;
};

class Library {
 public:
  Library() {
    const std::string choice = variable("VIDEOMAE_CUBLASLT");
    if (!runtime::needs_driver) {
      found_.reason = "the emulator does without";
    } else if (choice == "off") {
      found_.reason = "VIDEOMAE_CUBLASLT=off";
    } else {
      open(choice);
      demanded_ = !choice.empty();
    }
  }

  bool usable() const {
    if (!opened_ && demanded_)
      throw Error("cuBLASLt", "the library that VIDEOMAE_CUBLASLT asks for", found_.reason,
                  "unset the variable to do without it");
    return opened_;
  }

  bool run(const Context& context, const Gemm& g, void* workspace);
  const CublasLtLibrary& found() const { return found_; }
  std::string choices();

 private:
  void open(const std::string& choice) {
    found_.reason = "no cuBLASLt:";
    for (const std::string& place : places(choice)) {
      void* const library = dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (library == nullptr) {
        found_.reason += std::string(" ") + dlerror() + ";";
        continue;
      }
      if (!bind(library)) continue;
      const size_t version = f_.cublasLtGetVersion();
      const std::string digits = std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
                                 std::to_string(version % 100);
      found_ = {"cuBLASLt " + digits, place, ""};
      opened_ = true;
      return;
    }
  }

  bool bind(void* library) {
    bool all = true;
    const auto find = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(library, name));
      if (function == nullptr) all = false, found_.reason += std::string(" no ") + name + " in it;";
    };
#define FIND(name) find(f_.name, #name)
    FIND(cublasLtGetVersion), FIND(cublasLtCreate), FIND(cublasLtMatrixLayoutCreate);
    FIND(cublasLtMatrixLayoutSetAttribute), FIND(cublasLtMatrixLayoutDestroy), FIND(cublasLtMatmulDescCreate);
    FIND(cublasLtMatmulDescSetAttribute), FIND(cublasLtMatmulDescDestroy), FIND(cublasLtMatmulPreferenceCreate);
    FIND(cublasLtMatmulPreferenceSetAttribute), FIND(cublasLtMatmulPreferenceDestroy);
    FIND(cublasLtMatmulAlgoGetHeuristic), FIND(cublasLtMatmulAlgoConfigGetAttribute), FIND(cublasLtMatmul);
#undef FIND
    return all;
  }

  Choice choose(void* handle, const Gemm& g, const struct Descriptions& d, const uint32_t (&alignment)[3]);
  void note(const Gemm& g, const Choice& choice);

  Functions f_{};
  bool opened_ = false, demanded_ = false;
  CublasLtLibrary found_;
  std::string chosen_;
  std::mutex mutex_;  // of all that follows the opening
  std::map<void*, PerDevice> devices_;
};

Library& library() {
  static Library* const one = new Library;  // never closed: work may be under way at the process's end
  return *one;
}

[[noreturn]] void refuse(const char* function, int status) {
  throw Error("cuBLASLt", std::string(function) + " to succeed", "status " + std::to_string(status),
              "VIDEOMAE_CUBLASLT=off does without the library");
}

void require(const char* function, int status) {
  if (status != success) refuse(function, status);
}

/// A product as the library describes it; freed with the object. `a` is our B, `b` our A, `c` our C.
struct Descriptions {
  const Functions& f;
  void *product = nullptr, *a = nullptr, *b = nullptr, *c = nullptr;

  Descriptions(const Functions& functions, const Gemm& g) : f(functions) {
    const int type = g.dtype == DType::f32 ? real_f32 : real_bf16,
              c_type = g.c_dtype == DType::f32 ? real_f32 : real_bf16;
    require("cublasLtMatmulDescCreate",
            f.cublasLtMatmulDescCreate(&product, g.dtype == DType::f32 ? compute_f32_pedantic : compute_f32, real_f32));
    describe(desc_transpose_a, g.b_transposed), describe(desc_transpose_b, g.a_transposed);
    a = layout(type, g.b_transposed ? g.k : g.n, g.b_transposed ? g.n : g.k, g.ldb, g.batch, g.b_step);
    b = layout(type, g.a_transposed ? g.m : g.k, g.a_transposed ? g.k : g.m, g.lda, g.batch, g.a_step);
    c = layout(c_type, g.n, g.m, g.ldc, g.batch, g.c_step);
  }
  ~Descriptions() {
    if (product) f.cublasLtMatmulDescDestroy(product);
    for (void* one : {a, b, c})
      if (one) f.cublasLtMatrixLayoutDestroy(one);
  }
  Descriptions(const Descriptions&) = delete;
  Descriptions& operator=(const Descriptions&) = delete;

 private:
  void describe(int attribute, bool transposed) {
    const int32_t value = transposed ? transpose : no_transpose;
    require("cublasLtMatmulDescSetAttribute",
            f.cublasLtMatmulDescSetAttribute(product, attribute, &value, sizeof value));
  }

  void* layout(int type, int64_t rows, int64_t columns, int64_t ld, int64_t batch, int64_t step) {
    void* made = nullptr;
    require("cublasLtMatrixLayoutCreate", f.cublasLtMatrixLayoutCreate(&made, type, rows, columns, ld));
    const int32_t count = static_cast<int32_t>(batch);
    const int status = f.cublasLtMatrixLayoutSetAttribute(made, layout_batch_count, &count, sizeof count);
    const int then = f.cublasLtMatrixLayoutSetAttribute(made, layout_batch_step, &step, sizeof step);
    if (status != success || then != success) {
      f.cublasLtMatrixLayoutDestroy(made);
      refuse("cublasLtMatrixLayoutSetAttribute", status != success ? status : then);
    }
    return made;
  }
};

/// The largest power of two up to 256 that divides an address.
uint32_t alignment_of(const void* address) {
  const uintptr_t bits = reinterpret_cast<uintptr_t>(address) | 256;
  return static_cast<uint32_t>(bits & -bits);
}

Choice Library::choose(void* handle, const Gemm& g, const Descriptions& d, const uint32_t (&alignment)[3]) {
  void* preference = nullptr;
  require("cublasLtMatmulPreferenceCreate", f_.cublasLtMatmulPreferenceCreate(&preference));
  const uint64_t workspace = kWorkspace;
  const uint32_t reductions = reduction_none | reduction_compute_type;
  int status = success;
  const auto prefer = [&](int attribute, const auto& value) {
    if (status == success)
      status = f_.cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value);
  };
  prefer(preference_workspace, workspace), prefer(preference_reductions, reductions);
  prefer(preference_alignment_a, alignment[1]), prefer(preference_alignment_b, alignment[0]);
  prefer(preference_alignment_c, alignment[2]), prefer(preference_alignment_d, alignment[2]);
  Heuristic found{};
  int count = 0;
  if (status == success)
    status = f_.cublasLtMatmulAlgoGetHeuristic(handle, d.product, d.a, d.b, d.c, d.c, preference, 1, &found, &count);
  f_.cublasLtMatmulPreferenceDestroy(preference);
  // No algorithm is an answer too: for odd strides, say, the library has none.
  const bool there = status == success && count == 1 && found.status == success && found.workspace_bytes <= kWorkspace;
  const Choice choice{there, found.algorithm};
  note(g, choice);
  return choice;
}

void Library::note(const Gemm& g, const Choice& choice) {
  const auto letter = [](bool transposed) { return transposed ? 't' : 'n'; };
  std::string line = std::string(name_of(g.dtype)) + " to " + name_of(g.c_dtype) + " " + std::to_string(g.m) + " x " +
                     std::to_string(g.n) + " x " + std::to_string(g.k) + " " + letter(g.a_transposed) +
                     letter(g.b_transposed);
  if (g.batch > 1) line += ", batch of " + std::to_string(g.batch);
  line += ":";
  if (!choice.there) line += " none, so ours";
  const std::pair<const char*, int> parts[] = {{"algorithm", config_id},
                                               {"tile", config_tile},
                                               {"stages", config_stages},
                                               {"parts of k", config_split_k},
                                               {"their sum", config_reduction}};
  for (const auto& [name, attribute] : parts) {
    int32_t value = 0;
    size_t written = 0;
    if (choice.there && f_.cublasLtMatmulAlgoConfigGetAttribute(&choice.algorithm, attribute, &value, sizeof value,
                                                                &written) == success)
      line += std::string(" ") + name + " " + std::to_string(value);
  }
  chosen_ += line + "\n";
}

bool Library::run(const Context& context, const Gemm& g, void* workspace) {
  const uint32_t alignment[3] = {alignment_of(g.a), alignment_of(g.b), alignment_of(g.c)};
  const Key key{g.dtype,        g.c_dtype,      g.m,     g.n,      g.k,      g.lda,    g.ldb,        g.ldc,
                g.a_transposed, g.b_transposed, g.batch, g.a_step, g.b_step, g.c_step, alignment[0], alignment[1],
                alignment[2],   g.accumulate};
  const Descriptions d(f_, g);
  void* handle = nullptr;
  Choice choice;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    PerDevice& device = devices_[context.stream];
    if (device.handle == nullptr) require("cublasLtCreate", f_.cublasLtCreate(&device.handle));
    handle = device.handle;
    const auto known = device.choices.find(key);
    choice = known != device.choices.end() ? known->second
                                           : device.choices.emplace(key, choose(handle, g, d, alignment)).first->second;
  }
  if (!choice.there) return false;
  const float alpha = 1, beta = g.accumulate ? 1 : 0;
  require("cublasLtMatmul", f_.cublasLtMatmul(handle, d.product, &alpha, g.b, d.a, g.a, d.b, &beta, g.c, d.c, g.c, d.c,
                                              &choice.algorithm, workspace, kWorkspace, context.stream));
  return true;
}

std::string Library::choices() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return chosen_;
}

}  // namespace

size_t cublaslt_workspace() { return library().usable() ? kWorkspace : 0; }

bool cublaslt_product(const Context& context, const Gemm& g, void* workspace) {
  // An empty sum, and sizes of nothing, are not for it.
  if (g.k == 0 || !library().usable()) return false;
  return library().run(context, g, workspace);
}

const CublasLtLibrary& cublaslt_library() {
  library().usable();
  return library().found();
}

std::string cublaslt_choices() { return library().choices(); }

}  // namespace videomae::cuda
