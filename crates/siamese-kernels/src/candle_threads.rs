//! How many threads Candle's own operations take.

#![allow(unsafe_code)]

use std::env;

const VARIABLE: &str = "CANDLE_NUM_THREADS";

/// Keeps Candle's elementwise operations on one thread, unless `CANDLE_NUM_THREADS` says how many they are to have.
///
/// From 65,536 numbers on, such as the distances of 256 images, Candle splits an operation over threads of its own and
/// spins until they have run; beside the threads of the kernels and of the loader they wait for a core, for longer than
/// the operation takes. Where Candle has nothing large to do, as in a training on these kernels, one thread is faster.
///
/// To be called at the very beginning of `main`: it does nothing once the process has other threads, or where that
/// cannot be seen (it is on Linux and Windows).
pub fn keep_candle_on_one_thread() {
    if env::var_os(VARIABLE).is_none() && is_alone() {
        // SAFETY: on Windows it always is; elsewhere no other thread is there to read the environment meanwhile.
        unsafe { env::set_var(VARIABLE, "1") }
    }
}

/// Whether this is known to be the only thread of the process, or need not be.
fn is_alone() -> bool {
    let threads = || std::fs::read_dir("/proc/self/task").map(Iterator::count);
    cfg!(windows) || (cfg!(target_os = "linux") && threads().is_ok_and(|count| count == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_other_threads_about_the_environment_is_left_alone() {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || receiver.recv());
        if !cfg!(windows) {
            assert!(!is_alone());
            keep_candle_on_one_thread();
            assert_eq!(env::var_os(VARIABLE), None);
        }
        drop(sender);
        assert!(other.join().is_ok());
    }
}
