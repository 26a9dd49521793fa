//! Networks for pictures.

use tch::nn::{self, ConvConfig, Path, SequentialT};

fn convolution(path: Path, from: i64, to: i64, kernel: i64, stride: i64, bias: bool) -> nn::Conv2D {
    nn::conv2d(path, from, to, kernel, ConvConfig { stride, padding: kernel / 2, bias, ..Default::default() })
}

/// Two convolutions with batch norms, and the shortcut around them.
fn block(path: Path, from: i64, to: i64, stride: i64) -> nn::FuncT<'static> {
    let first = convolution(&path / "conv1", from, to, 3, stride, false);
    let norm_first = nn::batch_norm2d(&path / "bn1", to, Default::default());
    let second = convolution(&path / "conv2", to, to, 3, 1, false);
    let norm_second = nn::batch_norm2d(&path / "bn2", to, Default::default());
    let around = (stride != 1 || from != to).then(|| {
        let convolution = convolution(&path / "downsample" / "0", from, to, 1, stride, false);
        (convolution, nn::batch_norm2d(&path / "downsample" / "1", to, Default::default()))
    });
    nn::func_t(move |x, train| {
        let inner =
            x.apply(&first).apply_t(&norm_first, train).relu_().apply(&second).apply_t(&norm_second, train);
        let around = match &around {
            Some((convolution, norm)) => x.apply(convolution).apply_t(norm, train),
            None => x.shallow_clone(),
        };
        (inner + around).relu_()
    })
}

pub fn resnet18(path: &Path) -> SequentialT {
    let mut network = nn::seq_t()
        .add(convolution(path / "conv1", 3, 64, 7, 2, false))
        .add(nn::batch_norm2d(path / "bn1", 64, Default::default()))
        .add_fn(|x| x.shallow_clone().relu_())
        .add_fn(|x| x.max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false));
    for (layer, (from, to, stride)) in
        [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)].into_iter().enumerate()
    {
        let path = path / format!("layer{}", layer + 1);
        network = network.add(block(&path / "0", from, to, stride)).add(block(&path / "1", to, to, 1));
    }
    network.add_fn(|x| x.adaptive_avg_pool2d([1, 1]).flatten(1, -1)).add(nn::linear(
        path / "fc",
        512,
        1000,
        Default::default(),
    ))
}

pub fn vgg16(path: &Path) -> SequentialT {
    let mut network = nn::seq_t();
    let mut from = 3;
    for (stage, (width, depth)) in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)].into_iter().enumerate() {
        for index in 0..depth {
            network = network
                .add(convolution(path / format!("conv{stage}_{index}"), from, width, 3, 1, true))
                .add_fn(|x| x.shallow_clone().relu_());
            from = width;
        }
        network = network.add_fn(|x| x.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false));
    }
    network = network.add_fn(|x| x.adaptive_avg_pool2d([7, 7]).flatten(1, -1));
    for (index, (from, to)) in [(512 * 7 * 7, 4096), (4096, 4096)].into_iter().enumerate() {
        network = network
            .add(nn::linear(path / format!("fc{index}"), from, to, Default::default()))
            .add_fn(|x| x.relu());
    }
    network.add(nn::linear(path / "fc2", 4096, 1000, Default::default()))
}
