//! `.png` and `.jpg`: an image as a batch of one.

use super::preparation::Preparation;
use crate::args::{ImageArgs, Range, Size};
use dlbacktrace::Value;
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageReader, Rgb32FImage};
use ndarray::{Array3, Axis, s};
use std::io::Cursor;

/// Reads an image file as `1, C, H, W` (or `1, H, W, C`) in its range, then subtracts the mean and divides by the standard
/// deviation, if these are given.
///
/// # Errors
/// What is wrong with it.
pub fn parse(bytes: &[u8], preparation: &Preparation<'_>) -> Result<Value, String> {
    let options = preparation.args;
    let broken = |e: &dyn std::fmt::Display| format!("it is not a complete image ({e})");
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| broken(&e))?;
    let image = reader.decode().map_err(|e| broken(&e))?;
    let mut pixels = channels(&image, preparation)?;
    pixels.mapv_inplace(|pixel| in_range(pixel, preparation.range));
    for (name, numbers, apply) in [
        ("--mean", &options.mean, (|pixel, mean| pixel - mean) as fn(f32, f32) -> f32),
        ("--std", &options.std, |pixel, std| pixel / std),
    ] {
        let count = pixels.len_of(Axis(2));
        if !numbers.is_empty() && numbers.len() != 1 && numbers.len() != count {
            return Err(format!(
                "{name} has {} numbers for an image of {count} channels; give one for each, or one for all, or choose \
                 the channels with --channels",
                numbers.len()
            ));
        }
        for (mut channel, number) in pixels.axis_iter_mut(Axis(2)).zip(numbers.iter().cycle()) {
            channel.mapv_inplace(|pixel| apply(pixel, *number));
        }
    }
    let layout = preparation.layout;
    let pixels = match layout.channels_first() {
        true => pixels.permuted_axes([2, 0, 1]).as_standard_layout().into_owned(),
        false => pixels,
    };
    let pixels =
        if layout.has_samples() { pixels.insert_axis(Axis(0)).into_dyn() } else { pixels.into_dyn() };
    match preparation.range {
        Range::Bytes if !options.mean.is_empty() || !options.std.is_empty() => Err(
            "--mean and --std do not give whole bytes; give --range 0..255, or leave --mean and --std out"
                .to_owned(),
        ),
        Range::Bytes => Ok(Value::U8(pixels.mapv(|pixel| pixel as u8))),
        _ => Ok(Value::F32(pixels)),
    }
}

/// Scales a pixel of 0 … 1 to a range.
fn in_range(pixel: f32, range: Range) -> f32 {
    match range {
        Range::Unit => pixel,
        Range::Full => pixel * 255.0,
        Range::Signed => pixel * 2.0 - 1.0,
        Range::Bytes => (pixel * 255.0).round().clamp(0.0, 255.0),
    }
}

/// Rows, columns and channels in 0 … 1, in the wanted size.
fn channels(image: &DynamicImage, preparation: &Preparation<'_>) -> Result<Array3<f32>, String> {
    let (options, wanted) = (preparation.args, preparation.channels);
    let grey = wanted.map_or(!image.color().has_color(), |channels| channels == 1);
    let keep = match wanted {
        None if grey => 1,
        None => 3,
        Some(channels @ (1 | 3)) => channels,
        Some(4) => return with_alpha(image, options),
        Some(other) => return Err(format!("--channels must be 1 (grey), 3 (RGB) or 4 (RGBA), not {other}")),
    };
    let image = if grey { DynamicImage::ImageLuma16(image.to_luma16()) } else { image.clone() };
    let pixels = sized(image.to_rgb32f(), options)?;
    Ok(pixels.slice(s![.., .., ..usize::from(keep)]).to_owned())
}

fn with_alpha(image: &DynamicImage, options: &ImageArgs) -> Result<Array3<f32>, String> {
    let alpha = image.to_rgba32f();
    let alpha = Rgb32FImage::from_fn(alpha.width(), alpha.height(), |x, y| {
        image::Rgb([alpha.get_pixel(x, y).0[3]; 3])
    });
    let (colour, alpha) = (sized(image.to_rgb32f(), options)?, sized(alpha, options)?);
    ndarray::concatenate(Axis(2), &[colour.view(), alpha.slice(s![.., .., ..1])]).map_err(|e| e.to_string())
}

/// Resized by linear interpolation over the area of each new pixel (antialiased), then cropped in the middle.
fn sized(mut image: Rgb32FImage, options: &ImageArgs) -> Result<Array3<f32>, String> {
    if let Some(size) = options.resize {
        let (width, height) = resized(size, image.width(), image.height());
        if (width, height) != image.dimensions() {
            image = imageops::resize(&image, width, height, FilterType::Triangle);
        }
    }
    if let Some(Size { height, width }) = options.crop {
        let width = width.unwrap_or(height);
        if image.width() < width || image.height() < height {
            let (w, h) = image.dimensions();
            return Err(format!(
                "--crop {height}x{width} is larger than the image of {h}x{w}; enlarge the image with --resize"
            ));
        }
        let (left, top) = ((image.width() - width) / 2, (image.height() - height) / 2);
        image = imageops::crop_imm(&image, left, top, width, height).to_image();
    }
    let (width, height) = image.dimensions();
    Array3::from_shape_vec((height as usize, width as usize, 3), image.into_raw()).map_err(|e| e.to_string())
}

