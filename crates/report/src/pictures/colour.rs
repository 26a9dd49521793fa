//! The diverging colour map: blue for negative, near white for 0, red for positive relevance.

use image::Rgb;

/// A glaring colour for NaN.
const NOT_A_NUMBER: Rgb<u8> = Rgb([255, 0, 255]);

/// The two ends and the middle in Oklab (lightness, green to red, blue to yellow). Both
/// ends have the same lightness, so that neither sign looks stronger.
const NEGATIVE: [f64; 3] = [0.48, -0.03, -0.165];
const NEUTRAL: [f64; 3] = [0.975, 0.0, 0.0];
const POSITIVE: [f64; 3] = [0.48, 0.16, 0.075];

/// The colour of a value between −1 and 1; values outside get the colour of the nearer end.
///
/// Interpolated in Oklab (Björn Ottosson, 2020), where equal steps look equally large.
pub fn diverging(value: f64) -> Rgb<u8> {
    if value.is_nan() {
        return NOT_A_NUMBER;
    }
    let (end, weight) = if value < 0.0 { (NEGATIVE, -value) } else { (POSITIVE, value) };
    let weight = weight.min(1.0);
    let [lightness, a, b] = std::array::from_fn(|i| NEUTRAL[i] + weight * (end[i] - NEUTRAL[i]));
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    Rgb([
        srgb(4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s),
        srgb(-1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s),
        srgb(-0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s),
    ])
}

/// Converts linear light to the byte of an sRGB picture.
fn srgb(light: f64) -> u8 {
    let light = light.clamp(0.0, 1.0);
    let encoded = if light <= 0.003_130_8 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
    (encoded * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_neutral_and_signs_differ() {
        let Rgb([r, g, b]) = diverging(0.0);
        assert!(r > 240 && r.abs_diff(g) <= 1 && g.abs_diff(b) <= 1, "{r} {g} {b}");
        let Rgb([r, _, b]) = diverging(1.0);
        assert!(r > 150 && r > b + 100, "red, not {:?}", diverging(1.0));
        let Rgb([r, _, b]) = diverging(-1.0);
        assert!(b > 150 && b > r + 100, "blue, not {:?}", diverging(-1.0));
    }

    #[test]
    fn beyond_the_ends_is_the_end_and_nan_is_seen() {
        assert_eq!(diverging(7.0), diverging(1.0));
        assert_eq!(diverging(f64::NEG_INFINITY), diverging(-1.0));
        assert_eq!(diverging(f64::NAN), NOT_A_NUMBER);
    }

    #[test]
    fn steps_are_even() {
        let grey = |v: f64| diverging(v).0.iter().map(|&c| f64::from(c)).sum::<f64>();
        let falls: Vec<_> =
            (0..10).map(|i| grey(f64::from(i) / 10.0) - grey(f64::from(i + 1) / 10.0)).collect();
        assert!(falls.iter().all(|fall| (40.0..70.0).contains(fall)), "{falls:?}");
    }
}
