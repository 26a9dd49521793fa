//! A damaged SavedModel is an error with a reason, never a crash and never another result.

use dlbacktrace_core::explain::Options;
use dlbacktrace_tensorflow::{Error, Model, Result};
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use testkit::saved_models::{Fixture, fixture, load};

const MODEL: &str = "saved_model.pb";
const INDEX: &str = "variables/variables.index";
const DATA: &str = "variables/variables.data-00000-of-00001";

fn copied(fixture: &Fixture) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let mut open = vec![fixture.directory.clone()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let place = copy.path().join(path.strip_prefix(&fixture.directory).unwrap());
            if path.is_dir() {
                fs::create_dir_all(place).unwrap();
                open.push(path);
            } else {
                fs::create_dir_all(place.parent().unwrap()).unwrap();
                fs::copy(path, place).unwrap();
            }
        }
    }
    copy
}

/// How far a fixture's outputs are from the stored ones after one of its files was changed.
fn outcome(name: &str, file: &str, change: &dyn Fn(Vec<u8>) -> Option<Vec<u8>>) -> Result<f64> {
    let fixture = fixture(name);
    let copy = copied(&fixture);
    let path = copy.path().join(file);
    match change(fs::read(&path).unwrap()) {
        Some(bytes) => fs::write(path, bytes).unwrap(),
        None => fs::remove_file(path).unwrap(),
    }
    let model = load(copy.path())?;
    let outputs = model.forward(&fixture.tensors(model.context()))?;
    Ok(fixture.difference(&outputs))
}

/// The length of the first `numerator / denominator` of a file.
fn part(bytes: &[u8], numerator: usize, denominator: usize) -> usize {
    bytes.len() * numerator / denominator
}

fn replaced(mut bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut at = 0;
    let mut found = false;
    while at + from.len() <= bytes.len() {
        if bytes[at..].starts_with(from.as_bytes()) {
            bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
            found = true;
        }
        at += 1;
    }
    assert!(found, "there is no {from}");
    bytes
}

#[test]
fn every_damage_is_told() {
    type Change = Box<dyn Fn(Vec<u8>) -> Option<Vec<u8>>>;
    let mut damages: Vec<(&str, &str, String, Change)> = Vec::new();
    for number in 0..25 {
        let cut = move |bytes: Vec<u8>| Some(bytes[..part(&bytes, number, 25)].to_vec());
        damages.push(("lstm_export", MODEL, format!("cut to {number}/25"), Box::new(cut)));
    }
    for number in 0..15 {
        for file in [INDEX, DATA] {
            let cut = move |bytes: Vec<u8>| Some(bytes[..part(&bytes, number, 15)].to_vec());
            damages.push(("graph_resource", file, format!("cut to {number}/15"), Box::new(cut)));
        }
    }
    for number in 0..20 {
        let flip = move |mut bytes: Vec<u8>| {
            let at = part(&bytes, number, 20);
            bytes[at] ^= 0x10;
            Some(bytes)
        };
        damages.push(("graph_resource", DATA, format!("a bit flipped at {number}/20"), Box::new(flip)));
    }
    for number in 0..30 {
        let overwrite = move |mut bytes: Vec<u8>| {
            let start = part(&bytes, number, 30);
            let end = (start + 48).min(bytes.len());
            bytes[start..end].fill(0xff);
            Some(bytes)
        };
        damages.push(("mlp_save", MODEL, format!("overwritten at {number}/30"), Box::new(overwrite)));
    }
    let names = [
        ("MatMul", "MatMux"),
        ("BiasAdd", "BiasAdx"),
        ("PartitionedCall", "PartitionedCalx"),
        ("ReadVariableOp", "ReadVariableOx"),
        ("__inference_signature_wrapper", "__inference_signature_wrappex"),
    ];
    // The first occurrence of each stays, so that names no longer match.
    for (from, to) in names {
        let rename = move |bytes: Vec<u8>| {
            let mut renamed = replaced(bytes.clone(), from, to);
            let first = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
            renamed[first..first + from.len()].copy_from_slice(from.as_bytes());
            Some(renamed)
        };
        damages.push(("mlp_save", MODEL, format!("{from} renamed"), Box::new(rename)));
    }
    for (name, file) in [
        ("mlp_export", MODEL),
        ("mlp_export", INDEX),
        ("mlp_export", DATA),
        ("graph_reference", INDEX),
        ("lookup", "assets/vocabulary.txt"),
    ] {
        damages.push((name, file, "gone".into(), Box::new(|_| None)));
    }

    let mut unnoticed = Vec::new();
    let mut told = 0;
    for (name, file, what, change) in &damages {
        match outcome(name, file, change) {
            Err(
                Error::Load { .. }
                | Error::Operator { .. }
                | Error::NoTags { .. }
                | Error::NoSignature { .. },
            ) => {
                told += 1;
            }
            // The signature may not need what was overwritten.
            Ok(difference) if what.starts_with("overwritten") && difference <= 1e-6 => {}
            other => unnoticed.push(format!("{name}, {file} {what}: {other:?}")),
        }
    }
    assert!(unnoticed.is_empty(), "of {} damages: {unnoticed:#?}", damages.len());
    assert!(told >= 100, "{told} of {} gave an error", damages.len());
}

#[test]
fn what_is_no_saved_model_is_told_with_advice() {
    let refused = |directory: &Path| load(directory).err().map(|error| error.to_string()).unwrap_or_default();
    let directory = tempfile::tempdir().unwrap();
    assert!(refused(directory.path()).contains("model.export"));
    assert!(refused(Path::new("/nowhere")).contains("no saved_model.pb"));
    for (file, advice) in
        [("saved_model.pbtxt", "binary form"), ("saved_model.cpb", "experimental_image_format")]
    {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(file), "").unwrap();
        assert!(refused(directory.path()).contains(advice), "{file}");
    }
}

/// Numbers without pattern, the same for the same seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// Any change gives an error, or an explanation of what the file now says. A crash would end this process.
#[test]
fn five_hundred_corrupted_models_are_no_crash() {
    let options = Options { allow_unruled: true, ..Options::default() };
    let (mut told, mut explained) = (0, 0);
    for round in 0..500_u64 {
        let mut numbers = Numbers((round + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let name =
            ["mlp_export", "cnn_tf_keras", "gru_save", "graph_reference", "lookup"][round as usize % 5];
        let file = [MODEL, MODEL, MODEL, INDEX, DATA][numbers.below(5)];
        let fixture = fixture(name);
        let copy = copied(&fixture);
        let Ok(mut bytes) = fs::read(copy.path().join(file)) else { continue };
        for _ in 0..1 + numbers.below(4) {
            let at = numbers.below(bytes.len());
            bytes[at] ^= 1 << numbers.below(8);
        }
        fs::write(copy.path().join(file), bytes).unwrap();
        let explain = |model: &Model| model.explain(&fixture.tensors(model.context()), &options);
        match load(copy.path()).and_then(|model| explain(&model)) {
            Ok(_) => explained += 1,
            Err(error) => {
                assert!(!error.to_string().is_empty(), "round {round}: {error:?}");
                told += 1;
            }
        }
    }
    assert!(told >= 100 && explained >= 50, "{told} gave an error, {explained} were explained");
}
