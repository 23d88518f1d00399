//! What processes exchange.

use crate::error::Result;

/// Processes that do the same step at the same time, and exchange numbers within it.
///
/// Each call is made by all of them, in the same order. After an error none of them can go on.
pub trait Collective: Send + Sync {
    /// Which process this is, from 0.
    fn rank(&self) -> usize;

    /// How many processes there are.
    fn size(&self) -> usize;

    /// The numbers of every process, by rank; they may differ in number.
    ///
    /// # Errors
    /// When a process is gone, or does something else.
    fn gather(&self, own: &[f32]) -> Result<Vec<Vec<f32>>>;

    /// Sets `values` to their sum over all processes, to the same bits in each.
    ///
    /// # Errors
    /// When a process is gone, or has another number of values.
    fn sum(&self, values: &mut [f32]) -> Result<()>;

    /// The bytes of process 0; what the others give is not looked at.
    ///
    /// # Errors
    /// When a process is gone, or does something else.
    fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>>;

    /// Nothing, as long as no process is known to be gone: for what they do together by other means. Nothing is
    /// exchanged, and it may take a tenth of a second.
    ///
    /// # Errors
    /// When a process is gone, or has ended.
    fn alive(&self) -> Result<()>;

    /// Tells the others, as far as they can be reached, that this one ends and why.
    fn abort(&self, reason: &str);

    /// Whether any process says so.
    ///
    /// # Errors
    /// As of [`Collective::gather`].
    fn any(&self, yes: bool) -> Result<bool> {
        let said = self.gather(&[f32::from(u8::from(yes))])?;
        Ok(said.iter().flatten().any(|&said| said > 0.0))
    }

    /// Waits until all processes are here.
    ///
    /// # Errors
    /// As of [`Collective::gather`].
    fn barrier(&self) -> Result<()> {
        self.gather(&[]).map(drop)
    }
}
