// What surrounds cuDNN's convolutions: norms, activations, residual sums and pools in one pass, and the optimizers.
#include "common.cuh"

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define KERNEL(name) extern "C" __global__ void JOIN(name, SUFFIX)

#define T float
#define W 1
#define SUFFIX f32x1
#include "layers.cuh"
#undef W
#undef SUFFIX
#define W 4
#define SUFFIX f32x4
#include "layers.cuh"
#undef T
#undef W
#undef SUFFIX
#define T bf16
#define W 1
#define SUFFIX bf16x1
#include "layers.cuh"
#undef W
#undef SUFFIX
#define W 8
#define SUFFIX bf16x8
#include "layers.cuh"
#undef T
#undef W
#undef SUFFIX

#define T float
#define SUFFIX f32
#include "copies.cuh"
#undef T
#undef SUFFIX
#define T bf16
#define SUFFIX bf16
#include "copies.cuh"
#undef T
#undef SUFFIX

// From here on one block of threads per channel.

// Batch statistics from the parts of `moments`; running averages move towards them.
extern "C" __global__ void batch_factors(const float *partial, unsigned parts, const float *weight, const float *bias,
                                         const float *conv_bias, float eps, float momentum, float *running_mean,
                                         float *running_var, float *factors, unsigned rows, unsigned c) {
    unsigned k = blockIdx.x;
    double sum, squares;
    sum_parts(partial, parts, k, c, &sum, &squares);
    if (threadIdx.x != 0) return;
    double off = sum / rows, mean = partial[(size_t)2 * parts * c + k] + off;
    double var = squares / rows - off * off;
    var = var < 0 ? 0 : var;
    double istd = 1 / sqrt(var + (double)eps), scale = weight[k] * istd;
    factors[k] = (float)scale;
    factors[c + k] = (float)(bias[k] - mean * scale);
    factors[2 * c + k] = (float)mean;
    factors[3 * c + k] = (float)istd;
    double shown = mean + (conv_bias ? conv_bias[k] : 0.f);
    running_mean[k] = (float)(running_mean[k] * (1. - momentum) + shown * momentum);
    running_var[k] = (float)(running_var[k] * (1. - momentum) + var * rows / (rows - 1.) * momentum);
}

// Factors that do not depend on the batch: of a norm's running averages, or with null for these, of a bias alone.
extern "C" __global__ void fixed_factors(const float *weight, const float *bias, const float *conv_bias, float eps,
                                         const float *running_mean, const float *running_var, float *factors,
                                         unsigned c) {
    unsigned k = blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= c) return;
    float before = conv_bias ? conv_bias[k] : 0.f;
    bool norm = running_var != nullptr;
    float istd = norm ? (float)(1 / sqrt((double)running_var[k] + (double)eps)) : 1.f;
    float mean = norm ? running_mean[k] - before : 0.f, scale = norm ? weight[k] * istd : 1.f;
    factors[k] = scale;
    factors[c + k] = norm ? bias[k] - mean * scale : before;
    factors[2 * c + k] = mean;
    factors[3 * c + k] = istd;
}

// From the parts of `gradient_sums`: parameter gradients (those asked for), and `gradient`'s coefficients.
extern "C" __global__ void gradient_factors(const float *partial, unsigned parts, const float *factors, int batch_norm,
                                            float *coefficients, float *dweight, float *dbias, float *dconv_bias,
                                            unsigned rows, unsigned c) {
    unsigned k = blockIdx.x;
    double sum, products;
    sum_parts(partial, parts, k, c, &sum, &products);
    if (threadIdx.x != 0) return;
    double scale = factors[k], mean = factors[2 * c + k], istd = factors[3 * c + k];
    double b = batch_norm ? -scale * istd * products / rows : 0.;
    coefficients[k] = (float)scale;
    coefficients[c + k] = (float)b;
    coefficients[2 * c + k] = batch_norm ? (float)(-scale * sum / rows - b * mean) : 0.f;
    if (dweight) dweight[k] = (float)products;
    if (dbias) dbias[k] = (float)sum;
    if (dconv_bias) dconv_bias[k] = batch_norm ? 0.f : (float)(scale * sum); // the batch's mean takes a bias away
}

// From here on one thread per element.
#define ELEMENT (blockIdx.x * blockDim.x + threadIdx.x)

// Where nothing depends on the batch: coefficients without sums.
extern "C" __global__ void plain_coefficients(const float *factors, float *coefficients, unsigned c) {
    unsigned k = ELEMENT;
    if (k >= c) return;
    coefficients[k] = factors[k], coefficients[c + k] = 0, coefficients[2 * c + k] = 0;
}

// See optim/adamw.rs.
extern "C" __global__ void adamw(float *theta, float *mean, float *square, const float *grad, float keep,
                                 float grad_scale, float one_minus_beta1, float beta2, float one_minus_beta2,
                                 float root_correction2, float eps, float size, unsigned n) {
    unsigned i = ELEMENT;
    if (i >= n) return;
    float g = grad[i] * grad_scale;
    float m = mean[i] + (g - mean[i]) * one_minus_beta1;
    float v = square[i] * beta2 + g * g * one_minus_beta2;
    mean[i] = m, square[i] = v;
    theta[i] = theta[i] * keep - size * (m / (sqrtf(v) / root_correction2 + eps));
}

// See optim/sgd.rs; without momentum `velocity` is null.
extern "C" __global__ void sgd(float *theta, float *velocity, const float *grad, float lr, float grad_scale,
                               float decay, float momentum, int nesterov, unsigned n) {
    unsigned i = ELEMENT;
    if (i >= n) return;
    float step = grad[i] * grad_scale + decay * theta[i];
    if (velocity) {
        float v = momentum * velocity[i] + step;
        velocity[i] = v;
        step = nesterov ? step + momentum * v : v;
    }
    theta[i] -= lr * step;
}
