// The kernels as functions of the CPU, called by name: a block's threads are coroutines that take turns at barriers.
#include "emulate.h"
#include "../kernels/kernels.cu"

#include <functional>
#include <map>
#include <string>
#include <ucontext.h>
#include <utility>
#include <vector>

Triple gridDim, blockDim, blockIdx, threadIdx;

namespace {

struct Thread {
    ucontext_t context;
    std::vector<char> stack = std::vector<char>(64 * 1024);
    bool done = false;
};
std::vector<Thread> threads(BLOCK);
ucontext_t scheduler;
unsigned current;
std::function<void()> body;

void start() {
    body();
    threads[current].done = true;
}

// Runs every thread up to its next barrier or end, in turns; false if only some of them wait.
bool run_block(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        Thread &t = threads[i];
        t.done = false;
        getcontext(&t.context);
        t.context.uc_stack.ss_sp = t.stack.data();
        t.context.uc_stack.ss_size = t.stack.size();
        t.context.uc_link = &scheduler;
        makecontext(&t.context, start, 0);
    }
    for (unsigned done = 0; done < count;) {
        done = 0;
        for (current = 0; current < count; current++) {
            Thread &t = threads[current];
            threadIdx = {current % blockDim.x, current / blockDim.x, 0};
            swapcontext(&scheduler, &t.context);
            done += t.done;
        }
        if (done != 0 && done != count) return false;
    }
    return true;
}

using Call = std::function<void(const void *const *)>;

template <class... A, size_t... I> Call unpack(void (*kernel)(A...), std::index_sequence<I...>) {
    return [=](const void *const *args) { kernel(*static_cast<const std::remove_cv_t<A> *>(args[I])...); };
}
template <class... A> Call call(void (*kernel)(A...)) { return unpack(kernel, std::index_sequence_for<A...>{}); }

#define ROW(name) {#name, call(name)}
#define LAYERS(S)                                                                                                 \
    ROW(apply_##S), ROW(max_pool_##S), ROW(average_pool_##S), ROW(moments_##S), ROW(gradient_sums_##S),          \
        ROW(gradient_##S)
#define COPIES(S) ROW(gather_##S), ROW(widen_all_##S), ROW(pack_weights_##S), ROW(unpack_weights_##S)
const std::map<std::string, Call> kernels = {
    LAYERS(f32x1), LAYERS(f32x4), LAYERS(bf16x1), LAYERS(bf16x8), COPIES(f32), COPIES(bf16),
    ROW(batch_factors), ROW(fixed_factors), ROW(gradient_factors), ROW(plain_coefficients), ROW(adamw), ROW(sgd),
};

} // namespace

extern "C" void wait_for_the_block() { swapcontext(&threads[current].context, &scheduler); }

// 0, or 1: no such kernel, 2: too many threads, 3: threads that wait for others that have ended.
extern "C" int launch(const char *name, const unsigned *grid, const void *const *args) {
    auto kernel = kernels.find(name);
    if (kernel == kernels.end()) return 1;
    gridDim = {grid[0], grid[1], 1}, blockDim = {grid[2], grid[3], 1};
    unsigned count = blockDim.x * blockDim.y;
    if (count > threads.size()) return 2;
    body = [&] { kernel->second(args); };
    for (unsigned y = 0; y < grid[1]; y++)
        for (unsigned x = 0; x < grid[0]; x++) {
            blockIdx = {x, y, 0};
            if (!run_block(count)) return 3;
        }
    return 0;
}
