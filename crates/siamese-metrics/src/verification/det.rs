//! The detection error trade-off: FRR against FAR on normal deviate axes.

use serde::{Deserialize, Serialize};

use super::roc::RocPoint;

/// One point of a DET curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetPoint {
    /// "Same" is `distance < threshold`.
    pub threshold: f32,
    /// False accept rate.
    pub far: f64,
    /// False reject rate.
    pub frr: f64,
    /// [`probit`] of `far`, the abscissa.
    pub x: f64,
    /// [`probit`] of `frr`, the ordinate.
    pub y: f64,
}

/// The DET points of an ROC curve; those with a rate of 0 or 1 lie at infinity and are left out.
///
/// Martin et al., *The DET curve in assessment of detection task performance* (1997).
pub fn det_points(roc: &[RocPoint]) -> Vec<DetPoint> {
    roc.iter()
        .map(|point| {
            let frr = 1.0 - point.tar;
            let (x, y) = (probit(point.far), probit(frr));
            DetPoint {
                threshold: point.threshold,
                far: point.far,
                frr,
                x,
                y,
            }
        })
        .filter(|point| point.x.is_finite() && point.y.is_finite())
        .collect()
}

/// Inverse of the standard normal distribution function, `Φ⁻¹(p)`; infinite at 0 and 1.
///
/// Acklam's rational approximation, relative error below 1.2e-9.
///
/// ```
/// use siamese_metrics::verification::probit;
/// assert!((probit(0.975) - 1.959964).abs() < 1e-6);
/// ```
pub fn probit(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e1,
        2.209460984245205e2,
        -2.759285104469687e2,
        1.38357751867269e2,
        -3.066479806614716e1,
        2.506628277459239,
    ];
    const B: [f64; 6] = [
        -5.447609879822406e1,
        1.615858368580409e2,
        -1.556989798598866e2,
        6.680131188771972e1,
        -1.328068155288572e1,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784894002430293e-3,
        -3.223964580411365e-1,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const D: [f64; 5] = [
        7.784695709041462e-3,
        3.224671290700398e-1,
        2.445134137142996,
        3.754408661907416,
        1.0,
    ];
    const TAIL: f64 = 0.02425;

    let horner = |c: &[f64], x: f64| c.iter().fold(0.0, |sum, c| sum * x + c);
    if p <= 0.0 {
        f64::NEG_INFINITY
    } else if p >= 1.0 {
        f64::INFINITY
    } else if p < TAIL {
        let q = (-2.0 * p.ln()).sqrt();
        horner(&C, q) / horner(&D, q)
    } else if p > 1.0 - TAIL {
        let q = (-2.0 * (1.0 - p).ln()).sqrt();
        -horner(&C, q) / horner(&D, q)
    } else {
        let q = p - 0.5;
        q * horner(&A, q * q) / horner(&B, q * q)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probit_is_odd_about_a_half_and_infinite_at_the_ends() {
        // scipy.stats.norm.ppf
        for (p, z) in [
            (0.5, 0.0),
            (0.01, -2.3263478740408408),
            (1e-4, -3.719016485455709),
        ] {
            assert!((probit(p) - z).abs() < 1e-8, "{p}");
            assert!((probit(1.0 - p) + z).abs() < 1e-8, "{p}");
        }
        assert_eq!(probit(0.0), f64::NEG_INFINITY);
        assert_eq!(probit(1.0), f64::INFINITY);
    }

    #[test]
    fn points_at_infinity_are_left_out() {
        let roc = [(0.0, 0.0), (0.0, 0.5), (0.25, 0.75), (1.0, 1.0)].map(|(far, tar)| RocPoint {
            threshold: 1.0,
            far,
            tar,
        });
        let det = det_points(&roc);
        assert_eq!(det.len(), 1);
        assert_eq!((det[0].far, det[0].frr), (0.25, 0.25));
        assert_eq!(det[0].x, det[0].y);
    }
}
