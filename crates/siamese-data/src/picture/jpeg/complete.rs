//! Whether the scans of a JPEG are all there, by what their headers say.

use super::Header;
use crate::picture::limits::PictureError;

/// Coefficients of a block.
const BLOCK: usize = 64;

/// The scans seen so far.
pub(super) struct Scans<'a> {
    header: &'a Header<'a>,
    restart_interval: usize,
    /// For each component and coefficient, whether it has its last bit.
    whole: Vec<[bool; BLOCK]>,
}

impl<'a> Scans<'a> {
    pub(super) fn of(header: &'a Header<'a>) -> Self {
        Self {
            header,
            restart_interval: 0,
            whole: vec![[false; BLOCK]; header.ids.len()],
        }
    }

    /// Reads the body of a restart interval (T.81, B.2.4.4).
    pub(super) fn restart_every(&mut self, body: &[u8]) {
        self.restart_interval = body.try_into().map_or(0, u16::from_be_bytes).into();
    }

    /// Reads the header of a scan (T.81, B.2.3), and counts its restart markers.
    pub(super) fn scan(&mut self, body: &[u8], data: &[u8]) -> Result<(), PictureError> {
        let damaged = || PictureError::Damaged("a scan header contradicts itself".into());
        let (&count, rest) = body.split_first().ok_or_else(damaged)?;
        let selectors = rest.get(..2 * usize::from(count)).ok_or_else(damaged)?;
        let &[first, last, approximation] = &rest[selectors.len()..] else {
            return Err(damaged());
        };
        let coefficients = match self.header.progressive {
            true if approximation & 15 != 0 => 0..0,
            true => usize::from(first)..usize::from(last) + 1,
            false => 0..BLOCK,
        };
        for selector in selectors.chunks_exact(2) {
            let component = self.header.ids.iter().position(|id| *id == selector[0]);
            let whole = &mut self.whole[component.ok_or_else(damaged)?];
            let seen = whole.get_mut(coefficients.clone()).ok_or_else(damaged)?;
            seen.fill(true);
        }
        if !self.header.progressive && count == self.header.components {
            self.check_restarts(data)?;
        }
        Ok(())
    }

    /// A restart marker stands between each two intervals: a file cut at one would else look whole.
    fn check_restarts(&self, data: &[u8]) -> Result<(), PictureError> {
        let Header {
            height,
            width,
            unit,
            ..
        } = self.header;
        let units = height.div_ceil(unit.0) * width.div_ceil(unit.1);
        let is_restart = |two: &&[u8]| two[0] == 0xFF && matches!(two[1], 0xD0..=0xD7);
        let intervals = match self.restart_interval {
            0 => return Ok(()),
            interval => units.div_ceil(interval),
        };
        if data.windows(2).filter(is_restart).count() + 1 < intervals {
            return Err(PictureError::Cut);
        }
        Ok(())
    }

    /// Every bit of every coefficient of every component has come.
    pub(super) fn check_end(&self) -> Result<(), PictureError> {
        match self.whole.as_flattened().iter().all(|whole| *whole) {
            true => Ok(()),
            false => Err(PictureError::Cut),
        }
    }
}
