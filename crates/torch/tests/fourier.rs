//! Fourier transforms against their matrices.

use dlbacktrace_core::Mode;
use tch::{Kind, Tensor};
use testkit_torch::operators::{assert_equal, explain, numbers};

type Function<'a> = &'a dyn Fn(&Tensor) -> Tensor;

/// Both ways give the same numbers and, in both modes, the same relevance.
#[track_caller]
fn check_twin(name: &str, x: &Tensor, f: Function, twin: Function) {
    assert_equal(&f(x), &twin(x), name);
    let start = numbers(&f(x).size(), 9);
    for mode in [Mode::Default, Mode::Contrastive] {
        let found = explain(x, &start, mode, || f(x)).unwrap();
        let expected = explain(x, &start, mode, || twin(x)).unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            assert_equal(found, expected, name);
        }
    }
}

/// Checks a linear function against a product with the matrix of its results on unit tensors.
#[track_caller]
fn check_linear(name: &str, shape: &[i64], f: Function) {
    let count: i64 = shape.iter().product();
    let units = Tensor::eye(count, (Kind::Double, tch::Device::Cpu));
    let rows: Vec<Tensor> =
        (0..count).map(|unit| f(&units.get(unit).reshape(shape)).flatten(0, -1)).collect();
    let matrix = Tensor::stack(&rows, 0);
    let size = f(&units.get(0).reshape(shape)).size();
    check_twin(name, &numbers(shape, 1), f, &|x| x.reshape([1, -1]).matmul(&matrix).reshape(&size));
}

fn parts(x: &Tensor) -> Tensor {
    x.view_as_real()
}

fn complex(x: &Tensor) -> Tensor {
    x.view_as_complex()
}

#[test]
fn along_one_axis() {
    for (axis, extent) in [(-1, None), (0, None), (1, None), (-1, Some(3)), (0, Some(2))] {
        for norm in ["backward", "ortho", "forward"] {
            let name = format!("axis {axis}, {extent:?}, {norm}");
            check_linear(&format!("fft {name}"), &[3, 2, 5], &|x| parts(&x.fft_fft(extent, axis, norm)));
            check_linear(&format!("rfft {name}"), &[3, 2, 5], &|x| parts(&x.fft_rfft(extent, axis, norm)));
            check_linear(&format!("fft of complex {name}"), &[3, 4, 5, 2], &|x| {
                parts(&complex(x).fft_fft(None, axis, norm))
            });
            check_linear(&format!("ifft {name}"), &[3, 4, 5, 2], &|x| {
                parts(&complex(x).fft_ifft(None, axis, norm))
            });
        }
    }
    check_linear("irfft", &[2, 4, 2], &|x| complex(x).fft_irfft(None, -1, "backward"));
    check_linear("irfft of an odd extent", &[4, 3, 2], &|x| complex(x).fft_irfft(7, 0, "ortho"));
}

#[test]
fn along_several_axes_one_after_the_other() {
    let x = numbers(&[2, 3, 4], 1);
    let none: Option<&[i64]> = None;
    check_twin("fft2", &x, &|x| parts(&x.fft_fft2(none, &[-2, -1][..], "backward")), &|x| {
        parts(&x.fft_fft(None, -1, "backward").fft_fft(None, -2, "backward"))
    });
    check_twin("rfftn", &x, &|x| parts(&x.fft_rfftn(none, &[0, 1, 2][..], "ortho")), &|x| {
        let last = x.fft_rfft(None, 2, "ortho");
        parts(&last.fft_fft(None, 1, "ortho").fft_fft(None, 0, "ortho"))
    });
    let x = numbers(&[3, 4, 3, 2], 2);
    check_twin("irfft2", &x, &|x| complex(x).fft_irfft2(none, &[-2, -1][..], "backward"), &|x| {
        complex(x).fft_ifft(None, -2, "backward").fft_irfft(None, -1, "backward")
    });
}

#[test]
fn complex_numbers_move_and_add() {
    let x = numbers(&[2, 3, 4, 2], 3);
    let y = numbers(&[2, 3, 4, 2], 4);
    let signs = Tensor::from_slice(&[1.0, -1.0]);
    let index = Tensor::from_slice(&[2_i64, 0, 2]);
    let none = None::<Kind>;
    let moves: [(&str, Function, Function); 12] = [
        ("conjugate", &|x| parts(&complex(x).conj().resolve_conj()), &|x| x * &signs),
        ("transpose", &|x| parts(&complex(x).transpose(0, 2)), &|x| x.transpose(0, 2)),
        ("slice", &|x| parts(&complex(x).narrow(2, 1, 2)), &|x| x.narrow(2, 1, 2)),
        ("roll", &|x| parts(&complex(x).roll([1], [1])), &|x| x.roll([1], [1])),
        ("cat", &|x| parts(&Tensor::cat(&[complex(x), complex(x)], 1)), &|x| Tensor::cat(&[x, x], 1)),
        ("pad", &|x| parts(&complex(x).constant_pad_nd([1, 2])), &|x| x.constant_pad_nd([0, 0, 1, 2])),
        ("neg", &|x| parts(&-complex(x)), &|x| -x),
        ("half", &|x| parts(&(complex(x) * 0.5)), &|x| x * 0.5),
        ("sum", &|x| parts(&complex(x).sum_dim_intlist(1, false, none)), &|x| {
            x.sum_dim_intlist(1, false, none)
        }),
        ("mean", &|x| parts(&complex(x).mean_dim(0, true, none)), &|x| x.mean_dim(0, true, none)),
        ("running sum", &|x| parts(&complex(x).cumsum(2, none)), &|x| x.cumsum(2, none)),
        ("chosen", &|x| parts(&complex(x).index_select(2, &index)), &|x| x.index_select(2, &index)),
    ];
    for (name, f, twin) in moves {
        check_twin(name, &x, f, twin);
    }
    check_twin("add", &x, &|x| parts(&(complex(x) + complex(&y))), &|x| x + &y);
    check_twin("sub", &x, &|x| parts(&(complex(&y) - complex(x))), &|x| &y - x);
    let real = numbers(&[2, 3], 5);
    check_twin("parts side by side", &real, &|x| parts(&Tensor::complex(x, &(x * 2.0))), &|x| {
        Tensor::stack(&[x.shallow_clone(), x * 2.0], -1)
    });
}

