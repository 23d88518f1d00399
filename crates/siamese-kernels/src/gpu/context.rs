//! What a forward keeps for its backward, and memory for both, used again step after step.

use candle_core::Result;

use super::device::{Gpu, Memory, Place};
use super::job::{Job, MOST_PARTS, size};

/// Memory that grows when it must.
#[derive(Debug)]
pub(super) struct Slot<M> {
    memory: Option<M>,
    bytes: usize,
}

impl<M> Default for Slot<M> {
    fn default() -> Self {
        Self {
            memory: None,
            bytes: 0,
        }
    }
}

impl<M: Memory> Slot<M> {
    fn fit<G: Gpu<Memory = M>>(&mut self, gpu: &G, bytes: usize) -> Result<()> {
        if self.memory.is_none() || self.bytes < bytes {
            self.memory = None; // freed first: both together might not fit
            self.memory = Some(gpu.allocate(bytes.max(1))?);
            self.bytes = bytes;
        }
        Ok(())
    }

    /// Its place; fitted memory is always there, a null pointer else.
    pub(super) fn place(&self) -> Place<'_> {
        self.memory
            .as_ref()
            .map_or(Place::new(0), |memory| memory.place())
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Context<M> {
    /// Values of the plan, channels-last.
    pub(super) values: Vec<Slot<M>>,
    /// Per unit: what its convolution gave; all in the first where nothing is kept.
    raw: Vec<Slot<M>>,
    keeps: bool,
    /// Per unit with a max-pool: which pixel of each window won.
    pub(super) winners: Vec<Slot<M>>,
    /// Per unit: scale, shift, mean and 1/std of each channel, f32.
    pub(super) factors: Vec<Slot<M>>,
    /// Per unit: its weights (out, place, in).
    pub(super) weights: Vec<Slot<M>>,
    /// Gradients of the values.
    pub(super) grads: Vec<Slot<M>>,
    /// Gradient of a convolution's output.
    pub(super) raw_grad: Slot<M>,
    /// Gradient of packed weights.
    pub(super) weight_grad: Slot<M>,
    pub(super) coefficients: Slot<M>,
    /// Sums of blocks of threads, before they are added up.
    pub(super) partial: Slot<M>,
}

impl<M> Default for Context<M> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            raw: Vec::new(),
            keeps: false,
            winners: Vec::new(),
            factors: Vec::new(),
            weights: Vec::new(),
            grads: Vec::new(),
            raw_grad: Slot::default(),
            weight_grad: Slot::default(),
            coefficients: Slot::default(),
            partial: Slot::default(),
        }
    }
}

impl<M: Memory> Context<M> {
    /// Memory for a forward; `keeps` says that a backward will follow.
    pub(super) fn fit_forward<G: Gpu<Memory = M>>(
        &mut self,
        gpu: &G,
        job: &Job<'_>,
        keeps: bool,
    ) -> Result<()> {
        let (plan, element) = (job.plan, size(job.precision));
        self.keeps = keeps;
        self.values.resize_with(plan.values.len(), Slot::default);
        for (slot, d) in self.values.iter_mut().zip(&plan.values) {
            slot.fit(gpu, plan.batch * d.len() * element)?;
        }
        let units = plan.units.len();
        for slots in [
            &mut self.raw,
            &mut self.winners,
            &mut self.factors,
            &mut self.weights,
        ] {
            slots.resize_with(units, Slot::default);
        }
        let mut widest = 0;
        for (i, unit) in plan.units.iter().enumerate() {
            if let Some(conv) = &unit.conv {
                let raw = if keeps { i } else { 0 };
                self.raw[raw].fit(gpu, plan.batch * conv.output.len() * element)?;
                self.weights[i].fit(gpu, conv.weights() * element)?;
            }
            if let Some(pool) = &unit.pool {
                self.winners[i].fit(gpu, plan.batch * pool.output.len())?;
            }
            self.factors[i].fit(gpu, 4 * unit.middle.c * 4)?;
            widest = widest.max(unit.middle.c);
        }
        self.partial
            .fit(gpu, (2 * MOST_PARTS as usize + 1) * widest * 4)?;
        self.coefficients.fit(gpu, 3 * widest * 4)
    }

    /// Memory for a backward behind that forward.
    pub(super) fn fit_backward<G: Gpu<Memory = M>>(
        &mut self,
        gpu: &G,
        job: &Job<'_>,
    ) -> Result<()> {
        let (plan, element) = (job.plan, size(job.precision));
        self.grads.resize_with(plan.values.len(), Slot::default);
        for (slot, d) in self.grads.iter_mut().zip(&plan.values) {
            slot.fit(gpu, plan.batch * d.len() * element)?;
        }
        for conv in plan.units.iter().filter_map(|u| u.conv.as_ref()) {
            self.raw_grad
                .fit(gpu, plan.batch * conv.output.len() * element)?;
            self.weight_grad.fit(gpu, conv.weights() * element)?;
        }
        Ok(())
    }

    /// What unit `i` applies its norm to.
    pub(super) fn raw(&self, job: &Job<'_>, i: usize) -> Place<'_> {
        let unit = &job.plan.units[i];
        match (&unit.conv, self.keeps) {
            (Some(_), true) => self.raw[i].place(),
            (Some(_), false) => self.raw[0].place(),
            (None, _) => self.values[unit.source].place(),
        }
    }
}
