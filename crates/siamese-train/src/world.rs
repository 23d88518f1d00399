//! The processes that a step is shared by, and how its tensors travel between them.

use std::ops::Deref;
use std::sync::Arc;

use anyhow::{Result, ensure};
use candle_core::{DType, Device, Tensor};
use siamese_collective::Collective;
use siamese_data::part_of;

/// The processes: numbers and words go through the host's memory, tensors from card to card where they can.
pub(crate) struct World {
    processes: Arc<dyn Collective>,
    cards: Option<Box<dyn Cards>>,
}

/// Tensors from card to card. An error ends it for good.
pub(crate) trait Cards: Send + Sync {
    /// The sum of `values` over all processes.
    fn sum(&self, values: &Tensor) -> Result<Tensor>;

    /// The rows `(N, D)` of all processes, by rank, `(size · N, D)`; N is the same in all.
    fn gather(&self, rows: &Tensor) -> Result<Tensor>;
}

impl World {
    /// Meets by card, where all processes have one and this build can.
    ///
    /// # Errors
    /// When the cards do not reach each other, or two processes share one.
    pub(crate) fn new(processes: Arc<dyn Collective>, device: &Device) -> Result<Self> {
        let cards = cards(&processes, device)?;
        Ok(Self { processes, cards })
    }

    /// The embeddings `(images, D)` of a batch, of which each process has its part `(own, D)`.
    pub(crate) fn gather(&self, own: &Tensor, images: usize) -> Result<Tensor> {
        let width = own.dim(1)?;
        if let Some(cards) = &self.cards {
            return gather_parts(&**cards, own, images, self.processes.size());
        }
        let all = self.processes.gather(&numbers(own)?)?.concat();
        ensure!(
            all.len() == images * width,
            "the processes embedded {} numbers of a batch of {images} embeddings of {width}",
            all.len()
        );
        Ok(Tensor::from_vec(all, (images, width), own.device())?)
    }

    /// The sum of f32 `values` over all processes, the same bits in each.
    pub(crate) fn sum(&self, values: &Tensor) -> Result<Tensor> {
        if let Some(cards) = &self.cards {
            return cards.sum(values);
        }
        let mut sum = numbers(values)?;
        self.processes.sum(&mut sum)?;
        Ok(Tensor::from_vec(sum, values.shape(), values.device())?)
    }
}

impl Deref for World {
    type Target = dyn Collective;

    fn deref(&self) -> &Self::Target {
        &*self.processes
    }
}

fn numbers(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.flatten_all()?.to_dtype(DType::F32)?.to_vec1()?)
}

/// Parts differ by a row: all are gathered as long as the longest, and what was added is cut off again.
fn gather_parts(cards: &dyn Cards, own: &Tensor, images: usize, size: usize) -> Result<Tensor> {
    let most = images.div_ceil(size);
    let (count, width) = own.dims2()?;
    let padding = Tensor::zeros((most - count, width), own.dtype(), own.device())?;
    let all = cards.gather(&Tensor::cat(&[own, &padding], 0)?)?;
    let part = |rank| all.narrow(0, rank * most, part_of(images, (rank, size)).len());
    let parts = (0..size)
        .map(part)
        .collect::<candle_core::Result<Vec<_>>>()?;
    Ok(Tensor::cat(&parts, 0)?)
}

#[cfg(not(feature = "nccl"))]
#[expect(clippy::unnecessary_wraps, reason = "with NCCL it can fail")]
fn cards(_: &Arc<dyn Collective>, _: &Device) -> Result<Option<Box<dyn Cards>>> {
    Ok(None)
}

#[cfg(feature = "nccl")]
fn cards(processes: &Arc<dyn Collective>, device: &Device) -> Result<Option<Box<dyn Cards>>> {
    nccl::meet(processes, device)
}

#[cfg(feature = "nccl")]
mod nccl {
    use siamese_kernels::Nccl;

    use super::*;

    /// The cards, and the processes by which it is known who is still there.
    struct ByNccl(Nccl, Arc<dyn Collective>);

