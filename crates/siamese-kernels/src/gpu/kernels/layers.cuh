// The kernels over images, for element type T and W channels at a time: included once for each pair.
// All images are channels-last. Threads: x over groups of W channels, y over rows, which are pixels of the batch.

#define FIRST_CHANNEL ((blockIdx.x * blockDim.x + threadIdx.x) * W)
#define EACH_ROW(row, rows) \
    for (unsigned row = blockIdx.y * blockDim.y + threadIdx.y; row < rows; row += gridDim.y * blockDim.y)

// y = activation(raw · scale + shift + residual)
KERNEL(apply)(const T *raw, const T *residual, const float *factors, float slope, T *y, unsigned rows, unsigned c) {
    unsigned k = FIRST_CHANNEL;
    if (k >= c) return;
    Factors f(factors, c);
    EACH_ROW(row, rows) {
        size_t at = (size_t)row * c + k;
        float v[W], r[W];
        load<W>(raw + at, v);
        if (residual) load<W>(residual + at, r);
        for (int j = 0; j < W; j++) {
            float z = v[j] * f.scale[k + j] + f.shift[k + j] + (residual ? r[j] : 0.f);
            v[j] = activate(z, slope);
        }
        store<W>(y + at, v);
    }
}

// y = max over windows of activation(raw · scale + shift); the first in scan order wins a tie, a NaN always.
KERNEL(max_pool)(const T *raw, const float *factors, float slope, T *y, unsigned char *winners, Window p, unsigned rows,
                 unsigned c) {
    unsigned k = FIRST_CHANNEL;
    if (k >= c) return;
    Factors f(factors, c);
    EACH_ROW(row, rows) {
        int left = (int)(row % p.ow) * p.stride - p.padding, top = (int)(row / p.ow % p.oh) * p.stride - p.padding;
        unsigned image = row / p.ow / p.oh;
        float best[W];
        Pack<unsigned char, W> won;
        for (int j = 0; j < W; j++) best[j] = -INFINITY, won.v[j] = 0;
        bool first = true;
        for (int dy = max(0, -top); dy < p.kh && top + dy < p.h; dy++)
            for (int dx = max(0, -left); dx < p.kw && left + dx < p.w; dx++) {
                float v[W];
                load<W>(raw + ((size_t)(image * p.h + top + dy) * p.w + left + dx) * c + k, v);
                for (int j = 0; j < W; j++) {
                    float z = v[j] * f.scale[k + j] + f.shift[k + j];
                    if (first || z > best[j] || z != z) best[j] = z, won.v[j] = (unsigned char)(dy * p.kw + dx);
                }
                first = false;
            }
        size_t at = (size_t)row * c + k;
        for (int j = 0; j < W; j++) best[j] = activate(best[j], slope);
        store<W>(y + at, best);
        *reinterpret_cast<Pack<unsigned char, W> *>(winners + at) = won;
    }
}

// y = mean over windows, what lies outside counting as zeros
KERNEL(average_pool)(const T *x, T *y, Window p, unsigned rows, unsigned c) {
    unsigned k = FIRST_CHANNEL;
    if (k >= c) return;
    EACH_ROW(row, rows) {
        int left = (int)(row % p.ow) * p.stride - p.padding, top = (int)(row / p.ow % p.oh) * p.stride - p.padding;
        unsigned image = row / p.ow / p.oh;
        float sum[W], v[W];
        for (int j = 0; j < W; j++) sum[j] = 0;
        for (int dy = max(0, -top); dy < p.kh && top + dy < p.h; dy++)
            for (int dx = max(0, -left); dx < p.kw && left + dx < p.w; dx++) {
                load<W>(x + ((size_t)(image * p.h + top + dy) * p.w + left + dx) * c + k, v);
                for (int j = 0; j < W; j++) sum[j] += v[j];
            }
        for (int j = 0; j < W; j++) sum[j] /= (float)(p.kh * p.kw);
        store<W>(y + (size_t)row * c + k, sum);
    }
}

// Sums and sums of squares per channel, about the first row's values, which follow in `partial`: about zero, squares
// of a channel that is far from it would cancel.
KERNEL(moments)(const T *x, float *partial, unsigned rows, unsigned c) {
    unsigned k = FIRST_CHANNEL;
    float origin[W], sum[W], squares[W];
    for (int j = 0; j < W; j++) sum[j] = squares[j] = 0;
    if (k < c) {
        load<W>(x + k, origin);
        EACH_ROW(row, rows) {
            float v[W];
            load<W>(x + (size_t)row * c + k, v);
            for (int j = 0; j < W; j++) {
                float d = v[j] - origin[j];
                sum[j] += d, squares[j] += d * d;
            }
        }
        if (blockIdx.y == 0 && threadIdx.y == 0)
            for (int j = 0; j < W; j++) partial[(size_t)2 * gridDim.y * c + k + j] = origin[j];
    }
    sum_rows<W>(sum, squares, partial, k, c);
}

// Per channel the sum of the gradient dz before the activation, and of dz · normalised value.
KERNEL(gradient_sums)(const T *g, const unsigned char *winners, int kind, Window p, const T *raw, const T *residual,
                      const float *factors, float slope, float *partial, unsigned rows, unsigned c) {
    unsigned k = FIRST_CHANNEL;
    float sum[W], products[W];
    for (int j = 0; j < W; j++) sum[j] = products[j] = 0;
    if (k < c) {
        Factors f(factors, c);
        EACH_ROW(row, rows) {
            float v[W], dz[W];
            load<W>(raw + (size_t)row * c + k, v);
            before_activation<W>(g, winners, kind, p, v, residual, f, slope, row, k, c, dz);
            for (int j = 0; j < W; j++) {
                sum[j] += dz[j];
                products[j] += dz[j] * ((v[j] - f.mean[k + j]) * f.istd[k + j]);
            }
        }
    }
    sum_rows<W>(sum, products, partial, k, c);
}

// draw = a·dz + b·raw + d, with a, b, d per channel; also dz itself for the residual's other operand. Each is added to
// what is there, or replaces it; the two may be the same memory, or absent.
KERNEL(gradient)(const T *g, const unsigned char *winners, int kind, Window p, const T *raw, const T *residual,
                 const float *factors, const float *coefficients, float slope, T *draw, int add, T *carried,
                 int add_carried, unsigned rows, unsigned c) {
    unsigned k = FIRST_CHANNEL;
    if (k >= c) return;
    Factors f(factors, c);
    EACH_ROW(row, rows) {
        size_t at = (size_t)row * c + k;
        float v[W], dz[W], out[W], old[W];
        load<W>(raw + at, v);
        before_activation<W>(g, winners, kind, p, v, residual, f, slope, row, k, c, dz);
        if (draw) {
            if (add) load<W>(draw + at, old);
            for (int j = 0; j < W; j++) {
                const float *q = coefficients + k + j;
                out[j] = (q[0] * dz[j] + q[c] * v[j] + q[2 * c]) + (add ? old[j] : 0.f);
            }
            store<W>(draw + at, out);
        }
        if (carried) {
            if (add_carried) load<W>(carried + at, old);
            for (int j = 0; j < W; j++) dz[j] += add_carried ? old[j] : 0.f;
            store<W>(carried + at, dz);
        }
    }
}

#undef FIRST_CHANNEL
#undef EACH_ROW
