//! The directory of a SavedModel: its graphs, tags and signatures.

use crate::proto::{MetaGraph, SavedModel, SignatureDef, TensorInfo};
use crate::tensor_spec::TensorSpec;
use crate::{DataType, Error, Result, positions};
use prost::Message;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const FILE: &str = "saved_model.pb";

/// Forms of a SavedModel that we do not read, with what to do.
const OTHER_FORMS: [(&str, &str); 2] = [
    ("saved_model.pbtxt", "it is written as text (saved_model.pbtxt); save it in the binary form"),
    (
        "saved_model.cpb",
        "it is split into chunks (saved_model.cpb), as models above 2 GB are; save it without \
         experimental_image_format",
    ),
];

/// Signatures that are not for users.
const HIDDEN: &str = "__saved_model_";

/// The chosen part of a SavedModel.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    pub(crate) directory: PathBuf,
    pub(crate) graph: MetaGraph,
    pub(crate) inputs: Vec<TensorSpec>,
    /// Whether the inputs are in the model's own order.
    pub(crate) ordered: bool,
    pub(crate) outputs: Vec<TensorSpec>,
    /// The `TensorProto`s of inputs that may be left out.
    pub(crate) defaults: BTreeMap<String, Vec<u8>>,
}

/// Reads the graph with exactly these tags, and its signature of this name.
pub(crate) fn read(directory: &Path, tags: &[String], signature: &str) -> Result<Chosen> {
    let failed = |reason: String| Error::Load { path: directory.to_path_buf(), reason };
    let file = directory.join(FILE);
    if !file.is_file() {
        let other = OTHER_FORMS.iter().find(|(name, _)| directory.join(name).is_file());
        return Err(failed(match other {
            Some((_, advice)) => (*advice).to_owned(),
            None => format!("there is no {FILE} in it. With Keras, write one by `model.export(PATH)`"),
        }));
    }
    let bytes = fs::read(&file).map_err(|error| failed(format!("{FILE}: {error}")))?;
    let model = SavedModel::decode(bytes.as_slice())
        .map_err(|error| failed(format!("{FILE} is damaged: {error}")))?;
    if model.schema_version > 1 {
        return Err(failed(format!(
            "its format has version {}, but only version 1 can be read",
            model.schema_version
        )));
    }
    if model.graphs.is_empty() {
        return Err(failed(format!("{FILE} is damaged: it holds no graph")));
    }
    choose(directory, tagged(model.graphs, tags)?, signature)
}

/// A signature of a graph; `directory` is the one with its files.
pub(crate) fn choose(directory: &Path, graph: MetaGraph, signature: &str) -> Result<Chosen> {
    let failed = |reason: String| Error::Load { path: directory.to_path_buf(), reason };
    let chosen = signed(&graph, signature)?;
    let specs = |infos: &BTreeMap<String, TensorInfo>, defaults: &BTreeMap<String, Vec<u8>>| {
        let spec = |(name, info): (&String, &TensorInfo)| spec(name, info, defaults.contains_key(name));
        infos.iter().map(spec).collect::<Result<Vec<_>, String>>().map_err(failed)
    };
    let mut inputs = specs(&chosen.inputs, &chosen.defaults)?;
    let outputs = specs(&chosen.outputs, &BTreeMap::new())?;
    if outputs.is_empty() {
        return Err(failed(format!("its signature {signature} has no output")));
    }
    let defaults = chosen.defaults.clone();
    let ordered = positions::arrange(&graph, &mut inputs);
    Ok(Chosen { directory: directory.to_path_buf(), inputs, ordered, outputs, defaults, graph })
}

fn tagged(graphs: Vec<MetaGraph>, tags: &[String]) -> Result<MetaGraph> {
    let of = |tags: &[String]| {
        let mut tags: Vec<String> = tags.iter().filter(|tag| !tag.is_empty()).cloned().collect();
        tags.sort();
        tags
    };
    let of_graph = |graph: &MetaGraph| of(graph.info.as_ref().map_or(&[], |info| &info.tags));
    let asked = of(tags);
    let found = graphs.iter().map(|graph| format!("one {}", described(&of_graph(graph))));
    let found = found.collect::<Vec<_>>().join(", ");
    let chosen = graphs.into_iter().find(|graph| of_graph(graph) == asked);
    chosen.ok_or_else(|| Error::NoTags { asked: described(&asked), found })
}

fn described(tags: &[String]) -> String {
    if tags.is_empty() { "without tags (--tags '')".into() } else { format!("tagged {}", tags.join(",")) }
}

fn signed<'g>(graph: &'g MetaGraph, signature: &str) -> Result<&'g SignatureDef> {
    let users = || graph.signatures.iter().filter(|(name, _)| !name.starts_with(HIDDEN));
    users().find(|(name, _)| *name == signature).map(|(_, def)| def).ok_or_else(|| {
        let found: Vec<&str> = users().map(|(name, _)| name.as_str()).collect();
        let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
        Error::NoSignature { asked: signature.to_owned(), found }
    })
}

fn spec(name: &str, info: &TensorInfo, optional: bool) -> Result<TensorSpec, String> {
    if info.name.is_empty() {
        return Err(format!(
            "{name} in its signature is a sparse or composite tensor; dense ones can be explained"
        ));
    }
    Ok(TensorSpec {
        name: name.to_owned(),
        data_type: DataType(info.data_type).without_reference(),
        shape: info.shape.as_ref().and_then(|shape| shape.extents()),
        optional,
        tensor: info.name.clone(),
    })
}
