//! Axes: from values to pixels, and where the ticks are.

use crate::text::plain;

/// How an axis spreads its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// Evenly.
    #[default]
    Linear,
    /// By powers of ten; values must be positive.
    Log,
    /// By the normal deviate, for shares between 0 and 1 (DET curves).
    Probit,
}

/// An axis as the caller wants it.
#[derive(Debug, Clone, Default)]
pub struct Axis {
    /// What is measured, with its unit.
    pub label: String,
    /// How values are spread.
    pub scale: Scale,
    /// Fixed ends; by default those of the data.
    pub range: Option<(f64, f64)>,
    /// A value that the axis holds whatever the data.
    pub holds: Option<f64>,
    /// Ticks at whole numbers only.
    pub whole: bool,
    /// Ticks as per cent of 1.
    pub percent: bool,
}

impl Axis {
    /// A linear axis that spans the data.
    pub fn new(label: &str) -> Self {
        Self {
            label: label.into(),
            ..Self::default()
        }
    }

    /// Fixes both ends.
    pub fn range(self, low: f64, high: f64) -> Self {
        Self {
            range: Some((low, high)),
            ..self
        }
    }

    /// Holds a value whatever the data: 0 where nearness to 0 matters.
    pub fn holding(self, value: f64) -> Self {
        Self {
            holds: Some(value),
            ..self
        }
    }

    /// Chooses how values are spread.
    pub fn scaled(self, scale: Scale) -> Self {
        Self { scale, ..self }
    }

    /// Ticks at whole numbers only.
    pub fn whole(self) -> Self {
        Self {
            whole: true,
            ..self
        }
    }

    /// Ticks as per cent of 1.
    pub fn percent(self) -> Self {
        Self {
            percent: true,
            ..self
        }
    }
}

/// An axis laid out: ends, ticks and, after [`Ruler::between`], pixels.
#[derive(Debug, Clone)]
pub(super) struct Ruler {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Vec<(f64, String)>,
    pub(super) label: String,
    scale: Scale,
    start: f64,
    end: f64,
}

/// Values beyond this are not drawn: differences would overflow.
const LARGEST: f64 = 1e200;

impl Ruler {
    /// Lays out `axis` for the given values with about `count` ticks. With `to_ticks` the ends move
    /// outwards to round values.
    pub(super) fn new(
        axis: &Axis,
        values: impl Iterator<Item = f64>,
        count: usize,
        to_ticks: bool,
    ) -> Self {
        let (low, high) = ends(axis, values);
        let ticks = match axis.scale {
            Scale::Linear => return Self::linear(axis, low, high, count, to_ticks),
            Scale::Log => decades(low, high),
            Scale::Probit => shares(low, high),
        };
        let label = axis.label.clone();
        Self {
            low,
            high,
            ticks,
            label,
            scale: axis.scale,
            start: 0.0,
            end: 1.0,
        }
    }

    fn linear(axis: &Axis, low: f64, high: f64, count: usize, to_ticks: bool) -> Self {
        let mut step = nice_step((high - low) / count.max(1) as f64);
        if axis.whole {
            step = step.max(1.0);
        }
        let (mut low, mut high) = (low, high);
        if to_ticks && axis.range.is_none() {
            low = (low / step + 1e-9).floor() * step;
            high = (high / step - 1e-9).ceil() * step;
        }
        let first = (low / step - 1e-9).ceil();
        let values: Vec<f64> = (0..=2 * count + 2)
            .map(|i| (first + i as f64) * step)
            .take_while(|&value| value <= high + step * 1e-6)
            .collect();
        let unit = if axis.percent {
            0.01
        } else {
            power_of_ten_beside(low, high)
        };
        let mut label = axis.label.clone();
        if unit != 1.0 && !axis.percent {
            label.push_str(&format!(
                " × 10{}",
                superscript(unit.log10().round() as i32)
            ));
        }
        let places = places_of(step / unit);
        let sign = if axis.percent { "%" } else { "" };
        let ticks = values
            .into_iter()
            .map(|value| (value, format!("{}{sign}", plain(value / unit, places))))
            .collect();
        Self {
            low,
            high,
            ticks,
            label,
            scale: Scale::Linear,
            start: 0.0,
            end: 1.0,
        }
    }

