//! Sums, maxima and exponentials of rows, in lanes that each instruction set's compiler makes vectors of.
//!
//! Lanes are added up in one order, so that all levels give the same bits.

/// Lanes of a row.
pub(super) const LANES: usize = 16;

/// `e^x` of `x ≤ 0`, within two units in the last place; below −87 that of −87, 1.6e−38.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // adding it rounds to a whole number, whose bits are then the lowest of the sum
    const WHOLE: f32 = 12_582_912.0;
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    // Cephes' expf
    const COEFFICIENTS: [f32; 6] = [
        1.987_569_1e-4,
        1.398_2e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ];
    // no `max`, which would make a number of NaN
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + WHOLE;
    let whole = shifted - WHOLE;
    let rest = (x - whole * LN_2[0]) - whole * LN_2[1];
    let mut polynomial = COEFFICIENTS[0];
    for coefficient in &COEFFICIENTS[1..] {
        polynomial = polynomial * rest + coefficient;
    }
    let near_one = polynomial * rest * rest + rest + 1.0;
    near_one * f32::from_bits((shifted.to_bits() << 23).wrapping_add(1f32.to_bits()))
}

/// `fold` of each lane's numbers from `start` on, then of the lanes.
#[inline(always)]
pub(super) fn fold(row: &[f32], start: f32, fold: impl Fn(f32, f32) -> f32) -> f32 {
    let (whole, rest) = row.as_chunks::<LANES>();
    let mut lanes = [start; LANES];
    for row in whole {
        for i in 0..LANES {
            lanes[i] = fold(lanes[i], row[i]);
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane = fold(*lane, *x);
    }
    lanes.into_iter().fold(start, &fold)
}

/// `with` of each number, in its place.
#[inline(always)]
pub(super) fn map(row: &mut [f32], with: impl Fn(f32) -> f32) {
    let (whole, rest) = row.as_chunks_mut::<LANES>();
    for row in whole {
        for x in row {
            *x = with(*x);
        }
    }
    for x in rest {
        *x = with(*x);
    }
}

/// The product of two rows.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            lanes[i] += a[i] * b[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_those_of_f64_and_what_is_no_number_stays_none() {
        for i in 0..200_000 {
            let x = -87.0 * (i as f32 / 200_000.0);
            let exact = f64::from(x).exp();
            let apart = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(apart < 2.5e-7, "{x}: {apart}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn folds_and_products_see_every_number_of_a_row_of_any_length() {
        for len in [0, 1, 15, 16, 17, 40] {
            let row: Vec<f32> = (0..len).map(|i| i as f32 + 1.0).collect();
            let exact: f32 = row.iter().sum();
            assert_eq!(fold(&row, 0.0, |a, b| a + b), exact);
            assert_eq!(dot(&row, &vec![1.0; len]), exact);
            let mut doubled = row.clone();
            map(&mut doubled, |x| 2.0 * x);
            assert_eq!(doubled.iter().sum::<f32>(), 2.0 * exact);
        }
    }
}
