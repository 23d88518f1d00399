//! The report of one run as a file.

use std::path::Path;

use crate::data::RunReport;
use crate::error::{Result, write};
use crate::page::run_page;

impl RunReport {
    /// The report as one HTML page that needs no other file, no network and no script.
    pub fn to_html(&self) -> String {
        run_page(self)
    }

    /// Writes the page; an older one is replaced only when the new one is whole.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        write(path.as_ref(), self.to_html().as_bytes())
    }
}
