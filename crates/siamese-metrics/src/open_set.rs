//! Open-set identification, 1:N with strangers among the probes.
//!
//! A probe is *taken* for the class that it is nearest to where that is nearer than a threshold. The *detection and
//! identification rate* is the share of known probes that are taken, and for their own class; a *false alarm* is a
//! stranger that is taken for somebody. After Grother and Ngan, *Face Recognition Vendor Test* (NIST IR 8009), and
//! Phillips, Grother and Micheals, *Evaluation methods in face recognition* (2011), §2.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check_finite};

/// What searching a known probe gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnownProbe {
    /// How far the nearest class is.
    pub distance: f32,
    /// Whether it is the probe's own.
    pub right: bool,
}

/// Figures of open-set identification at one threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenSet {
    /// Probes nearer than this are taken.
    pub threshold: f64,
    /// Share of known probes that are taken for their own class.
    pub detection_and_identification: f64,
    /// Share of strangers that are taken for somebody.
    pub false_alarms: f64,
    /// Share of known probes whose nearest class is their own, whatever its distance.
    pub rank_1: f64,
}

/// The figures at the threshold at which no more than this share of strangers is taken for somebody.
///
/// ```
/// use siamese_metrics::open_set::{KnownProbe, open_set};
///
/// let known = [(0.1, true), (0.3, true), (0.2, false), (0.6, true)];
/// let known = known.map(|(distance, right)| KnownProbe { distance, right });
/// let figures = open_set(&known, &[0.4, 0.5, 0.7, 0.9], 0.25)?;
/// assert_eq!((figures.threshold, figures.false_alarms), (0.5, 0.25));
/// assert_eq!((figures.detection_and_identification, figures.rank_1), (0.5, 0.75));
/// # Ok::<(), siamese_metrics::Error>(())
/// ```
///
/// # Errors
/// No known probe, no stranger, or a distance that is not finite; a share outside of 0 to 1.
pub fn open_set(known: &[KnownProbe], strangers: &[f32], false_alarms: f64) -> Result<OpenSet> {
    if known.is_empty() {
        return Err(Error::Empty {
            what: "known probes",
        });
    }
    let distances: Vec<f32> = known.iter().map(|probe| probe.distance).collect();
    check_finite("known probes", &distances)?;
    let threshold = threshold_at(strangers, false_alarms)?;
    let taken = |distance: f32| f64::from(distance) < threshold;
    let share = |count: usize, of: usize| count as f64 / of as f64;
    let right = known.iter().filter(|probe| probe.right);
    let alarms = strangers.iter().filter(|d| taken(**d)).count();
    Ok(OpenSet {
        threshold,
        detection_and_identification: share(
            right.clone().filter(|probe| taken(probe.distance)).count(),
            known.len(),
        ),
        false_alarms: share(alarms, strangers.len()),
        rank_1: share(right.count(), known.len()),
    })
}

/// The greatest threshold at which no more than this share of strangers is nearer.
///
/// # Errors
/// No stranger, or a distance that is not finite; a share outside of 0 to 1.
pub fn threshold_at(strangers: &[f32], false_alarms: f64) -> Result<f64> {
    if strangers.is_empty() {
        return Err(Error::Empty { what: "strangers" });
    }
    check_finite("strangers", strangers)?;
    if !(0.0..=1.0).contains(&false_alarms) {
        return Err(Error::Invalid {
            what: "false alarms",
            why: format!("{false_alarms} is no share from 0 to 1"),
        });
    }
    let mut ascending = strangers.to_vec();
    ascending.sort_unstable_by(f32::total_cmp);
    // a product such as 0.07 · 100 may lie a hair below its whole number
    let allowed = (false_alarms * strangers.len() as f64 + 1e-9) as usize;
    Ok(ascending
        .get(allowed)
        .map_or(f64::INFINITY, |distance| f64::from(*distance)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By trying every threshold that could be it.
    fn naive(strangers: &[f32], share: f64) -> f64 {
        let rate = |t: f64| {
            let alarms = strangers.iter().filter(|d| f64::from(**d) < t).count();
            alarms as f64 / strangers.len() as f64
        };
        let candidates = strangers
            .iter()
            .map(|d| f64::from(*d))
            .chain([f64::INFINITY]);
        candidates
            .filter(|t| rate(*t) <= share + 1e-12)
            .fold(0.0, f64::max)
    }

    #[test]
    fn the_threshold_is_the_greatest_that_the_false_alarms_allow() {
        let strangers: Vec<f32> = (0..137).map(|i| (i * 29 % 41) as f32 / 7.0).collect();
        for share in [0.0, 0.01, 0.07, 0.3, 0.5, 0.999, 1.0] {
            let found = threshold_at(&strangers, share).unwrap();
            assert_eq!(found, naive(&strangers, share), "{share}");
        }
    }

    #[test]
    fn what_cannot_be_measured_is_refused_by_name() {
        let probe = KnownProbe {
            distance: 0.1,
            right: true,
        };
        let said = |result: Result<OpenSet>| result.unwrap_err().to_string();
        assert!(said(open_set(&[], &[0.1], 0.01)).contains("known probes"));
        assert!(said(open_set(&[probe], &[], 0.01)).contains("strangers"));
        assert!(said(open_set(&[probe], &[f32::NAN], 0.01)).contains("strangers[0]"));
        assert!(said(open_set(&[probe], &[0.1], 1.5)).contains("1.5"));
    }
}
