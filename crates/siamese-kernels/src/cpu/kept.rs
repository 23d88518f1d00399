//! How much memory a context grows to for each image of a batch.

use super::unit::{convolves_again, pending, pick};
use crate::plan::Plan;

/// Bytes that a forward in training and its backward keep for each image: values, what convolutions gave, what pools
/// picked, gradients. What they take for a moment is bounded, whatever the batch.
pub(crate) fn kept(plan: &Plan) -> usize {
    let pending = pending(plan);
    let floats = |units: &mut dyn Iterator<Item = usize>| 4 * units.sum::<usize>();
    let units = || plan.units.iter();
    let convolved = units()
        .filter(|unit| !convolves_again(unit))
        .filter_map(|unit| unit.conv.as_ref());
    let raw = floats(&mut convolved.map(|conv| conv.output.len()));
    // a float, and which pixel of the window it was
    let picked: usize = units()
        .filter_map(pick)
        .map(|pool| 5 * pool.output.len())
        .sum();
    let stored = plan
        .values
        .iter()
        .zip(&pending)
        .filter(|(_, pending)| !**pending);
    let values = floats(&mut stored.map(|(dims, _)| dims.len()));
    let gradients = floats(&mut plan.values.iter().skip(1).map(|dims| dims.len()));
    raw + picked + values + gradients
}

#[cfg(test)]
mod tests {
    use super::super::tests::case;
    use super::super::{Context, Strided, Views, backward, forward};
    use super::*;
    use crate::*;

    #[test]
    fn what_is_kept_is_what_a_step_leaves_in_its_buffers() {
        let batch = 6;
        let of = case((batch, 3, 8, 12), 1, |nets| {
            let body = vec![nets.conv3(8, 8), nets.norm(8)];
            let residual = Residual {
                body: Sequential::new(body),
                shortcut: None,
                activation: Some(Activation::Relu),
            };
            vec![
                nets.conv3(3, 8),
                nets.norm(8),
                Activation::Relu.into(),
                MaxPool2d::new(2).into(),
                Layer::Residual(residual),
                nets.conv3(8, 16),
                MaxPool2d::new(2).into(),
                GlobalAvgPool.into(),
            ]
        });
        let mut context = Context::default();
        let views = Views {
            params: &of.params.iter().map(Vec::as_slice).collect::<Vec<_>>(),
            running: &of.running,
            train: true,
        };
        let images = |values, d: crate::plan::Dims| Strided {
            values,
            start: 0,
            strides: [d.len(), d.w * d.c, d.c, 1],
        };
        forward(
            &of.plan,
            views,
            images(&of.x, of.plan.input()),
            &mut context,
        );
        let wanted = vec![true; of.params.len()];
        let dy = images(&of.dy, of.plan.output());
        backward(&of.plan, views, dy, &mut context, &wanted, false);
        let buffers = [
            &context.values,
            &context.raw,
            &context.picked,
            &context.grads,
        ];
        let floats: usize = buffers
            .into_iter()
            .flatten()
            .map(|buffer| buffer.len())
            .sum();
        let winners: usize = context.winners.iter().map(Vec::len).sum();
        assert_eq!(kept(&of.plan) * batch, 4 * floats + winners);
    }
}
