//! Pictures that are resized and cut.

use super::Row;
use super::value::{Value, attempt};
use crate::DataType;
use crate::eager::one_type;

pub(super) const ROWS: &[Row] = &[
    Row::first(&["ResizeBilinear"], |c| {
        Value::of(c"ResizeBilinearGrad", &c.given(&["align_corners", "half_pixel_centers"]), [&c.r(), &c.x()])
    }),
    Row::first(&["ResizeBicubic"], |c| {
        Value::of(c"ResizeBicubicGrad", &c.given(&["align_corners", "half_pixel_centers"]), [&c.r(), &c.x()])
    }),
    Row::first(&["ScaleAndTranslate"], |c| {
        let how = c.given(&["kernel_type", "antialias"]);
        Value::of(c"ScaleAndTranslateGrad", &how, [&c.r(), &c.x(), &c.input(2), &c.input(3)])
    }),
    // By the pictures, and by the boxes.
    Row::each(&["CropAndResize"], &[0, 1], |c, by| {
        attempt(|| {
            let (pictures, boxes, which) = (c.input(0), c.input(1), c.input(2));
            if by == 1 {
                return Ok(Value::of(
                    c"CropAndResizeGradBoxes",
                    &c.given(&[]),
                    [&c.r(), &pictures, &boxes, &which],
                ));
            }
            let shape = pictures.integers(&pictures.shape()?).cast(DataType::INT32);
            let how = c.given(&["method"]).and(one_type(c"T", pictures.data_type()?));
            Ok(Value::of(c"CropAndResizeGradImage", &how, [&c.r(), &boxes, &which, &shape]))
        })
    }),
];
