// Attention on the emulator's device against the CPU's f64 kernels on the same values, by the law of conformance_law.h,
// and checksums of results. Choices of kernels and the emulator's order are read once, when a process begins: what
// compares them runs its own program again.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstring>

#include "core/accelerator.h"
#include "ops/execute.h"
#include "test/check.h"
#include "test/conformance_law.h"

namespace videomae::test {

constexpr Device emu{DeviceKind::emu, 0};

struct Size {
  int64_t batch, tokens, heads, width;
  std::string text() const {
    std::string all;
    for (int64_t n : {batch, tokens, heads, width}) all += (all.empty() ? "" : " x ") + std::to_string(n);
    return all;
  }
};

struct Kind {
  DType dtype;
  bool cosine = false, shifted = false;  // shifted: operands begin one element further on
  bool forward_only = false;
  std::string text() const {
    return std::string(name_of(dtype)) + (cosine ? ", cosine" : "") + (shifted ? ", unaligned" : "") +
           (forward_only ? ", forward" : "");
  }
};

inline Tensor on_device(const Tensor& t, bool shifted) {
  Tensor all = Tensor::empty({t.elements() + 1}, t.dtype(), emu);
  const Tensor moved = all.view(shifted ? 1 : 0, t.shape());
  Accelerator::of(emu).upload(moved.data(), t.data(), t.bytes());
  return moved;
}

/// t in another dtype.
inline Tensor converted(const Tensor& t, DType dtype) {
  const Tensor result = Tensor::empty(t.shape(), dtype);
  with_element(t.dtype(), [&](auto from) {
    with_element(dtype, [&](auto to) {
      for (int64_t i = 0; i < t.elements(); ++i)
        result.data<decltype(to)>()[i] = convert<decltype(to)>(t.data<decltype(from)>()[i]);
    });
  });
  return result;
}

inline Result result_of(const char* field, const Tensor& t) {
  std::vector<char> bytes(t.bytes());
  if (t.device().is_cpu())
    std::memcpy(bytes.data(), t.data(), t.bytes());
  else
    Accelerator::of(t.device()).download(bytes.data(), t.data(), t.bytes());
  return {field, t.shape(), t.dtype(), bytes};
}

/// What the passes gave, on the device and in f64.
struct Outcome {
  std::vector<Result> got, wide;
};

/// The operands of a case, exact in its dtype. `plant` goes into the middle of qkv.
struct Operands {
  Tensor qkv, grad_y, logit_scale;  // (B, N, 3, H, K), (B, N, H, K), (H)

  Operands(const Size& s, const Kind& kind, double plant) {
    Draw draw(DType::f64, static_cast<uint32_t>(s.tokens * 131 + s.width), kind.dtype);
    qkv = draw.real({s.batch, s.tokens, 3 * s.heads * s.width}, -2, 2).tensor;
    grad_y = draw.real({s.batch, s.tokens, s.heads * s.width}).tensor;
    if (kind.cosine) logit_scale = draw.real({s.heads}, 2, 10).tensor;
    if (plant != 0) qkv.data<double>()[qkv.elements() / 2] = plant;
  }
};

inline Attention forward_op(const Operands& operands, int64_t heads, const Kind& kind, bool device) {
  const auto place = [&](const Tensor& t, DType dtype) {
    return device ? on_device(converted(t, dtype), kind.shifted) : t;
  };
  Attention op;
  op.qkv.tensor = place(operands.qkv, kind.dtype), op.heads = heads;
  if (kind.cosine) op.logit_scale.tensor = place(operands.logit_scale, wide_of(kind.dtype));
  execute(op);
  return op;
}

/// Backward of y and lse as the dtype rounds those of the f64 forward pass.
inline AttentionBackward backward_op(const Operands& operands, const Attention& forward, int64_t heads,
                                     const Kind& kind, bool device) {
  const auto place = [&](const Tensor& t, DType dtype) {
    const Tensor rounded = converted(t, dtype);
    return device ? on_device(rounded, kind.shifted) : converted(rounded, DType::f64);
  };
  AttentionBackward op;
  op.qkv.tensor = place(operands.qkv, kind.dtype), op.grad_y.tensor = place(operands.grad_y, kind.dtype);
  op.y.tensor = place(forward.y.tensor, kind.dtype), op.lse.tensor = place(forward.lse.tensor, wide_of(kind.dtype));
  if (kind.cosine) op.logit_scale.tensor = place(operands.logit_scale, wide_of(kind.dtype));
  op.heads = heads;
  execute(op);
  return op;
}

inline Outcome run(const Size& s, const Kind& kind, double plant = 0, bool reference = true) {
  const Operands operands(s, kind, plant);
  const Attention wide = forward_op(operands, s.heads, {DType::f64, kind.cosine}, false);
  const auto collect = [&](const Attention& op, bool device) {
    std::vector<Result> all{result_of("y", op.y.tensor), result_of("lse", op.lse.tensor)};
    if (kind.forward_only) return all;
    const AttentionBackward backward = backward_op(operands, wide, s.heads, kind, device);
    all.push_back(result_of("gradQkv", backward.grad_qkv.tensor));
    if (backward.grad_logit_scale.wanted) all.push_back(result_of("gradLogitScale", backward.grad_logit_scale.tensor));
    return all;
  };
  return {collect(forward_op(operands, s.heads, kind, true), true),
          reference ? collect(wide, false) : std::vector<Result>{}};
}

/// Relative error of y as the straightforward bf16 computation has it: probabilities rounded to bf16, then y. It can be
/// more than the law's 2^-9 where rows are short and values cancel.
inline double naive_error(const Operands& operands, const Size& s) {
  const double* qkv = operands.qkv.data<double>();
  const auto at = [&](int64_t b, int64_t n, int64_t part, int64_t h, int64_t c) {
    return qkv[(((b * s.tokens + n) * 3 + part) * s.heads + h) * s.width + c];
  };
  double difference = 0, norm = 0;
  std::vector<double> p(static_cast<size_t>(s.tokens));
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.heads; ++h)
      for (int64_t n = 0; n < s.tokens; ++n) {
        double total = 0;
        for (int64_t m = 0; m < s.tokens; ++m) {
          double logit = 0;
          for (int64_t c = 0; c < s.width; ++c) logit += at(b, n, 0, h, c) * at(b, m, 1, h, c);
          total += p[m] = std::exp(logit / std::sqrt(static_cast<double>(s.width)));
        }
        for (int64_t c = 0; c < s.width; ++c) {
          double exact = 0, naive = 0;
          for (int64_t m = 0; m < s.tokens; ++m) {
            exact += p[m] / total * at(b, m, 2, h, c);
            naive += rounded(p[m] / total, DType::bf16) * at(b, m, 2, h, c);
          }
          const double error = rounded(naive, DType::bf16) - exact;
          difference += error * error, norm += exact * exact;
        }
      }
  return std::sqrt(difference / norm);
}

