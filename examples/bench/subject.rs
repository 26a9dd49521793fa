//! What is measured: a network that is built here, or a model from a file.

use super::{pictures, sequences};
use dlbacktrace::{Argument, Inputs, LoadOptions, Mode, Model, Options, Task, Value};
use ndarray::ArrayD;
use std::error::Error;
use std::path::{Path, PathBuf};
use tch::nn::{self, ModuleT, SequentialT};
use tch::{CModule, Device, Kind, Tensor};

/// What a network reads.
#[derive(Clone, Copy)]
enum Reads {
    Picture,
    Features,
    Tokens,
}

pub struct Network {
    name: &'static str,
    build: fn(&nn::Path) -> SequentialT,
    reads: Reads,
    /// The default length: the side of a picture, steps or tokens.
    length: i64,
    task: Task,
}

const NETWORKS: [Network; 7] = [
    Network::of_pictures("resnet18", pictures::resnet18),
    Network::of_pictures("vgg16", pictures::vgg16),
    Network::of_features("lstm", sequences::lstm),
    Network::of_features("gru", sequences::gru),
    Network::of_tokens("bert", sequences::bert, Task::Classification),
    Network::of_tokens("llama", sequences::llama, Task::NextToken),
    Network::of_tokens("llama-sdpa", sequences::llama_sdpa, Task::NextToken),
];

impl Network {
    const fn of_pictures(name: &'static str, build: fn(&nn::Path) -> SequentialT) -> Self {
        Self { name, build, reads: Reads::Picture, length: 224, task: Task::Classification }
    }

    const fn of_features(name: &'static str, build: fn(&nn::Path) -> SequentialT) -> Self {
        Self { name, build, reads: Reads::Features, length: 100, task: Task::Classification }
    }

    const fn of_tokens(name: &'static str, build: fn(&nn::Path) -> SequentialT, task: Task) -> Self {
        Self { name, build, reads: Reads::Tokens, length: 128, task }
    }

    /// The network that `NAME` or `NAME@LENGTH` names.
    fn named(name: &str) -> Result<Self, Box<dyn Error>> {
        let (name, length) = match name.split_once('@') {
            Some((name, length)) => (name, Some(length.parse()?)),
            None => (name, None),
        };
        let network = NETWORKS.into_iter().find(|network| network.name == name);
        let mut network = network.ok_or_else(|| format!("no network is called {name}"))?;
        network.length = length.unwrap_or(network.length);
        Ok(network)
    }

    fn label(&self) -> String {
        format!("{}@{}", self.name, self.length)
    }

    fn input(&self) -> Tensor {
        tch::manual_seed(0);
        let length = self.length;
        match self.reads {
            Reads::Picture => Tensor::rand([1, 3, length, length], (Kind::Float, Device::Cpu)),
            Reads::Features => Tensor::rand([1, length, 256], (Kind::Float, Device::Cpu)),
            Reads::Tokens => Tensor::randint(sequences::TOKENS, [1, length], (Kind::Int64, Device::Cpu)),
        }
    }

    /// Builds the network and traces it into a file.
    fn trace(&self, file: &Path) -> Result<(), Box<dyn Error>> {
        tch::manual_seed(1);
        let mut store = nn::VarStore::new(Device::Cpu);
        let built = (self.build)(&store.root());
        // The trace holds the weights as constants, which must not require gradients.
        store.freeze();
        let _no_gradients = tch::no_grad_guard();
        let mut forward = |inputs: &[Tensor]| vec![built.forward_t(&inputs[0], false)];
        CModule::create_by_tracing("Network", "forward", &[self.input()], &mut forward)?.save(file)?;
        Ok(())
    }
}

/// A network, or the path of a model.
pub enum Subject {
    Network(Network),
    File(PathBuf),
}

/// Runs the model forward, without recording.
type Forward = Box<dyn Fn() -> Result<(), Box<dyn Error>>>;