/// Width and height after resizing; one number is the shorter side.
fn resized(size: Size, width: u32, height: u32) -> (u32, u32) {
    match size {
        Size { height, width: Some(width) } => (width, height),
        Size { height: side, width: None } => {
            let scaled = |extent: u32, shorter: u32| {
                u32::try_from(u64::from(extent) * u64::from(side) / u64::from(shorter.max(1)))
                    .unwrap_or(u32::MAX)
            };
            let shorter = width.min(height);
            (scaled(width, shorter), scaled(height, shorter))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Layout;
    use image::{ImageFormat, Luma, Rgb, Rgba};
    use ndarray::ArrayD;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    /// The array of a file for these options, without a model.
    fn pixels(bytes: &[u8], args: &ImageArgs) -> Result<ArrayD<f32>, String> {
        let channels = if args.grayscale { Some(1) } else { args.channels };
        let layout = args.layout.unwrap_or(Layout::Nchw);
        let range = args.range.unwrap_or_default();
        match parse(bytes, &Preparation { args, layout, channels, range, assumed: Vec::new() })? {
            Value::F32(array) => Ok(array),
            Value::U8(array) => Ok(array.mapv(f32::from)),
            other => Err(format!("{other:?}")),
        }
    }

    fn png(image: impl Into<DynamicImage>) -> Result<Vec<u8>, image::ImageError> {
        let mut bytes = Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, ImageFormat::Png)?;
        Ok(bytes.into_inner())
    }

    #[test]
    fn grey_stays_grey_and_colour_colour() -> Outcome {
        let grey = pixels(&png(image::GrayImage::from_pixel(3, 2, Luma([51])))?, &ImageArgs::default())?;
        assert_eq!(grey.shape(), [1, 1, 2, 3]);
        assert!(grey.iter().all(|v| (v - 0.2).abs() < 1e-6));
        let red = png(image::RgbImage::from_pixel(3, 2, Rgb([255, 0, 0])))?;
        assert_eq!(pixels(&red, &ImageArgs::default())?.shape(), [1, 3, 2, 3]);
        let grey = pixels(&red, &ImageArgs { grayscale: true, ..ImageArgs::default() })?;
        assert_eq!(grey.shape(), [1, 1, 2, 3]);
        let rgba = png(image::RgbaImage::from_pixel(3, 2, Rgba([255, 0, 0, 51])))?;
        assert_eq!(pixels(&rgba, &ImageArgs::default())?.shape(), [1, 3, 2, 3]);
        let four = pixels(&rgba, &ImageArgs { channels: Some(4), ..ImageArgs::default() })?;
        assert!((four[[0, 3, 1, 1]] - 0.2).abs() < 1e-6);
        Ok(())
    }

    #[test]
    fn resize_crop_normalise_and_layout() -> Outcome {
        let image = png(image::RgbImage::from_pixel(20, 10, Rgb([255, 0, 0])))?;
        let mut options = ImageArgs {
            resize: Some(Size { height: 5, width: None }),
            crop: Some(Size { height: 4, width: None }),
            mean: vec![0.5, 0.25, 0.0],
            std: vec![0.5],
            ..ImageArgs::default()
        };
        let array = pixels(&image, &options)?;
        assert_eq!(array.shape(), [1, 3, 4, 4]);
        assert_eq!((array[[0, 0, 1, 1]], array[[0, 1, 1, 1]], array[[0, 2, 1, 1]]), (1.0, -0.5, 0.0));
        options.layout = Some(Layout::Nhwc);
        assert_eq!(pixels(&image, &options)?.shape(), [1, 4, 4, 3]);
        for (layout, shape) in [(Layout::Chw, [3, 4, 4]), (Layout::Hwc, [4, 4, 3])] {
            options.layout = Some(layout);
            assert_eq!(pixels(&image, &options)?.shape(), shape);
        }
        options.mean.pop();
        assert!(pixels(&image, &options).is_err());
        options = ImageArgs { crop: Some(Size { height: 11, width: Some(3) }), ..ImageArgs::default() };
        assert!(pixels(&image, &options).is_err());
        Ok(())
    }

    #[test]
    fn pixels_are_in_the_range_that_is_asked_for() -> Outcome {
        let grey = png(image::GrayImage::from_pixel(1, 1, Luma([51])))?;
        let first = |range| -> Result<f32, String> {
            Ok(pixels(&grey, &ImageArgs { range: Some(range), ..ImageArgs::default() })?[[0, 0, 0, 0]])
        };
        for (range, pixel) in
            [(Range::Unit, 0.2), (Range::Full, 51.0), (Range::Signed, -0.6), (Range::Bytes, 51.0)]
        {
            assert!((first(range)? - pixel).abs() < 1e-4, "{range}");
        }
        let options = ImageArgs { range: Some(Range::Bytes), mean: vec![0.5], ..ImageArgs::default() };
        assert!(pixels(&grey, &options).is_err());
        Ok(())
    }

    #[test]
    fn a_cut_image_is_an_error() -> Outcome {
        let whole = png(image::GrayImage::from_fn(9, 9, |x, y| Luma([(x * y) as u8])))?;
        for cut in [0, 4, 20, whole.len() / 2] {
            assert!(pixels(&whole[..cut], &ImageArgs::default()).is_err());
        }
        Ok(())
    }
}
