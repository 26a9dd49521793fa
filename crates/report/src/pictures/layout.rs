//! Finds the axes of an array that are those of an image.

use ndarray::{Array2, ArrayViewD, Axis, Ix4};

/// The position of the channels of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channels {
    /// `[N,] C, H, W`.
    First,
    /// `[N,] H, W, C`.
    Last,
}

/// How an array holds one image or a batch of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageLayout {
    channels: Channels,
    batched: bool,
}

impl ImageLayout {
    /// The layout of an array known to hold images: four axes are a batch of them, three are one.
    pub fn of_images(shape: &[usize], channels: Channels) -> Option<Self> {
        match shape.len() {
            3 | 4 if !shape.contains(&0) => Some(Self { channels, batched: shape.len() == 4 }),
            _ => None,
        }
    }

    /// The layout of an array that looks like a batch of images: four axes, with one to four channels first or last. If
    /// neither fits, a second axis that is shorter than the last two counts channels. Three axes hold a sequence of vectors
    /// just as often, so they are an image only if that is [known](Self::of_images).
    pub fn detect(shape: &[usize]) -> Option<Self> {
        let &[_, second, third, last] = shape else { return None };
        let few = |extent| (1..=4).contains(&extent);
        let channels = if few(second) && third > 1 && last > 1 {
            Channels::First
        } else if few(last) && second > 1 && third > 1 {
            Channels::Last
        } else if second < third && second < last {
            Channels::First
        } else {
            return None;
        };
        Self::of_images(shape, channels)
    }

    /// The number of images in an array of this layout.
    pub fn images(self, shape: &[usize]) -> usize {
        if self.batched { shape.first().copied().unwrap_or(0) } else { 1 }
    }

    /// One image with its channels summed, `H × W`; `None` if the array does not have this layout or holds fewer images.
    pub fn plane<T: Into<f64> + Copy>(self, array: ArrayViewD<'_, T>, image: usize) -> Option<Array2<f64>> {
        let array = if self.batched { array } else { array.insert_axis(Axis(0)) };
        let array = array.into_dimensionality::<Ix4>().ok()?;
        if image >= array.len_of(Axis(0)) {
            return None;
        }
        let channels = match self.channels {
            Channels::First => Axis(0),
            Channels::Last => Axis(2),
        };
        Some(array.index_axis(Axis(0), image).mapv(Into::into).sum_axis(channels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::ArrayD;

    #[test]
    fn images_are_told_from_other_arrays() {
        let channels = |shape: &[usize]| ImageLayout::detect(shape).map(|layout| layout.channels);
        assert_eq!(channels(&[1, 3, 224, 224]), Some(Channels::First));
        assert_eq!(channels(&[5, 1, 8, 8]), Some(Channels::First));
        assert_eq!(channels(&[2, 32, 48, 3]), Some(Channels::Last));
        assert_eq!(channels(&[2, 13, 64, 64]), Some(Channels::First));
        for other in [&[3, 224, 224][..], &[4, 30], &[7], &[], &[1, 3, 0, 8], &[1, 64, 8, 8], &[1, 12, 1, 1]]
        {
            assert_eq!(ImageLayout::detect(other), None, "{other:?}");
        }
    }

    #[test]
    fn channels_are_summed_wherever_they_stand() -> Result<(), Box<dyn std::error::Error>> {
        let first = ArrayD::from_shape_vec(vec![2, 3, 2, 2], (0..24).map(|i| i as f32).collect())?;
        let last = first.clone().permuted_axes(vec![0, 2, 3, 1]);
        let expected = Some(ndarray::arr2(&[[48.0, 51.0], [54.0, 57.0]]));
        for (array, channels) in [(&first, Channels::First), (&last, Channels::Last)] {
            let layout = ImageLayout::of_images(array.shape(), channels).ok_or("no layout")?;
            assert_eq!(layout.images(array.shape()), 2);
            assert_eq!(layout.plane(array.view(), 1), expected);
            assert_eq!(layout.plane(array.view(), 2), None);
        }
        let single = first.index_axis_move(Axis(0), 1);
        let layout = ImageLayout::of_images(single.shape(), Channels::First).ok_or("no layout")?;
        assert_eq!(layout.plane(single.view(), 0), expected);
        Ok(())
    }
}
