//! How attributions are distributed over the features, whatever the function.

/// Gini's index of the magnitudes (Chalasani et al. 2020, arXiv 1810.06583): 0 if all are equal, near 1 if one has everything.
pub fn sparseness(attributions: &[f64]) -> f64 {
    let mut sizes: Vec<f64> = attributions.iter().map(|value| value.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let (count, total) = (sizes.len() as f64, sizes.iter().sum::<f64>());
    let weighted: f64 =
        (1..).zip(&sizes).map(|(rank, size)| (2.0 * f64::from(rank) - count - 1.0) * size).sum();
    if total > 0.0 { weighted / (count * total) } else { 0.0 }
}

/// The entropy of the magnitudes as parts of their sum, in nats (Bhatt, Weller and Moura 2020, arXiv 2005.00631): 0 if one has everything, ln n
/// if all n are equal.
pub fn complexity(attributions: &[f64]) -> f64 {
    let total: f64 = attributions.iter().map(|value| value.abs()).sum();
    let parts = attributions.iter().map(|value| value.abs() / total).filter(|part| *part > 0.0);
    -parts.map(|part| part * part.ln()).sum::<f64>()
}

/// How many magnitudes are above a part of the largest (Nguyen and Martínez 2020, arXiv 2007.07584).
pub fn effective_complexity(attributions: &[f64], part: f64) -> usize {
    let largest = attributions.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    attributions.iter().filter(|value| value.abs() > part * largest).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_each_scale_are_reached() {
        let (equal, one) = ([1.0, -1.0, 1.0, 1.0], [0.0, 0.0, -3.0, 0.0]);
        assert!(sparseness(&equal).abs() < 1e-12 && (sparseness(&one) - 0.75).abs() < 1e-12);
        assert!((complexity(&equal) - 4.0_f64.ln()).abs() < 1e-12 && complexity(&one).abs() < 1e-12);
        assert_eq!((effective_complexity(&equal, 0.1), effective_complexity(&one, 0.1)), (4, 1));
        assert_eq!(sparseness(&[0.0; 3]), 0.0);
    }
}