    pub(super) fn meet(
        processes: &Arc<dyn Collective>,
        device: &Device,
    ) -> Result<Option<Box<dyn Cards>>> {
        if processes.any(!device.is_cuda())? {
            return Ok(None);
        }
        let point = match processes.rank() {
            0 => Nccl::meeting_point()?,
            _ => Vec::new(),
        };
        let point = processes.broadcast(point)?;
        let nccl = Nccl::join(device, (processes.rank(), processes.size()), &point)?;
        Ok(Some(Box::new(ByNccl(nccl, Arc::clone(processes)))))
    }

    impl ByNccl {
        /// Says who is gone, where that is why it failed.
        fn explained(&self, done: candle_core::Result<Tensor>) -> Result<Tensor> {
            if done.is_err() {
                self.1.alive()?;
            }
            Ok(done?)
        }
    }

    impl Cards for ByNccl {
        fn sum(&self, values: &Tensor) -> Result<Tensor> {
            self.explained(self.0.sum(values, &|| self.1.alive().is_ok()))
        }

        fn gather(&self, rows: &Tensor) -> Result<Tensor> {
            self.explained(self.0.gather(rows, &|| self.1.alive().is_ok()))
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::TcpListener;
    use std::thread;

    use siamese_collective::{Patience, Place, Ring};

    use super::*;

    /// Stands for cards: the same exchanges, through the host's memory.
    struct InHost(Arc<dyn Collective>);

    impl Cards for InHost {
        fn sum(&self, values: &Tensor) -> Result<Tensor> {
            let mut sum = numbers(values)?;
            self.0.sum(&mut sum)?;
            Ok(Tensor::from_vec(sum, values.shape(), values.device())?)
        }

        fn gather(&self, rows: &Tensor) -> Result<Tensor> {
            let all = self.0.gather(&numbers(rows)?)?;
            let (count, width) = rows.dims2()?;
            ensure!(all.iter().all(|other| other.len() == count * width));
            Ok(Tensor::from_vec(
                all.concat(),
                (all.len() * count, width),
                rows.device(),
            )?)
        }
    }

    /// What this process of a ring exchanges with the others, by what stands for cards or through the host.
    pub(crate) fn world(ring: Ring, by_cards: bool) -> World {
        let processes: Arc<dyn Collective> = Arc::new(ring);
        let cards = by_cards.then(|| Box::new(InHost(Arc::clone(&processes))) as Box<dyn Cards>);
        World { processes, cards }
    }

    /// What each of `size` processes, each a thread, makes of its ring.
    pub(crate) fn among<T: Send>(
        size: usize,
        work: impl Fn(Ring) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let place = |rank| Place {
            rank,
            size,
            local_rank: rank,
            local_size: None,
            host: "127.0.0.1".into(),
            port,
            run: String::new(),
        };
        thread::scope(|scope| {
            let other = |rank| {
                let (place, work) = (place(rank), &work);
                scope.spawn(move || work(Ring::join(&place, Patience::default())?))
            };
            let others: Vec<_> = (1..size).map(other).collect();
            let first = Ring::lead(listener, &place(0), Patience::default());
            let first = first.map_err(Into::into).and_then(&work);
            let others = others.into_iter().map(|one| one.join().expect("no panic"));
            std::iter::once(first).chain(others).collect()
        })
    }

    #[test]
    fn parts_of_any_length_are_gathered_in_order() -> Result<()> {
        for (size, images) in [(2, 6), (3, 7), (4, 6), (4, 4)] {
            let rows = Tensor::arange(0f32, images as f32 * 3.0, &Device::Cpu)?;
            let rows = rows.reshape((images, 3))?;
            for by_cards in [false, true] {
                let all = among(size, |ring| {
                    let own = part_of(images, (ring.rank(), size));
                    let own = rows.narrow(0, own.start, own.len())?;
                    world(ring, by_cards).gather(&own, images)
                })?;
                for gathered in all {
                    assert_eq!(gathered.to_vec2::<f32>()?, rows.to_vec2::<f32>()?);
                }
            }
        }
        Ok(())
    }
}