impl Subject {
    /// What `NAME`, `NAME@LENGTH` or a path names.
    pub fn named(name: &str) -> Result<Self, Box<dyn Error>> {
        let path = PathBuf::from(name);
        Ok(if path.exists() { Self::File(path) } else { Self::Network(Network::named(name)?) })
    }

    /// The name by which [`named`](Self::named) finds it again.
    pub fn name(&self) -> String {
        match self {
            Self::Network(network) => network.label(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// Its name in the table.
    pub fn label(&self) -> String {
        match self {
            Self::Network(network) => network.label(),
            Self::File(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }

    /// The file to load; a network is traced into the folder.
    pub fn file(&self, folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
        match self {
            Self::Network(network) => {
                let file = folder.join("network.pt");
                network.trace(&file)?;
                Ok(file)
            }
            Self::File(path) => Ok(path.clone()),
        }
    }

    pub fn load(&self, file: &Path) -> Result<Model, Box<dyn Error>> {
        Ok(Model::load_with(file, &LoadOptions { threads: Some(1), ..LoadOptions::default() })?)
    }

    pub fn inputs(&self, model: &Model) -> Result<Inputs, Box<dyn Error>> {
        match self {
            Self::Network(network) => Ok(Inputs::new().push(network.input())),
            Self::File(_) => model.arguments().iter().try_fold(Inputs::new(), |inputs, argument| {
                Ok(inputs.set(&argument.name, made_up(argument)?))
            }),
        }
    }

    /// The forward run to compare with: a network in libtorch alone, a SavedModel operator by operator, as in its
    /// recording.
    pub fn plain(&self, file: &Path) -> Result<Forward, Box<dyn Error>> {
        match self {
            Self::Network(network) => {
                let (plain, input) = (CModule::load(file)?, network.input());
                Ok(Box::new(move || {
                    let _no_gradients = tch::no_grad_guard();
                    drop(plain.forward_ts(&[&input])?);
                    Ok(())
                }))
            }
            Self::File(_) => {
                let model = self.load(file)?;
                let inputs = self.inputs(&model)?;
                Ok(Box::new(move || {
                    drop(model.forward(&inputs)?);
                    Ok(())
                }))
            }
        }
    }

    /// The derivative of the largest output by the input, by libtorch's autograd; `None` for tokens, which have none, and for files.
    pub fn autograd(&self, file: &Path) -> Result<Option<Forward>, Box<dyn Error>> {
        let Self::Network(network) = self else { return Ok(None) };
        if let Reads::Tokens = network.reads {
            return Ok(None);
        }
        let (plain, input) = (CModule::load(file)?, network.input());
        Ok(Some(Box::new(move || {
            let input = input.copy().set_requires_grad(true);
            plain.forward_ts(&[&input])?.max().f_backward()?;
            Ok(())
        })))
    }

    pub fn options(&self, mode: Mode) -> Options {
        match self {
            Self::Network(network) => Options::new().task(network.task).mode(mode),
            Self::File(_) => Options::new().mode(mode),
        }
    }

    /// The next token has no contrastive start.
    pub fn has_contrastive(&self) -> bool {
        !matches!(self, Self::Network(Network { task: Task::NextToken, .. }))
    }
}

/// One sample of numbers from 0 to 1, in the shape that the model asks for. Open axes have one cell.
fn made_up(argument: &Argument) -> Result<Value, Box<dyn Error>> {
    let (Some(shape), Some(element)) = (argument.shape(), argument.element()) else {
        return Err(
            format!("the model does not say the shape of {}; measure a SavedModel", argument.name).into()
        );
    };
    let shape: Vec<usize> = shape.iter().map(|extent| extent.unwrap_or(1)).collect();
    let count: usize = shape.iter().product();
    let numbers = (0..count).map(|at| ((at as f64 + 1.0) * 12.9898).sin().abs());
    Ok(if element.starts_with("float") {
        ArrayD::from_shape_vec(shape, numbers.map(|x| x as f32).collect())?.into()
    } else {
        ArrayD::from_shape_vec(shape, numbers.map(|x| x.round() as i64).collect())?.into()
    })
}
