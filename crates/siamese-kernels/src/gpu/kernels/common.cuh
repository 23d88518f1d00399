// What all kernels share. Compiles with nvcc, and with a C++ compiler behind ../twin/emulate.h.
#pragma once

struct bf16 {
    unsigned short bits;
};

__device__ inline float widen(float x) { return x; }
__device__ inline float widen(bf16 x) { return __uint_as_float((unsigned)x.bits << 16); }

__device__ inline void narrow(float x, float *to) { *to = x; }
// Rounds to nearest, ties to even; a NaN stays one.
__device__ inline void narrow(float x, bf16 *to) {
    unsigned u = __float_as_uint(x);
    to->bits = x != x ? 0x7fc0 : (unsigned short)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}

// W neighbouring channels, moved by one instruction.
template <class T, int W> struct alignas(sizeof(T) * W) Pack {
    T v[W];
};

template <int W, class T> __device__ inline void load(const T *from, float *v) {
    Pack<T, W> pack = *reinterpret_cast<const Pack<T, W> *>(from);
    for (int j = 0; j < W; j++) v[j] = widen(pack.v[j]);
}

template <int W, class T> __device__ inline void store(T *to, const float *v) {
    Pack<T, W> pack;
    for (int j = 0; j < W; j++) narrow(v[j], &pack.v[j]);
    *reinterpret_cast<Pack<T, W> *>(to) = pack;
}

// A NaN passes, so that a run that has diverged shows it; -inf times a slope of 0 would be one.
__device__ inline float activate(float z, float slope) {
    if (z > 0 || z != z) return z;
    return slope == 0 ? 0.f : z * slope;
}

// A pool: images of h × w, oh × ow windows of kh × kw. See PoolStep.
struct Window {
    int h, w, oh, ow, kh, kw, stride, padding;
};

enum Kind { NO_POOL, MAX_POOL, AVERAGE_POOL };

// Per channel: scale, shift, mean, 1/std, each c long, one behind the other.
struct Factors {
    const float *scale, *shift, *mean, *istd;
    __device__ Factors(const float *f, unsigned c) : scale(f), shift(f + c), mean(f + 2 * c), istd(f + 3 * c) {}
};

// The gradient of W channels of one pixel before the pool, from that behind it.
template <int W, class T>
__device__ inline void before_pool(const T *g, const unsigned char *winners, int kind, Window p, unsigned row,
                                   unsigned k, unsigned c, float *sum) {
    if (kind == NO_POOL) return load<W>(g + (size_t)row * c + k, sum);
    for (int j = 0; j < W; j++) sum[j] = 0;
    int x = row % p.w + p.padding, y = row / p.w % p.h + p.padding, image = row / p.w / p.h;
    int top = y < p.kh ? 0 : (y - p.kh) / p.stride + 1, bottom = min(y / p.stride, p.oh - 1);
    int left = x < p.kw ? 0 : (x - p.kw) / p.stride + 1, right = min(x / p.stride, p.ow - 1);
    for (int oy = top; oy <= bottom; oy++)
        for (int ox = left; ox <= right; ox++) {
            size_t at = ((size_t)(image * p.oh + oy) * p.ow + ox) * c + k;
            float v[W];
            load<W>(g + at, v);
            int here = (y - oy * p.stride) * p.kw + x - ox * p.stride;
            if (kind == AVERAGE_POOL) {
                for (int j = 0; j < W; j++) sum[j] += v[j] / (float)(p.kh * p.kw);
            } else {
                Pack<unsigned char, W> won = *reinterpret_cast<const Pack<unsigned char, W> *>(winners + at);
                for (int j = 0; j < W; j++) sum[j] += won.v[j] == here ? v[j] : 0.f;
            }
        }
}

// The gradient before the activation.
template <int W, class T>
__device__ inline void before_activation(const T *g, const unsigned char *winners, int kind, Window p, const float *raw,
                                         const T *residual, Factors f, float slope, unsigned row, unsigned k,
                                         unsigned c, float *dz) {
    before_pool<W>(g, winners, kind, p, row, k, c, dz);
    float r[W];
    if (residual) load<W>(residual + (size_t)row * c + k, r);
    for (int j = 0; j < W; j++) {
        float z = raw[j] * f.scale[k + j] + f.shift[k + j] + (residual ? r[j] : 0.f);
        dz[j] *= z <= 0 ? slope : 1.f;
    }
}

const unsigned BLOCK = 256;

// Sums a[W] and b[W] over the block's rows, in a fixed order; thread row 0 writes them to its part of `partial`.
template <int W> __device__ inline void sum_rows(const float *a, const float *b, float *partial, unsigned k, unsigned c) {
    __shared__ float sums[2][BLOCK * W];
    unsigned width = blockDim.x * W, own = threadIdx.y * width + threadIdx.x * W;
    for (int j = 0; j < W; j++) sums[0][own + j] = a[j], sums[1][own + j] = b[j];
    for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.y < half)
            for (int s = 0; s < 2; s++)
                for (int j = 0; j < W; j++) sums[s][own + j] += sums[s][own + half * width + j];
    }
    if (threadIdx.y == 0 && k < c)
        for (int s = 0; s < 2; s++)
            for (int j = 0; j < W; j++) partial[(size_t)(blockIdx.y * 2 + s) * c + k + j] = sums[s][own + j];
}

// Adds up channel k's two columns of `partial`, in a fixed order; the sums are thread 0's.
__device__ inline void sum_parts(const float *partial, unsigned parts, unsigned k, unsigned c, double *first,
                                 double *second) {
    __shared__ double sums[2][128];
    double a = 0, b = 0;
    for (unsigned i = threadIdx.x; i < parts; i += blockDim.x) {
        a += partial[(size_t)(2 * i) * c + k];
        b += partial[(size_t)(2 * i + 1) * c + k];
    }
    sums[0][threadIdx.x] = a, sums[1][threadIdx.x] = b;
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            for (int s = 0; s < 2; s++) sums[s][threadIdx.x] += sums[s][threadIdx.x + half];
    }
    *first = sums[0][0], *second = sums[1][0];
}
