// The tiles of the heads that a block does one after the other, in a ring of slots of shared memory (head_ring() of
// attention_head_layout.h). Every slot is always either in use or being filled: loads of the next heads are under way
// while products of this one run, whatever room there is.
//
// Block b of the grid does heads b, b + gridDim.x and so on. Every tile is a group of cp.async of its own, also one of
// a head that is not there, because waiting counts groups.
#pragma once

#include "cuda/attention_tile.cuh"

namespace videomae::cuda {

template <class Tile, int parts>
class HeadTiles {
 public:
  /// @param rows  of a tile, those beyond the last token being zero
  __device__ __forceinline__ HeadTiles(unsigned char* shared, int slots, int rows, const AttentionShape& shape)
      : shared_(shared), slots_(slots), rows_(rows), shape_(shape) {}

  /// Starts to load the next `count` tiles: at first as many as there are slots, then those of one head, when all
  /// threads have done with the head at hand. @param source  (head, part) to HeadRows
  template <class Source>
  __device__ __forceinline__ void load(int count, Source&& source) {
#pragma unroll 1
    for (; count > 0; --count, ++asked_) {
      const int head = head_of(asked_);
      if (head < shape_.batch * shape_.heads)
        load_rows<Tile, false>(tile(0), rows_, source(head, asked_ % parts), shape_.tokens, shape_.width);
      cp_async_commit();
    }
  }

  /// The head at hand, of all clips', and whether it is there.
  __device__ __forceinline__ int head() const { return head_of(asked_ - slots_); }
  __device__ __forceinline__ bool any() const { return head() < shape_.batch * shape_.heads; }

  /// Until this thread's copies of the first `count` tiles of the head at hand have come.
  __device__ __forceinline__ void wait(int count) const {
    switch (slots_ - count) {
      case 0:
        return cp_async_wait<0>();
      case 1:
        return cp_async_wait<1>();
      case 2:
        return cp_async_wait<2>();
      case 3:
        return cp_async_wait<3>();
      default:
        return cp_async_wait<4>();
    }
  }

  /// A tile of the head at hand. Its first is the oldest, whose slot is the next to be loaded.
  __device__ __forceinline__ unsigned char* tile(int part) const {
    return shared_ + (asked_ + part) % slots_ * rows_ * Tile::row_bytes;
  }

 private:
  __device__ __forceinline__ static int head_of(int tile) {
    return static_cast<int>(blockIdx.x) + tile / parts * static_cast<int>(gridDim.x);
  }

  unsigned char* shared_;
  int slots_, rows_;
  const AttentionShape& shape_;
  int asked_ = 0;  // tiles so far
};

}  // namespace videomae::cuda
