//! The backward of a plan.

#![allow(unsafe_code)]

use candle_core::Result;

use super::context::Context;
use super::device::{Gpu, Grid, Pass, Place, Window, args};
use super::forward::{gather, widen};
use super::job::{Job, Rows, Strided, copying, kind, slope};
use crate::plan::ConvStep;

/// Writes the gradients of those parameters that have a place, and of the input if it has one.
///
/// `dy` is the output's gradient; `ctx` comes from a forward that keeps. All gradients are f32.
pub(crate) fn backward<G: Gpu>(
    gpu: &G,
    job: &Job<'_>,
    dy: Strided<'_>,
    grads: &[Option<Place<'_>>],
    dx: Option<Place<'_>>,
    ctx: &mut Context<G::Memory>,
) -> Result<()> {
    ctx.fit_backward(gpu, job)?;
    let plan = job.plan;
    let last = plan.values.len() - 1;
    gather(gpu, job, dy, plan.output(), ctx.grads[last].place())?;
    let mut back = Back {
        gpu,
        job,
        grads,
        wants_input: dx.is_some(),
        written: vec![false; plan.values.len()],
        ctx,
    };
    back.written[last] = true;
    for i in (0..plan.units.len()).rev() {
        back.unit(i)?;
    }
    match dx {
        Some(dx) => widen(gpu, job, plan.input(), back.ctx.grads[0].place(), dx),
        None => Ok(()),
    }
}

struct Back<'a, 'p, G: Gpu> {
    gpu: &'a G,
    job: &'a Job<'p>,
    grads: &'a [Option<Place<'a>>],
    wants_input: bool,
    /// Which values' gradients have a contribution already.
    written: Vec<bool>,
    ctx: &'a Context<G::Memory>,
}

impl<'a, G: Gpu> Back<'a, '_, G> {
    fn unit(&mut self, i: usize) -> Result<()> {
        let unit = &self.job.plan.units[i];
        self.coefficients(i)?;
        let draw = match unit.conv {
            Some(_) => Some((self.ctx.raw_grad.place(), false)),
            None => self.contribute(unit.source),
        };
        let carried = unit.residual.and_then(|r| self.contribute(r));
        self.gradient(i, draw, carried)?;
        match &unit.conv {
            Some(conv) => self.convolution(i, conv),
            None => Ok(()),
        }
    }

    /// Where to put a gradient of value `v`, and whether to add it to what is there; nowhere if
    /// nobody asked for it.
    fn contribute(&mut self, v: usize) -> Option<(Place<'a>, bool)> {
        if v == 0 && !self.wants_input {
            return None;
        }
        let add = std::mem::replace(&mut self.written[v], true);
        Some((self.ctx.grads[v].place(), add))
    }

    fn wanted(&self, param: Option<usize>) -> Option<Place<'a>> {
        param.and_then(|p| self.grads[p])
    }

    /// The numbers that take the gradient through unit `i`'s norm, and the norm's own gradients.
    fn coefficients(&self, i: usize) -> Result<()> {
        let (job, ctx, unit) = (self.job, self.ctx, &self.job.plan.units[i]);
        let (c, factors) = (unit.middle.c, ctx.factors[i].place());
        let coefficients = ctx.coefficients.place();
        let dweight = self.wanted(unit.norm.map(|n| n.weight));
        let dbias = self.wanted(unit.norm.map(|n| n.bias));
        let dconv_bias = self.wanted(job.conv_bias(unit));
        let batch_norm = unit.norm.is_some() && job.train;
        if !batch_norm && [dweight, dbias, dconv_bias].iter().all(Option::is_none) {
            let args = args![factors, coefficients, c as u32];
            // SAFETY: c factors of each kind, 3 · c coefficients.
            return unsafe {
                self.gpu
                    .launch("plain_coefficients", Grid::elements(c as u32), args)
            };
        }
        let rows = Rows::sum(job.precision, job.rows(unit.middle), c);
        let partial = ctx.partial.place();
        let (g, window) = (ctx.grads[unit.target].place(), self.window(i));
        let name = format!("gradient_sums_{}", rows.suffix);
        let sums = args![
            g,
            ctx.winners[i].place(),
            kind(unit.pool.as_ref()),
            window,
            ctx.raw(job, i),
            unit.residual.map(|r| ctx.values[r].place()),
            factors,
            slope(unit),
            partial,
            rows.rows,
            rows.c,
        ];
        let args = args![
            partial,
            rows.parts(),
            factors,
            batch_norm,
            coefficients,
            dweight,
            dbias,
            dconv_bias,
            rows.rows,
            rows.c,
        ];
        // SAFETY: the context fits the plan; parameter gradients are as long as their parameters.
        unsafe {
            self.gpu.launch(&name, rows.grid, sums)?;
            self.gpu.launch("gradient_factors", Grid::channels(c), args)
        }
    }

    /// From the gradient of unit `i`'s value to that of what its norm was applied to.
    fn gradient(
        &self,
        i: usize,
        draw: Option<(Place<'_>, bool)>,
        carried: Option<(Place<'_>, bool)>,
    ) -> Result<()> {
        if draw.is_none() && carried.is_none() {
            return Ok(());
        }
        let (job, ctx, unit) = (self.job, self.ctx, &self.job.plan.units[i]);
        let rows = Rows::pass(job.precision, job.rows(unit.middle), unit.middle.c);
        let name = format!("gradient_{}", rows.suffix);
        let args = args![
            ctx.grads[unit.target].place(),
            ctx.winners[i].place(),
            kind(unit.pool.as_ref()),
            self.window(i),
            ctx.raw(job, i),
            unit.residual.map(|r| ctx.values[r].place()),
            ctx.factors[i].place(),
            ctx.coefficients.place(),
            slope(unit),
            draw.map(|d| d.0),
            draw.is_some_and(|d| d.1),
            carried.map(|c| c.0),
            carried.is_some_and(|c| c.1),
            rows.rows,
            rows.c,
        ];
        // SAFETY: the context fits the plan; both outputs have the unit's middle shape.
        unsafe { self.gpu.launch(&name, rows.grid, args) }
    }

    fn window(&self, i: usize) -> Window {
        let pool = self.job.plan.units[i].pool.as_ref();
        pool.map_or_else(Window::default, Window::new)
    }

    fn convolution(&mut self, i: usize, conv: &ConvStep) -> Result<()> {
        let (job, ctx) = (self.job, self.ctx);
        let source = job.plan.units[i].source;
        let (x, dy) = (ctx.values[source].place(), ctx.raw_grad.place());
        let c = job.convolution(conv);
        if let Some(to) = self.grads[conv.weight] {
            let dw = ctx.weight_grad.place();
            let (inputs, places) = (conv.input.c as u32, (conv.kernel * conv.kernel) as u32);
            let n = conv.weights() as u32;
            let name = copying("unpack_weights", job.precision);
            // SAFETY: the context fits the plan, and `to` the parameter.
            unsafe {
                self.gpu
                    .convolve(&c, Pass::WeightGradient, [x, dw, dy], false)?;
                let args = args![dw, to, inputs, places, n];
                self.gpu.launch(&name, Grid::elements(n), args)?;
            }
        }
        let Some((dx, add)) = self.contribute(source) else {
            return Ok(());
        };
        let places = [dx, ctx.weights[i].place(), dy];
        // SAFETY: the context fits the plan.
        unsafe { self.gpu.convolve(&c, Pass::InputGradient, places, add) }
    }
}