#[test]
fn quotients_lengths_and_angles() {
    let x = numbers(&[2, 3, 4, 2], 3);
    let y = numbers(&[3, 4, 2], 4) + 0.1;
    let size = y.square().sum_dim_intlist(-1, true, None::<Kind>);
    let inverse = &y * Tensor::from_slice(&[1.0, -1.0]) / size;
    check_twin("by a constant", &x, &|x| parts(&(complex(x) / complex(&y))), &|x| {
        parts(&(complex(x) * complex(&inverse)))
    });
    let part = |x: &Tensor, index: i64| x.select(-1, index);
    check_twin("length", &x, &|x| complex(x).abs(), &|x| (part(x, 0).square() + part(x, 1).square()).sqrt());
    check_twin("angle", &x, &|x| complex(x).angle(), &|x| part(x, 1).atan2(&part(x, 0)));
    let start = numbers(&[2, 3, 4, 2], 9);
    let error =
        explain(&x, &start, Mode::Default, || parts(&(complex(&(&y + &x)) / complex(&x)))).unwrap_err();
    assert!(error.to_string().contains("a division by complex numbers that depend"), "{error}");
}

#[test]
fn a_spectrogram_is_frames_a_window_and_a_transform() {
    let x = numbers(&[2, 24], 5);
    let window = Tensor::hann_window(8, (Kind::Double, tch::Device::Cpu)) + 0.1;
    let by_stft = |x: &Tensor| x.stft(8, Some(4), Some(8), Some(&window), false, true, true, false).abs();
    check_twin("stft", &x, &by_stft, &|x| {
        (x.unfold(-1, 8, 4) * &window).fft_rfft(None, -1, "backward").transpose(-1, -2).abs()
    });
}

/// Convolves rows of x with rows of a kernel around `points`, as groups.
fn around(x: &Tensor, kernel: &Tensor, points: i64) -> Tensor {
    let (groups, reach) = (kernel.size()[0], kernel.size()[1]);
    let filled = x.constant_pad_nd([0, points - x.size()[2]]);
    let from_the_end = Tensor::cat(&[filled.narrow(2, points + 1 - reach, reach - 1), filled], 2);
    from_the_end.f_conv1d(&kernel.flip([1]).unsqueeze(1), None::<Tensor>, 1, 0, 1, groups).unwrap()
}

#[test]
fn products_of_spectra_are_convolutions() {
    let (x, kernel) = (numbers(&[2, 3, 6], 1), numbers(&[3, 4], 2));
    let half = |x: &Tensor, points: i64| x.fft_rfft(points, -1, "backward");
    let back = |spectrum: Tensor, points: i64| spectrum.fft_irfft(points, -1, "backward");
    for points in [12, 9, 6] {
        let direct = |x: &Tensor| around(x, &kernel, points);
        let forms: [(&str, Function); 5] = [
            ("halves", &|x| back(half(x, points) * half(&kernel, points), points)),
            ("whole", &|x| {
                let whole = |x: &Tensor| x.fft_fft(points, -1, "backward");
                (whole(x) * whole(&kernel)).fft_ifft(points, -1, "backward").real()
            }),
            ("divided by the number of points", &|x| {
                let kernel = (half(&kernel, points) / points as f64).unsqueeze(0);
                (half(x, points) * kernel).fft_irfft(points, -1, "forward")
            }),
            ("along another axis", &|x| {
                let half = |x: &Tensor| x.transpose(-1, -2).fft_rfft(points, -2, "backward");
                (half(x) * half(&kernel)).fft_irfft(points, 1, "backward").transpose(1, 2)
            }),
            ("paired by an einsum", &|x| {
                let factors = [half(&kernel, points), half(x, points)];
                back(Tensor::einsum("df,bdf->bdf", &factors, None::<i64>), points)
            }),
        ];
        for (name, form) in forms {
            check_twin(&format!("{name}, {points} points"), &x, form, &direct);
        }
    }
    // The kernel may depend on the input too.
    let kernel = |x: &Tensor| x.get(0).tanh();
    check_twin("both", &x, &|x| back(half(x, 12) * half(&kernel(x), 12), 12), &|x| around(x, &kernel(x), 12));
}
