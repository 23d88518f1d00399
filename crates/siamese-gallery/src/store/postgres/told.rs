//! What the server said, in sentences.

use postgres::error::SqlState;

use crate::error::Error;

/// How long a writer waits for another, in seconds.
pub(super) const WAIT: u64 = 30;

/// What a failed change leaves behind: a change is made of transactions, and the one under way is undone.
const KEPT: &str = "what was acknowledged is kept, the rest was not added";

/// What the server said, in a sentence that says what to do.
pub(super) fn told(place: &str, error: &postgres::Error) -> Error {
    let place = place.to_string();
    let code = error.code();
    if code == Some(&SqlState::LOCK_NOT_AVAILABLE) {
        let seconds = WAIT;
        return Error::Busy { place, seconds };
    }
    let said = match error.as_db_error() {
        Some(error) => error.message().to_string(),
        None => {
            let cause = std::error::Error::source(error);
            cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
        }
    };
    let why = match code {
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => format!(
            "{said}; a reader needs USAGE on the schema siamese and SELECT on its tables, a writer INSERT, UPDATE and \
             DELETE besides, and who makes the first gallery CREATE on the database"
        ),
        Some(code) if *code == SqlState::DISK_FULL => {
            format!("{said}: {KEPT}; make room and go on")
        }
        Some(code) if *code == SqlState::READ_ONLY_SQL_TRANSACTION => {
            format!("{said}: nothing was changed; name a server that may be written to")
        }
        Some(code) if *code == SqlState::CRASH_SHUTDOWN || *code == SqlState::ADMIN_SHUTDOWN => {
            format!("{said}: {KEPT}; go on when the server is back")
        }
        None if error.is_closed() => format!(
            "the server has ended the connection; its log says why, a full disk perhaps: {KEPT}; go on when the server is back"
        ),
        Some(code)
            if *code == SqlState::UNDEFINED_FILE || *code == SqlState::FEATURE_NOT_SUPPORTED =>
        {
            format!("{said}; the server needs the extension pgvector, 0.8 or newer")
        }
        _ => said,
    };
    Error::Store { place, why }
}
