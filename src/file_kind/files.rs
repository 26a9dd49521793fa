//! Recognises files that are given as models.

use super::content::Content;
use super::pickle::Pickled;
use super::{Form, other};
use crate::{Error, Result};
use std::path::Path;

/// A form that we do not read: how to recognise it, its name, and what to do; `{file}` stands for its path, `{key}` for the
/// key of the weights in a checkpoint.
struct Kind {
    fits: fn(&Content) -> bool,
    name: &'static str,
    advice: &'static str,
}

/// The first one that fits applies.
const KINDS: &[Kind] = &[
    Kind {
        fits: |content| content.length == 0,
        name: "an empty file (0 bytes)",
        advice: "Copy or download it again, and check whether the disk is full.",
    },
    // Archives.
    Kind {
        fits: |content| content.holds("MAR-INF/"),
        name: "an archive of TorchServe",
        advice: "Unpack it, and give the TorchScript archive in it (`serializedFile` in MAR-INF/MANIFEST.json):\n    \
                 unzip {file} -d unpacked",
    },
    Kind {
        fits: |content| {
            let exported = content.holds("serialized_exported_program.json") || content.holds("models/");
            exported && (content.holds("archive_format") || content.holds("version"))
        },
        name: "a program of torch.export (.pt2)",
        advice: "Trace it once, and give the file that this saves:\n    \
                 program = torch.export.load(\"{file}\").module()\n    \
                 torch.jit.trace(program, example_input).save(\"model.pt\")",
    },
    Kind {
        fits: |content| content.holds("data/aotinductor/"),
        name: "a network compiled by AOTInductor",
        advice: "Its operators are fused and cannot be told apart. Trace the network it was compiled from:\n    \
                 torch.jit.trace(model.eval(), example_input).save(\"model.pt\")",
    },
    Kind {
        fits: |content| content.holds("config.json") && content.holds("model.weights.h5"),
        name: "a model of Keras in Keras's own form (.keras)",
        advice: "Export it for serving, and give the directory:\n    \
                 keras.models.load_model(\"{file}\").export(\"saved_model\")",
    },
    Kind {
        fits: |content| {
            let names = content.entries.as_ref().filter(|names| !names.is_empty());
            names.is_some_and(|names| names.iter().all(|name| name.ends_with(".npy")))
        },
        name: "a file of numpy arrays (.npz), not a model",
        advice: "If they are inputs, give them with --input after the model.",
    },
    Kind {
        fits: |content| content.holds(".data/extern_modules"),
        name: "a package of torch.package",
        advice: "Load the network from it in Python, and save it as TorchScript:\n    \
                 model = torch.package.PackageImporter(\"{file}\").load_pickle(PACKAGE, RESOURCE)\n    \
                 torch.jit.trace(model.eval(), example_input).save(\"scripted.pt\")",
    },
    // Its first byte is the byte of its length, which may be any.
    Kind {
        fits: |content| {
            let length = content.head.first_chunk().map(|length| u64::from_le_bytes(*length));
            content.at(8, b"{") && length.is_some_and(|length| length < content.length)
        },
        name: "a file of safetensors: weights without the network's code",
        advice: "Build the network in Python, load the weights, and save it with its code:\n    \
                 model.load_state_dict(safetensors.torch.load_file(\"{file}\"))\n    \
                 torch.jit.trace(model.eval(), example_input).save(\"model.pt\")\n\
                 For a model of transformers: python python_shims/trace_hf.py FOLDER out/model",
    },
    // Pickles, in an archive of torch.save or by themselves.
    Kind {
        fits: |content| content.pickled.as_ref().is_some_and(has_module),
        name: "a pickled Python object with a network in it (torch.save of a whole module)",
        advice: "Only Python with the network's own code can read it. There, save it as TorchScript:\n    \
                 model = torch.load(\"{file}\", weights_only=False)  # for a checkpoint: …[\"model\"]\n    \
                 torch.jit.trace(model.eval(), example_input).save(\"scripted.pt\")",
    },
    Kind {
        fits: |content| content.pickled.as_ref().is_some_and(|pickled| weights(pickled).is_some()),
        name: "a training checkpoint: weights under `{key}` without the network's code",
        advice: "Build the network in Python, load the weights, and save it with its code:\n    \
                 model.load_state_dict(torch.load(\"{file}\", weights_only=False)[\"{key}\"])\n    \
                 torch.jit.trace(model.eval(), example_input).save(\"scripted.pt\")",
    },
    Kind {
        fits: |content| content.pickled.as_ref().is_some_and(|pickled| !pickled.tensors.is_empty()),
        name: "a state_dict: weights without the network's code",
        advice: "Build the network in Python, load the weights, and save it with its code:\n    \
                 model.load_state_dict(torch.load(\"{file}\"))\n    \
                 torch.jit.trace(model.eval(), example_input).save(\"scripted.pt\")",
    },
    Kind {
        fits: |content| content.pickled.as_ref().is_some_and(|pickled| pickled.uses("torch")),
        name: "a file of tensors or other values that torch.save wrote, without a network",
        advice: "Save the network with its code:\n    \
                 torch.jit.trace(model.eval(), example_input).save(\"scripted.pt\")",
    },
    Kind {
        fits: |content| {
            let of = |module| content.pickled.as_ref().is_some_and(|pickled| pickled.uses(module));
            ["sklearn", "xgboost", "lightgbm", "catboost"].iter().any(|module| of(module))
        },
        name: "a pickled model of scikit-learn or its kin",
        advice: "Only networks of PyTorch and TensorFlow can be explained. Rewrite it as one (hummingbird-ml does that for many), and \
                 save that:\n    torch.jit.trace(model.eval(), example_input).save(\"model.pt\")",
    },
    Kind {
        fits: |content| content.pickled.is_some(),
        name: "a pickle of Python objects",
        advice: "If it contains a network, load it in Python and save it with its code:\n    \
                 torch.jit.trace(model.eval(), example_input).save(\"model.pt\")",
    },
    Kind {
        fits: |content| content.entries.is_some(),
        name: "a zip archive without a TorchScript module",
        advice: "If it contains a model, unpack it and give that.",
    },
    Kind {
        fits: |content| {
            ["sys_info\0", "pickle\0", "tensors\0", "storages\0"]
                .iter()
                .any(|name| content.starts(name.as_bytes()))
        },
        name: "a file of torch.save from before PyTorch 0.4",
        advice: "Load it in Python, and save the network with its code:\n    \
                 torch.jit.trace(model.eval(), example_input).save(\"scripted.pt\")",
    },
    Kind {
        fits: |content| content.starts(b"\x1f\x8b"),
        name: "a file compressed by gzip",
        advice: "Unpack it, and give the file within:\n    gzip -dc {file} > model.pt  # of a .tar.gz: tar xf {file}",
    },
    Kind {
        fits: |content| {
            let compressed: [&[u8]; 5] =
                [b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c", b"Rar!"];
            compressed.iter().any(|magic| content.starts(magic)) || content.at(257, b"ustar")
        },
        name: "a packed archive (tar, zstd and the like)",
        advice: "Unpack it and give the model in it:\n    tar xf {file}",
    },
    // Other frameworks.
    Kind {
        fits: |content| content.at(4, b"PTMF"),
        name: "a TorchScript module in the form for phones (flatbuffer)",
        advice: "Save it again as an archive, and give that:\n    torch.jit.load(\"{file}\").save(\"model.pt\")",
    },
    Kind {
        fits: |content| content.at(4, b"ET1"),
        name: "a program of ExecuTorch",
        advice: "Give the network it was made from:\n    \
                 torch.jit.trace(model.eval(), example_input).save(\"model.pt\")",
    },
    Kind {
        fits: |content| content.starts(b"\x89HDF\r\n\x1a\n"),
        name: "an HDF5 file, as Keras writes it (.h5)",
        advice: "If it holds a whole model, export it for serving and give the directory:\n    \
                 keras.models.load_model(\"{file}\").export(\"saved_model\")\n\
                 If it holds weights alone, build the model first: model.load_weights(\"{file}\").",
    },
    Kind {
        fits: |content| content.at(4, b"TFL3"),
        name: "a model of TensorFlow Lite",
        advice: "Its operators are fused and cannot be told apart. Give the model it was converted from:\n    \
                 model.export(\"saved_model\")",
    },
    Kind {
        fits: |content| {
            content.fields.first() == Some(&(1, 0)) && content.fields.iter().any(|(number, _)| *number > 199)
        },
        name: "a model of Core ML",
        advice: "Give the model it was converted from, as TorchScript or SavedModel.",
    },
    Kind {
        fits: |content| {
            content.at(4, b"ORTM")
                || (content.fields.first() == Some(&(1, 0))
                    && content.fields.contains(&(7, 2))
                    && content.fields.contains(&(8, 2)))
        },
        name: "a model of ONNX",
        advice: "Give the network it was exported from. If that is lost, rebuild it in Python:\n    \
                 model = onnx2torch.convert(\"{file}\").eval()\n    \
                 torch.jit.trace(model, example_input).save(\"model.pt\")",
    },
    Kind {
        fits: is_saved_model,
        name: "the graph of a SavedModel under another name",
        advice: "Give the directory as it was saved, with `saved_model.pb` and `variables` in it.",
    },
    Kind {
        fits: is_graph,
        name: "a frozen graph of TensorFlow 1 (.pb)",
        advice: "    \
                 graph = tf.compat.v1.GraphDef.FromString(open(\"{file}\", \"rb\").read())  # to be saved for serving:\n    \
                 with tf.compat.v1.Session(graph=tf.Graph()) as session:\n        \
                 x, y = tf.import_graph_def(graph, return_elements=[\"INPUT:0\", \"OUTPUT:0\"])\n        \
                 tf.compat.v1.saved_model.simple_save(session, \"saved_model\", {\"x\": x}, {\"y\": y})",
    },
    Kind {
        fits: |content| {
            let table = content.tail.ends_with(b"\x57\xfb\x80\x8b\x24\x75\x47\xdb");
            table || content.fields.starts_with(&[(1, 2), (2, 2), (3, 2)])
        },
        name: "a part of a checkpoint of TensorFlow: values of variables without the network",
        advice: "Build the network in Python, load the values, and export it:\n    \
                 tf.train.Checkpoint(model=model).restore(\"PREFIX\").expect_partial()\n    \
                 model.export(\"saved_model\")",
    },
    Kind {
        fits: |content| [b"GGUF", b"tjgg", b"lmgg"].iter().any(|magic| content.starts(*magic)),
        name: "a file of weights for llama.cpp (GGUF), without the network's code",
        advice: "Give the model they were made from, traced from its folder of transformers:\n    \
                 python python_shims/trace_hf.py FOLDER out/model",
    },
    // Files that are not models at all.
    Kind {
        fits: |content| content.starts(b"\x93NUMPY"),
        name: "a numpy array (.npy), not a model",
        advice: "If it is an input, give it with --input after the model.",
    },
    Kind {
        fits: |content| content.starts(b"\x89PNG") || content.starts(b"\xff\xd8\xff"),
        name: "a picture, not a model",
        advice: "If it is an input, give it with --input after the model.",
    },
    Kind {
        fits: |content| content.starts(b"\x7fELF"),
        name: "a library or program of machine code",
        advice: "If it registers operators, give it with --library, besides the model. A compiled network cannot be explained.",
    },
    Kind {
        fits: |content| content.starts(b"version https://git-lfs"),
        name: "a pointer of Git LFS, in place of the file itself",
        advice: "Fetch the file:\n    git lfs pull",
    },
    Kind {
        fits: |content| content.text().is_some_and(|text| text.trim_start().starts_with("<")),
        name: "a page of HTML or XML",
        advice: "If it was downloaded, the link led to a page, not to the file. An OpenVINO model is not read: give the model it \
                 was converted from.",
    },
    Kind {
        fits: |content| content.text().is_some_and(|text| text.trim_start().starts_with("{")),
        name: "a text in JSON",
        advice: "It may describe a network, but holds none of its weights. Give the model that it belongs to.",
    },
    Kind {
        fits: |content| content.text().is_some(),
        name: "a text file",
        advice: "Save the network with its code:\n    \
                 torch.jit.trace(model.eval(), example_input).save(\"model.pt\")",
    },
    Kind {
        fits: |content| {
            content.starts(b"\x78\x9c") || content.starts(b"\x78\x01") || content.starts(b"\x78\xda")
        },
        name: "a file compressed by zlib, as joblib writes it",
        advice: "If it contains a network, load it in Python and save it with its code:\n    \
                 torch.jit.trace(model.eval(), example_input).save(\"model.pt\")",
    },
    Kind {
        fits: |_| true,
        name: "a file of an unknown form",
        advice: "Save the network with its code:\n    \
                 torch.jit.trace(model.eval(), example_input).save(\"model.pt\")  # PyTorch\n    \
                 model.export(\"saved_model\")  # Keras",
    },
];

/// Recognises the file.
pub(super) fn look(path: &Path, content: &Content) -> Result<Form> {
    if content.holds("code/") && content.holds("constants.pkl") {
        return Ok(Form::TorchScript(path.to_owned()));
    }
    if is_saved_model(content) && path.file_name().is_some_and(|name| name == "saved_model.pb") {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        return Ok(Form::SavedModel(directory.unwrap_or(Path::new(".")).to_owned()));
    }
    if content.starts(b"PK\x03\x04") && content.entries.is_none() {
        return Err(Error::Load(format!(
            "cannot load {}: it is damaged: a zip archive whose end is missing, after {} bytes. Copy or download it again",
            path.display(),
            content.length
        )));
    }
    // The last entry fits everything, so this is never reached.
    let Some(kind) = KINDS.iter().find(|kind| (kind.fits)(content)) else {
        return Err(Error::Load(format!("cannot load {}", path.display())));
    };
    let key = content.pickled.as_ref().and_then(weights).unwrap_or_default();
    Err(other(path, kind.name.replace("{key}", key), &kind.advice.replace("{key}", key)))
}

/// Whether the pickle names the class of a module.
fn has_module(pickled: &Pickled) -> bool {
    let layers = ["torch.nn.modules", "torch.nn.quantized", "torch.ao.nn", "torch.fx.graph_module"];
    layers.iter().any(|module| pickled.uses(module))
}

/// The key of a checkpoint's weights. A state_dict by itself contains no dictionary but the one for torch's metadata.
fn weights(pickled: &Pickled) -> Option<&str> {
    const OTHERS: [&str; 10] = [
        "optim",
        "sched",
        "config",
        "args",
        "param_groups",
        "hyper",
        "type_sizes",
        "loops",
        "callback",
        "scaler",
    ];
    const LIKELY: [&str; 5] = ["state_dict", "model", "net", "module", "weights"];
    let own = pickled.inner.iter().take_while(|key| *key != "_metadata").map(String::as_str);
    let own: Vec<&str> = own.filter(|key| !OTHERS.iter().any(|other| key.contains(other))).collect();
    let likely = own.iter().find(|key| LIKELY.iter().any(|word| key.contains(word)));
    let found = likely.or(own.first()).filter(|_| pickled.uses("torch._utils"));
    found.copied()
}

/// Whether it is a message of a version and graphs.
fn is_saved_model(content: &Content) -> bool {
    content.fields.starts_with(&[(1, 0), (2, 2)]) && content.fields.iter().all(|(number, _)| *number < 3)
}

/// Whether it is nodes, the first of which has a name and an operator.
fn is_graph(content: &Content) -> bool {
    let operator = || {
        let mut rest = content.head.get(1..)?;
        super::content::varint(&mut rest)?;
        let mut string = |key| {
            rest = rest.strip_prefix(&[key])?;
            let length = usize::try_from(super::content::varint(&mut rest)?).ok()?;
            let (string, after) = rest.split_at_checked(length)?;
            rest = after;
            Some(string)
        };
        string(0x0a)?;
        string(0x12)
    };
    content.leading(1) > 0
        && operator().is_some_and(|name| !name.is_empty() && name.iter().all(u8::is_ascii_alphanumeric))
}
