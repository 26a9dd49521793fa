//! Networks for sequences: recurrent layers and transformers.

use tch::nn::{self, Module, Path, RNN, SequentialT};
use tch::{Device, Kind, Tensor};

/// The number of tokens in each table.
pub const TOKENS: i64 = 32_000;

/// Two recurrent layers of 256 units.
pub fn lstm(path: &Path) -> SequentialT {
    let config = nn::RNNConfig { num_layers: 2, train: false, ..Default::default() };
    let layers = nn::lstm(path / "lstm", 256, 256, config);
    let head = nn::linear(path / "fc", 256, 1000, Default::default());
    nn::seq_t().add_fn(move |x| layers.seq(x).0.select(1, -1)).add(head)
}

/// Like [`lstm`], with GRU cells.
pub fn gru(path: &Path) -> SequentialT {
    let config = nn::RNNConfig { num_layers: 2, train: false, ..Default::default() };
    let layers = nn::gru(path / "gru", 256, 256, config);
    let head = nn::linear(path / "fc", 256, 1000, Default::default());
    nn::seq_t().add_fn(move |x| layers.seq(x).0.select(1, -1)).add(head)
}

/// BERT-base: twelve layers of width 768, classified by the first token.
pub fn bert(path: &Path) -> SequentialT {
    const WIDTH: i64 = 768;
    let tokens = nn::embedding(path / "tokens", TOKENS, WIDTH, Default::default());
    let positions = nn::embedding(path / "positions", 1024, WIDTH, Default::default());
    let norm = nn::layer_norm(path / "norm", vec![WIDTH], Default::default());
    let mut network = nn::seq_t().add_fn(move |ids| {
        let places = Tensor::arange(ids.size()[1], (Kind::Int64, ids.device()));
        (ids.apply(&tokens) + places.apply(&positions)).apply(&norm)
    });
    for layer in 0..12 {
        network = network.add(encoder_layer(&(path / format!("layer{layer}")), WIDTH, 12));
    }
    let pooler = nn::linear(path / "pooler", WIDTH, WIDTH, Default::default());
    let classes = nn::linear(path / "classes", WIDTH, 2, Default::default());
    network.add_fn(move |x| x.select(1, 0).apply(&pooler).tanh().apply(&classes))
}

fn encoder_layer(path: &Path, width: i64, heads: i64) -> nn::Func<'static> {
    let linear = |name: &str, from, to| nn::linear(path / name, from, to, Default::default());
    let (query, key, value) =
        (linear("query", width, width), linear("key", width, width), linear("value", width, width));
    let (out, up, down) =
        (linear("out", width, width), linear("up", width, 4 * width), linear("down", 4 * width, width));
    let norm = |name: &str| nn::layer_norm(path / name, vec![width], Default::default());
    let (after_attention, after_mlp) = (norm("norm1"), norm("norm2"));
    nn::func(move |x| {
        let split = |linear| split(x, linear, heads);
        let scores =
            split(&query).matmul(&split(&key).transpose(-2, -1)) / (width as f64 / heads as f64).sqrt();
        let mixed = merge(&scores.softmax(-1, Kind::Float).matmul(&split(&value)));
        let x = (x + mixed.apply(&out)).apply(&after_attention);
        (&x + x.apply(&up).gelu("none").apply(&down)).apply(&after_mlp)
    })
}

/// Eight layers as in Llama, of width 1024, with attention written out.
pub fn llama(path: &Path) -> SequentialT {
    decoder(path, false)
}

/// Like [`llama`], with attention in one operator.
pub fn llama_sdpa(path: &Path) -> SequentialT {
    decoder(path, true)
}

const WIDTH: i64 = 1024;
const HEADS: i64 = 16;
const KEY_HEADS: i64 = 4;
const HEAD: i64 = WIDTH / HEADS;

