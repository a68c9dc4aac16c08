// The sizes of a tensor's axes, outermost first: at most eight, held in place.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "core/error.h"

namespace videomae {

class Shape {
 public:
  static constexpr int max_rank = 8;

  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) {
    for (int64_t s : sizes) push_back(s);
  }

  int rank() const { return rank_; }
  int64_t operator[](int i) const { return sizes_[i < 0 ? i + rank_ : i]; }
  int64_t& operator[](int i) { return sizes_[i < 0 ? i + rank_ : i]; }
  const int64_t* begin() const { return sizes_; }
  const int64_t* end() const { return sizes_ + rank_; }

  void push_back(int64_t size) {
    if (rank_ == max_rank) throw Error("shape", "at most 8 axes", "more");
    sizes_[rank_++] = size;
  }

  int64_t elements() const {
    int64_t n = 1;
    for (int64_t s : *this) n *= s;
    return n;
  }

  /// The product of the sizes of axes [from, to).
  int64_t product(int from, int to) const {
    int64_t n = 1;
    for (int i = from; i < to; ++i) n *= sizes_[i];
    return n;
  }

  bool operator==(const Shape& other) const {
    if (rank_ != other.rank_) return false;
    for (int i = 0; i < rank_; ++i)
      if (sizes_[i] != other.sizes_[i]) return false;
    return true;
  }
  bool operator!=(const Shape& other) const { return !(*this == other); }

  /// "[8, 1568, 768]"
  std::string text() const {
    std::string s = "[";
    for (int i = 0; i < rank_; ++i) s += (i ? ", " : "") + std::to_string(sizes_[i]);
    return s + "]";
  }

 private:
  int64_t sizes_[max_rank] = {};
  int rank_ = 0;
};

}  // namespace videomae
