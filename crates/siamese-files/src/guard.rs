//! Panics of other people's parsers, caught: one damaged file must not end a command that reads thousands.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// How many guards this thread is within.
    static WITHIN: Cell<u32> = const { Cell::new(0) };
}

/// Does `work`; an error says in words that it panicked, and nothing is printed of it. What `work` was changing is to be
/// dropped then: it may be half done.
///
/// ```
/// use siamese_files::guarded;
/// assert_eq!(guarded(|| 1 + 1), Ok(2));
/// let no: Result<u8, String> = guarded(|| panic!("index out of bounds"));
/// assert_eq!(no.unwrap_err(), "its reader gave up (index out of bounds)");
/// ```
///
/// # Errors
/// What the panic said.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    silence();
    WITHIN.with(|within| within.set(within.get() + 1));
    let done = catch_unwind(AssertUnwindSafe(work));
    WITHIN.with(|within| within.set(within.get() - 1));
    done.map_err(|panic| format!("its reader gave up ({})", words(&*panic)))
}

/// Once for the process: panics within a guard are the guard's to tell, all others are told as before.
fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if WITHIN.with(Cell::get) == 0 {
                before(panic);
            }
        }));
    });
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let line = text.and_then(|text| text.lines().next());
    line.unwrap_or("no reason given").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guards_within_guards_and_panics_outside_of_them_are_told_apart() {
        let inner = guarded(|| guarded(|| panic!("{} deep", 2)));
        assert_eq!(
            inner,
            Ok(Err::<(), _>("its reader gave up (2 deep)".into()))
        );
        assert_eq!(WITHIN.with(Cell::get), 0);
        let outside = std::thread::spawn(|| panic!("told as ever")).join();
        assert!(outside.is_err());
    }
}