fn decoder(path: &Path, fused: bool) -> SequentialT {
    let tokens = nn::embedding(path / "tokens", TOKENS, WIDTH, Default::default());
    let mut network = nn::seq_t().add(tokens);
    for layer in 0..8 {
        network = network.add(decoder_layer(&(path / format!("layer{layer}")), fused));
    }
    let norm = rms_norm(&(path / "norm"));
    network.add(norm).add(nn::linear(path / "head", WIDTH, TOKENS, unbiased()))
}

fn decoder_layer(path: &Path, fused: bool) -> nn::Func<'static> {
    const INNER: i64 = 2816;
    let linear = |name: &str, from, to| nn::linear(path / name, from, to, unbiased());
    let (query, key, value) = (
        linear("query", WIDTH, WIDTH),
        linear("key", WIDTH, KEY_HEADS * HEAD),
        linear("value", WIDTH, KEY_HEADS * HEAD),
    );
    let (out, gate) = (linear("out", WIDTH, WIDTH), linear("gate", WIDTH, INNER));
    let (up, down) = (linear("up", WIDTH, INNER), linear("down", INNER, WIDTH));
    let (before_attention, before_mlp) = (rms_norm(&(path / "norm1")), rms_norm(&(path / "norm2")));
    nn::func(move |x| {
        let inner = before_attention.forward(x);
        let length = x.size()[1];
        let query = rotary(&split(&inner, &query, HEADS));
        let key = repeated(&rotary(&split(&inner, &key, KEY_HEADS)));
        let value = repeated(&split(&inner, &value, KEY_HEADS));
        let mixed = if fused {
            Tensor::scaled_dot_product_attention::<Tensor>(&query, &key, &value, None, 0.0, true, None, false)
        } else {
            let scores = query.matmul(&key.transpose(-2, -1)) / (HEAD as f64).sqrt();
            let later =
                Tensor::full([length, length], f64::from(f32::MIN), (Kind::Float, Device::Cpu)).triu(1);
            (scores + later).softmax(-1, Kind::Float).matmul(&value)
        };
        let x = x + merge(&mixed).apply(&out);
        let inner = before_mlp.forward(&x);
        x + (inner.apply(&gate).silu() * inner.apply(&up)).apply(&down)
    })
}

fn unbiased() -> nn::LinearConfig {
    nn::LinearConfig { bias: false, ..Default::default() }
}

fn rms_norm(path: &Path) -> nn::Func<'static> {
    let scale = path.ones("weight", &[WIDTH]);
    nn::func(move |x| {
        let square = x.pow_tensor_scalar(2).mean_dim(-1, true, None::<Kind>);
        &scale * (x * (square + 1e-6).rsqrt())
    })
}

/// Rotates the heads `[N, heads, T, width]` by their positions.
fn rotary(x: &Tensor) -> Tensor {
    let (length, half) = (x.size()[2], HEAD / 2);
    let places = Tensor::arange(length, (Kind::Float, Device::Cpu)).unsqueeze(-1);
    let speeds =
        (Tensor::arange(half, (Kind::Float, Device::Cpu)) * (-(10_000_f64.ln()) / half as f64)).exp();
    let angles = (places * speeds).repeat([1, 2]);
    let turned = Tensor::cat(&[-x.narrow(-1, half, half), x.narrow(-1, 0, half)], -1);
    x * angles.cos() + turned * angles.sin()
}

/// Repeats each key head for all its query heads.
fn repeated(x: &Tensor) -> Tensor {
    let (samples, length, times) = (x.size()[0], x.size()[2], HEADS / KEY_HEADS);
    x.unsqueeze(2)
        .expand([samples, KEY_HEADS, times, length, HEAD], false)
        .reshape([samples, HEADS, length, HEAD])
}

/// Splits `[N, T, heads · width]` into heads, `[N, heads, T, width]`.
fn split(x: &Tensor, linear: &nn::Linear, heads: i64) -> Tensor {
    let [samples, length, _] = x.size()[..] else { panic!("a batch of sequences") };
    x.apply(linear).view([samples, length, heads, -1]).transpose(1, 2)
}

/// Undoes [`split`].
fn merge(x: &Tensor) -> Tensor {
    x.transpose(1, 2).flatten(2, -1)
}