    /// Gives the ends their pixels; `start` may be larger than `end`.
    pub(super) fn between(self, start: f64, end: f64) -> Self {
        Self { start, end, ..self }
    }

    /// The pixel of a value, kept between the ends; `None` when it cannot be drawn.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        if !value.is_finite() {
            return None;
        }
        let value = value.clamp(self.low, self.high);
        let (low, high) = (self.spread(self.low), self.spread(self.high));
        let share = (self.spread(value) - low) / (high - low);
        Some(self.start + share * (self.end - self.start))
    }

    fn spread(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => value,
            Scale::Log => value.log10(),
            Scale::Probit => probit(value),
        }
    }
}

/// Two different finite ends in the scale's own bounds.
fn ends(axis: &Axis, values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (floor, ceiling) = match axis.scale {
        Scale::Linear => (-LARGEST, LARGEST),
        Scale::Log => (1e-12, LARGEST),
        Scale::Probit => (1e-6, 1.0 - 1e-6),
    };
    let drawable = |value: &f64| value.is_finite();
    let (low, high) = match axis.range {
        Some((low, high)) if low.is_finite() && high.is_finite() && low < high => (low, high),
        _ => values
            .filter(drawable)
            .chain(axis.holds)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            }),
    };
    if low > high {
        return match axis.scale {
            Scale::Probit => (0.01, 0.5),
            Scale::Log => (0.1, 1.0),
            Scale::Linear => (0.0, 1.0),
        };
    }
    let (low, high) = (low.clamp(floor, ceiling), high.clamp(floor, ceiling));
    if high - low > 1e-9 * low.abs().max(high.abs()) && high - low > 1e-200 {
        return (low, high);
    }
    match axis.scale {
        Scale::Linear if axis.whole => (low - 0.5, low + 0.5),
        Scale::Linear if low.abs() < 1e-150 => (-1.0, 1.0),
        Scale::Linear => (low - low.abs() * 0.1, low + low.abs() * 0.1),
        Scale::Log => (low / 3.0, low * 3.0),
        Scale::Probit => (
            (low / 2.0).max(floor),
            (1.0 - (1.0 - low) / 2.0).min(ceiling),
        ),
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is at least `least`.
fn nice_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|&m| m * power >= least * (1.0 - 1e-9));
    step.unwrap_or(10.0) * power
}

/// The power of ten that keeps tick labels short: 1 unless all values are tiny or huge.
fn power_of_ten_beside(low: f64, high: f64) -> f64 {
    let largest = low.abs().max(high.abs());
    if (0.02..1e5).contains(&largest) {
        1.0
    } else {
        10f64.powf(largest.log10().floor())
    }
}

/// Decimal places that tell multiples of `step` apart.
fn places_of(step: f64) -> usize {
    (-(step * (1.0 + 1e-9)).log10().floor()).clamp(0.0, 6.0) as usize
}

fn superscript(power: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let raised = |c: char| c.to_digit(10).map_or('⁻', |digit| DIGITS[digit as usize]);
    power.to_string().chars().map(raised).collect()
}

fn decades(low: f64, high: f64) -> Vec<(f64, String)> {
    let (first, last) = (low.log10().ceil() as i32, high.log10().floor() as i32);
    let stride = ((last - first) / 6 + 1).max(1);
    (first..=last)
        .step_by(stride as usize)
        .map(|power| (10f64.powi(power), format!("10{}", superscript(power))))
        .collect()
}

