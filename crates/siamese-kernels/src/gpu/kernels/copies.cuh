// Changes of layout and type, an element a thread, for element type T: included once for each.
#define ELEMENT (blockIdx.x * blockDim.x + threadIdx.x)

// Images of any strides to channels-last ones.
KERNEL(gather)(const float *x, long long image, long long line, long long pixel, long long channel, T *y, unsigned h,
               unsigned w, unsigned c, unsigned n) {
    unsigned i = ELEMENT;
    if (i >= n) return;
    unsigned k = i % c, row = i / c;
    long long from = row / w / h * image + row / w % h * line + row % w * pixel + k * channel;
    narrow(x[from], y + i);
}

// Channels-last images to f32.
KERNEL(widen_all)(const T *x, float *y, unsigned n) {
    unsigned i = ELEMENT;
    if (i < n) y[i] = widen(x[i]);
}

// Weights from Candle's order (out, in, place) to cuDNN's for channels-last images (out, place, in).
KERNEL(pack_weights)(const float *w, T *packed, unsigned inputs, unsigned places, unsigned n) {
    unsigned i = ELEMENT;
    if (i >= n) return;
    unsigned in = i % inputs, place = i / inputs % places, out = i / inputs / places;
    narrow(w[(out * inputs + in) * places + place], packed + i);
}

// And back, for their gradient.
KERNEL(unpack_weights)(const T *packed, float *w, unsigned inputs, unsigned places, unsigned n) {
    unsigned i = ELEMENT;
    if (i >= n) return;
    unsigned in = i % inputs, place = i / inputs % places, out = i / inputs / places;
    w[(out * inputs + in) * places + place] = widen(packed[i]);
}

#undef ELEMENT