inline double relative_error(const Result& got, const Result& wide) {
  double difference = 0, norm = 0;
  for (int64_t i = 0; i < got.shape.elements(); ++i)
    difference += std::pow(got.at(i) - wide.at(i), 2), norm += std::pow(wide.at(i), 2);
  return std::sqrt(difference / norm);
}

inline double worst = 0;  // share of the allowed error that was used

inline void compare(const Size& s, const Kind& kind, double plant = 0) {
  const auto start = std::chrono::steady_clock::now();
  Outcome outcome;
  try {
    outcome = run(s, kind, plant);
  } catch (const Error& error) {
    ++failures;
    std::printf("FAILED %s (%s): %s\n", s.text().c_str(), kind.text().c_str(), error.what());
  }
  for (size_t i = 0; i < outcome.got.size(); ++i) {
    const Result &got = outcome.got[i], &wide = outcome.wide[i];
    const Verdict verdict =
        i < 2 ? judge<Attention>(got, wide, kind.dtype) : judge<AttentionBackward>(got, wide, kind.dtype);
    worst = std::fmax(worst, verdict.share);
    if (!verdict.failure.empty()) {
      if (i == 0 && kind.dtype == DType::bf16 && !kind.cosine && plant == 0 &&
          relative_error(got, wide) <= 2 * naive_error(Operands(s, kind, 0), s) + 2e-5)
        continue;
      ++failures;
      std::printf("FAILED %s (%s): %s %s\n", s.text().c_str(), kind.text().c_str(), got.field.c_str(),
                  verdict.failure.c_str());
    }
  }
  if (std::getenv("VIDEOMAE_TEST_TIMES"))
    std::printf("%s (%s): %.2f s\n", s.text().c_str(), kind.text().c_str(),
                std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

inline const Kind bf16_plain{DType::bf16}, f32_plain{DType::f32}, bf16_forward{DType::bf16, false, false, true};

/// A checksum over results.
struct Checksum {
  uint64_t hash = 14695981039346656037u;

  void add(const Size& s, const Kind& kind) {
    for (const Result& result : run(s, kind, 0, false).got)
      for (char byte : result.bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211u;
  }
  std::string text() const { return std::to_string(hash); }
};

/// A command line that runs this program in a process of its own.
inline std::string own_command(const std::string& environment, const std::string& arguments) {
  char self[4096] = {};
  CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
  return environment + " '" + self + "' " + arguments;
}

/// Whether this program succeeds in a process of its own.
inline bool succeeds(const std::string& environment, const std::string& arguments) {
  return std::system(own_command(environment, arguments).c_str()) == 0;
}

/// The line that this program prints in a process of its own.
inline std::string printed(const std::string& environment, const std::string& arguments) {
  FILE* output = popen(own_command(environment, arguments).c_str(), "r");
  char line[64] = {};
  CHECK(output && fgets(line, sizeof line, output));
  if (output) CHECK(pclose(output) == 0);
  return std::string(line, std::strcspn(line, "\n"));
}

/// Whether this program prints one and the same line in every order that the emulator lets threads and blocks run in.
inline void expect_in_every_order(const std::string& expected, const std::string& environment,
                                  const std::string& arguments) {
  int seed = 1;
  for (const char* order : {"forward", "reversed", "random", "random"})
    CHECK(printed(environment + " VIDEOMAE_EMU_ORDER=" + order + " VIDEOMAE_EMU_SEED=" + std::to_string(++seed),
                  arguments) == expected);
}

/// Shared memory of a block: 99 KiB with capability 8.6 and 8.9, 163 KiB with 8.0.
inline std::string blocks_of(int kib) { return " VIDEOMAE_EMU_SHARED_MEMORY=" + std::to_string(kib << 10); }

}  // namespace videomae::test
