//! What JavaScript calls. Each call but `buffer` and `said` answers 0 or 1, and leaves what it has to say, JSON or why
//! not, where `said` tells.
//!
//! Nothing here reads through a pointer: bytes come in by a buffer of ours that JavaScript fills while no Rust code runs, as
//! WebAssembly has one thread. What lifts the ban on `unsafe` is only that names are kept for the linker.

#![allow(unsafe_code)]

use std::cell::RefCell;
use std::error::Error;

use serde::Serialize;

use crate::booth::Booth;

// Apart from each other: what panics may hold one of them.
thread_local! {
    static BOOTH: RefCell<Option<Booth>> = const { RefCell::new(None) };
    /// What comes in.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// What goes out.
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Room for so many bytes, which the next call takes; its address.
// SAFETY: no other function of this name is linked
#[unsafe(no_mangle)]
extern "C" fn buffer(length: usize) -> *mut u8 {
    BUFFER.with_borrow_mut(|buffer| {
        *buffer = vec![0; length];
        buffer.as_mut_ptr()
    })
}

/// The address of what there is to say, in UTF-8.
// SAFETY: no other function of this name is linked
#[unsafe(no_mangle)]
extern "C" fn said() -> *const u8 {
    SAID.with_borrow(|said| said.as_ptr())
}

/// Its length in bytes.
// SAFETY: no other function of this name is linked
#[unsafe(no_mangle)]
extern "C" fn said_length() -> usize {
    SAID.with_borrow(|said| said.len())
}

/// Loads the model in the buffer.
// SAFETY: no other function of this name is linked
#[unsafe(no_mangle)]
extern "C" fn load() -> u32 {
    std::panic::set_hook(Box::new(|panic| say(panic.to_string())));
    let opened = Booth::open(&BUFFER.take());
    answer(opened.map(|booth| BOOTH.set(Some(booth))))
}

/// Looks at the RGBA pixels in the buffer, for place 0 or 1.
// SAFETY: no other function of this name is linked
#[unsafe(no_mangle)]
extern "C" fn look(place: usize, height: usize, width: usize) -> u32 {
    let pixels = BUFFER.take();
    with(|booth| answer(booth.look(place, (height, width), pixels)))
}

/// Compares the two.
// SAFETY: no other function of this name is linked
#[unsafe(no_mangle)]
extern "C" fn compare() -> u32 {
    with(|booth| answer(booth.compare()))
}

fn with(work: impl FnOnce(&mut Booth) -> u32) -> u32 {
    say(String::new());
    BOOTH.with_borrow_mut(|booth| match booth {
        Some(booth) => work(booth),
        None => refuse("the model is not loaded yet".into()),
    })
}

fn answer<T: Serialize, E: Error>(result: Result<T, E>) -> u32 {
    match result.map(|answer| serde_json::to_string(&answer)) {
        Ok(Ok(said)) => {
            say(said);
            0
        }
        Ok(Err(error)) => refuse(error.to_string()),
        Err(error) => refuse(chain(&error)),
    }
}

fn refuse(why: String) -> u32 {
    say(why);
    1
}

fn say(text: String) {
    SAID.set(text);
}

/// An error and what caused it.
fn chain(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said += &format!(": {error}");
        cause = error.source();
    }
    said
}
