//! Numbers as people read them.

use dlbacktrace_core::{Amount, Mode};

/// An amount of relevance; in contrastive mode, the difference of the channels and what it is made of.
pub(crate) fn relevance(amount: Amount, mode: Mode) -> String {
    let text = |number| significant(number, 4);
    match mode {
        Mode::Default => text(amount.positive),
        Mode::Contrastive => format!(
            "{} = {} for less {} against",
            text(amount.difference()),
            text(amount.positive),
            text(amount.negative)
        ),
    }
}

/// A number with `digits` significant digits; very large and very small ones in scientific notation.
pub(crate) fn significant(number: f64, digits: usize) -> String {
    if number == 0.0 || !number.is_finite() {
        return if number == 0.0 { "0".to_owned() } else { number.to_string() };
    }
    let scientific = format!("{number:.*e}", digits.saturating_sub(1));
    let exponent: i32 = scientific.rsplit_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    if !(-4..=6).contains(&exponent) {
        return scientific;
    }
    let decimals = usize::try_from(digits as i32 - 1 - exponent).unwrap_or(0);
    format!("{number:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_channels_stand_behind_their_difference() {
        let amount = Amount::new(0.75, 0.5);
        assert_eq!(relevance(amount, Mode::Contrastive), "0.2500 = 0.7500 for less 0.5000 against");
        assert_eq!(relevance(Amount::default_mode(0.75), Mode::Default), "0.7500");
    }

    #[test]
    fn reads_well_at_every_size() {
        for (number, text) in [
            (0.0, "0"),
            (1.0, "1.000"),
            (-0.012345, "-0.01235"),
            (12345.678, "12346"),
            (9.9999, "10.00"),
            (1.5e9, "1.500e9"),
            (-2.0e-7, "-2.000e-7"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(significant(number, 4), text);
        }
    }
}
