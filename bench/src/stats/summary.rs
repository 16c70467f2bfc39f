//! Repetitions of one measurement as one figure and how far it can be trusted.

/// The middle of these figures (of an even number, the mean of the two in the middle); `None` without any.
pub fn median(figures: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = figures.into_iter().filter(|figure| figure.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// Median, smallest and largest of the repetitions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The figure to quote.
    pub median: f64,
    /// The smallest repetition.
    pub low: f64,
    /// The largest repetition.
    pub high: f64,
}

impl Spread {
    /// Of these repetitions; `None` without any.
    pub fn of(figures: impl IntoIterator<Item = f64> + Clone) -> Option<Spread> {
        let finite = |figures: &mut dyn Iterator<Item = f64>, keep: fn(f64, f64) -> f64| {
            figures.filter(|figure| figure.is_finite()).reduce(keep)
        };
        Some(Spread {
            median: median(figures.clone())?,
            low: finite(&mut figures.clone().into_iter(), f64::min)?,
            high: finite(&mut figures.into_iter(), f64::max)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median([]), None);
        assert_eq!(median([3.0]), Some(3.0));
        assert_eq!(median([9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, f64::NAN, 2.0, 9.0]), Some(3.0));
    }

    #[test]
    fn spreads() {
        assert_eq!(Spread::of([2.0, 5.0, 1.0]), Some(Spread { median: 2.0, low: 1.0, high: 5.0 }));
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