fn shares(low: f64, high: f64) -> Vec<(f64, String)> {
    const ROUND: [(f64, &str); 13] = [
        (0.0001, "0.01%"),
        (0.001, "0.1%"),
        (0.005, "0.5%"),
        (0.02, "2%"),
        (0.05, "5%"),
        (0.1, "10%"),
        (0.2, "20%"),
        (0.4, "40%"),
        (0.6, "60%"),
        (0.8, "80%"),
        (0.9, "90%"),
        (0.98, "98%"),
        (0.999, "99.9%"),
    ];
    let inside = |(value, _): &(f64, &str)| (low..=high).contains(value);
    ROUND
        .into_iter()
        .filter(inside)
        .map(|(value, text)| (value, text.to_string()))
        .collect()
}

/// The normal deviate of a share: the inverse of the standard normal distribution function,
/// relative error below 1.2e-9 (P. J. Acklam's rational approximation).
pub(super) fn probit(share: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 5] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 4] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
    ];
    let horner = |terms: &[f64], x: f64| terms.iter().fold(0.0, |sum, term| sum * x + term);
    let tail = |share: f64| {
        let q = (-2.0 * share.ln()).sqrt();
        horner(&C, q) / (horner(&D, q) * q + 1.0)
    };
    if share < 0.02425 {
        tail(share)
    } else if share > 1.0 - 0.02425 {
        -tail(1.0 - share)
    } else {
        let q = share - 0.5;
        let r = q * q;
        horner(&A, r) * q / (horner(&B, r) * r + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(axis: &Axis, values: &[f64], to_ticks: bool) -> Vec<String> {
        let ruler = Ruler::new(axis, values.iter().copied(), 5, to_ticks);
        ruler.ticks.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(
            ticks(&Axis::new("y"), &[0.13, 0.87], true),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(
            ticks(&Axis::new("x").whole(), &[1.0, 3.0], false),
            ["1", "2", "3"]
        );
        assert_eq!(
            ticks(&Axis::new("x").percent(), &[0.0, 1.0], true),
            ["0%", "20%", "40%", "60%", "80%", "100%"]
        );
        assert_eq!(
            ticks(&Axis::new("y"), &[-2.0, 2.0], true),
            ["−2", "−1", "0", "1", "2"]
        );
    }

    #[test]
    fn tiny_values_share_a_power_of_ten() {
        let ruler = Ruler::new(&Axis::new("rate"), [1e-4, 1e-3].into_iter(), 5, true);
        assert_eq!(ruler.label, "rate × 10⁻³");
        assert_eq!(ruler.ticks[1].1, "0.2");
    }

    #[test]
    fn log_ticks_are_powers_of_ten() {
        let axis = Axis::new("far").scaled(Scale::Log);
        assert_eq!(
            ticks(&axis, &[1e-3, 1.0], false),
            ["10⁻³", "10⁻²", "10⁻¹", "10⁰"]
        );
    }

    #[test]
    fn degenerate_values_still_give_two_ends() {
        let cases: [&[f64]; 6] = [
            &[],
            &[f64::NAN],
            &[0.0],
            &[5.0, 5.0],
            &[f64::INFINITY, 1.0],
            &[-1e308, 1e308],
        ];
        for scale in [Scale::Linear, Scale::Log, Scale::Probit] {
            for values in cases {
                let ruler = Ruler::new(
                    &Axis::new("v").scaled(scale),
                    values.iter().copied(),
                    5,
                    true,
                );
                assert!(ruler.low < ruler.high, "{scale:?} {values:?}");
                assert!(
                    ruler.place(0.3).is_some_and(f64::is_finite),
                    "{scale:?} {values:?}"
                );
                assert!(ruler.place(f64::NAN).is_none());
            }
        }
    }

    #[test]
    fn the_normal_deviate_agrees_with_its_table() {
        for (share, deviate) in [
            (0.5, 0.0),
            (0.975, 1.959_963_985),
            (0.01, -2.326_347_874),
            (0.0001, -3.719_016_485),
        ] {
            assert!((probit(share) - deviate).abs() < 1e-7, "{share}");
        }
    }
}
