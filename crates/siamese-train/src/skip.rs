//! Steps that change nothing, since something of them is no number: told, undone, counted.

use std::sync::Arc;

use anyhow::Result;
use candle_core::{Tensor, Var};

use crate::diverged::Diverged;
use crate::event::Event;
use crate::request::Request;
use crate::run::Run;

/// Steps that are skipped one after the other before the training ends.
const MOST_IN_A_ROW: usize = 20;

/// What a pass in training changes by itself, as it is now.
pub(crate) fn buffers(run: &Run) -> Result<Vec<(Var, Tensor)>> {
    let buffers = run.tower.parameters().buffers().into_iter();
    let copy = |(_, var): (String, Var)| {
        let now = var.as_tensor().copy()?;
        Ok((var, now))
    };
    buffers.map(copy).collect()
}

/// What of a step is no number, before its gradient has changed anything.
pub(crate) fn not_a_number(run: &Run, figures: &Tensor, norm: f64) -> Result<Option<String>> {
    let figures = figures.to_vec1::<f32>()?;
    if !figures[0].is_finite() {
        return Ok(Some(format!("the loss is {}", figures[0])));
    }
    if !norm.is_finite() {
        return Ok(Some(format!("the norm of the gradient is {norm}")));
    }
    if figures.iter().any(|figure| !figure.is_finite()) {
        return Ok(Some("an embedding is not finite".into()));
    }
    for (name, var) in run.tower.parameters().buffers() {
        if !var.to_vec1::<f32>()?.iter().all(|value| value.is_finite()) {
            return Ok(Some(format!("{name} is not finite")));
        }
    }
    Ok(None)
}

/// Undoes and counts a step of which something is no number.
///
/// # Errors
/// [`Diverged`] after too many in a row.
pub(crate) fn skip(
    run: &mut Run,
    request: &Request,
    before: Vec<(Var, Tensor)>,
    mut what: String,
) -> Result<()> {
    for (var, value) in before {
        var.set(&value)?;
    }
    let skipped = &mut run.position.skipped;
    skipped.in_all += 1;
    skipped.in_epoch += 1;
    skipped.in_a_row += 1;
    let in_a_row = skipped.in_a_row;
    let first = skipped.in_all == 1;
    let ends = in_a_row == MOST_IN_A_ROW || skipped.in_epoch == run.sampler.batches_per_epoch();
    if ends {
        what += &format!(", after {in_a_row} steps in a row that were skipped for such reasons,");
    }
    let found = Diverged::new(what, &run.position, 0, Arc::clone(&run.last_images));
    if ends {
        return Err(found.into());
    }
    if first && run.leads() {
        found.keep(run, &request.data.names)?;
        let text = format!(
            "{}: this step and others like it are skipped",
            found.place()
        );
        (request.observe)(&Event::Warning(&text));
    }
    Ok(())
}
