// Lets a C++ compiler take kernels.cu: CUDA's words in terms of C++. Part of the tests only.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

using std::max;
using std::min;
using std::sqrt;

struct Triple {
    unsigned x, y, z;
};
// Blocks run one after another, and of a block's threads one at a time.
extern Triple gridDim, blockDim, blockIdx, threadIdx;
extern "C" void wait_for_the_block();

#define __global__
#define __device__
#define __shared__ static
#define __syncthreads wait_for_the_block

inline unsigned __float_as_uint(float x) {
    unsigned u;
    std::memcpy(&u, &x, sizeof u);
    return u;
}
inline float __uint_as_float(unsigned u) {
    float x;
    std::memcpy(&x, &u, sizeof x);
    return x;
}
