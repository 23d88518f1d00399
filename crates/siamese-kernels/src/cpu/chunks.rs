//! How a batch is split: into the same chunks of images whatever the number of threads.

/// Chunks that a batch is split into, if it has as many images.
const CHUNKS: usize = 16;

/// Images per chunk.
pub(super) fn per_chunk(batch: usize) -> usize {
    batch.div_ceil(CHUNKS)
}

/// `buffer` in chunks of `size`, or `count` empty ones where it is empty itself.
pub(super) fn shares<T>(buffer: &mut [T], size: usize, count: usize) -> Vec<&mut [T]> {
    if buffer.is_empty() {
        return (0..count).map(|_| Default::default()).collect();
    }
    buffer.chunks_mut(size).collect()
}
