//! Damaged archives are refused; they never end the process, hang or take the machine's memory.

use dlbacktrace_torch_recorder::{Error, Inputs, Module};
use std::io::{Cursor, Read, Write};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tch::Tensor;
use testkit::memory::peak;
use testkit_torch::recordings::{bit_equal, data, inputs, policy, tensor};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

const DAMAGED: [&str; 5] = ["in_place", "nested", "recurrent", "conv_net_traced", "torture"];
const TIMES: usize = 200;
const LONGEST: Duration = Duration::from_secs(30);

/// Numbers that are the same in each run of the tests (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}

fn truncated(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    bytes.truncate(numbers.below(bytes.len()));
}

fn flipped(bytes: &mut [u8], numbers: &mut Numbers) {
    for _ in 0..=numbers.below(8) {
        let at = numbers.below(bytes.len());
        bytes[at] ^= 1 << numbers.below(8);
    }
}

fn swapped(bytes: &mut [u8], numbers: &mut Numbers) {
    let length = 1 + numbers.below(64);
    let from = numbers.below(bytes.len() - 2 * length);
    let to = from + length + numbers.below(bytes.len() - from - 2 * length);
    for i in 0..length {
        bytes.swap(from + i, to + i);
    }
}

fn zeroed(bytes: &mut [u8], numbers: &mut Numbers) {
    let length = 1 + numbers.below(64);
    let from = numbers.below(bytes.len() - length);
    bytes[from..from + length].fill(0);
}

type Damage = (&'static str, fn(&mut Vec<u8>, &mut Numbers));
const DAMAGES: [Damage; 4] = [
    ("truncated", truncated),
    ("flipped", |bytes, numbers| flipped(bytes, numbers)),
    ("swapped", |bytes, numbers| swapped(bytes, numbers)),
    ("zeroed", |bytes, numbers| zeroed(bytes, numbers)),
];

/// Loads an archive of these bytes and records a run.
fn outputs(folder: &Path, name: &str, bytes: &[u8]) -> Result<Vec<Tensor>, Error> {
    let path = folder.join("archive.pt");
    std::fs::write(&path, bytes).unwrap();
    let recording = Module::load(path)?.record(&inputs(name), &policy())?;
    Ok(recording.outputs.into_iter().map(|output| output.tensor).collect())
}

/// What is wrong with the outcome for a damaged archive. It may be refused, or run like the whole one if the damage hit
/// nothing that is read.
fn problem(outcome: Result<Vec<Tensor>, Error>, expected: &[Tensor]) -> Option<String> {
    match outcome {
        Ok(found) => {
            let same = found.len() == expected.len()
                && found.iter().zip(expected).all(|(found, expected)| bit_equal(found, expected));
            (!same).then(|| "other outputs".to_owned())
        }
        Err(error @ Error::Load { .. }) => {
            error.to_string().contains("frame #").then(|| format!("a long text: {error}"))
        }
        Err(error) => Some(error.to_string()),
    }
}

/// Damages each archive many times; sends the damage, whether the archive was refused, and what is wrong.
fn damage_all(folder: &Path, tell: &mpsc::Sender<(String, bool, Option<String>)>) {
    for (seed, name) in DAMAGED.into_iter().enumerate() {
        let whole = std::fs::read(data(name)).unwrap();
        let expected = outputs(folder, name, &whole).unwrap();
        let mut numbers = Numbers(seed as u64);
        for time in 0..TIMES {
            let mut bytes = whole.clone();
            let (how, damage) = DAMAGES[time % DAMAGES.len()];
            damage(&mut bytes, &mut numbers);
            let outcome = outputs(folder, name, &bytes);
            let refused = outcome.is_err();
            if tell.send((format!("{name}, {how}, {time}"), refused, problem(outcome, &expected))).is_err() {
                return;
            }
        }
    }
}

#[test]
fn a_thousand_damaged_archives_are_refused_or_run_as_if_whole() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().to_owned();
    let before = peak();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || damage_all(&at, &tell));
    let mut refused_of_all = 0;
    for case in 0..DAMAGED.len() * TIMES {
        let (what, refused, problem) =
            told.recv_timeout(LONGEST).unwrap_or_else(|_| panic!("case {case} hangs"));
        assert_eq!(problem, None, "{what}");
        refused_of_all += usize::from(refused);
    }
    assert!(refused_of_all > 900, "only {refused_of_all} were refused");
    let grown = peak() - before;
    assert!(grown < 200 << 20, "peak memory grew by {grown} bytes");
}

#[test]
fn other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for bytes in [&b""[..], b"not an archive", &[0; 4096]] {
        assert!(matches!(outputs(folder.path(), "in_place", bytes), Err(Error::Load { .. })));
    }
    assert!(matches!(Module::load(folder.path()), Err(Error::Load { .. })));
}

#[test]
fn a_damaged_weight_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(data("in_place")).unwrap();
    let weight =
        ZipArchive::new(Cursor::new(&bytes)).unwrap().by_name("in_place/data/0").unwrap().data_start();
    bytes[usize::try_from(weight.unwrap()).unwrap()] ^= 1;
    let text = outputs(folder.path(), "in_place", &bytes).unwrap_err().to_string();
    assert!(text.contains("in_place/data/0 is damaged"), "{text}");
}

/// The archive with other contents in the files that tell where its code came from. Its checksums are right.
fn with_source_lines(whole: &[u8], contents: &[u8]) -> Vec<u8> {
    let mut old = ZipArchive::new(Cursor::new(whole)).unwrap();
    let mut new = ZipWriter::new(Cursor::new(Vec::new()));
    let mut replaced = 0;
    for index in 0..old.len() {
        let mut record = old.by_index(index).unwrap();
        let mut bytes = Vec::new();
        record.read_to_end(&mut bytes).unwrap();
        if record.name().ends_with(".debug_pkl") {
            bytes = contents.to_owned();
            replaced += 1;
        }
        new.start_file(
            record.name(),
            SimpleFileOptions::default().compression_method(CompressionMethod::Stored),
        )
        .unwrap();
        new.write_all(&bytes).unwrap();
    }
    assert!(replaced > 0);
    new.finish().unwrap().into_inner()
}

#[test]
fn defective_source_lines_never_fail_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(data("loop_write")).unwrap();
    let expected = outputs(folder.path(), "loop_write", &whole).unwrap();
    for contents in [&b""[..], b"no pickle", b"\x80\x02).", b"\x80\x02]."] {
        let bytes = with_source_lines(&whole, contents);
        assert_eq!(problem(outputs(folder.path(), "loop_write", &bytes), &expected), None);
        // A run that fails for another reason still tells that reason.
        let module = Module::load(folder.path().join("archive.pt")).unwrap();
        let error = module.record(&Inputs::new([tensor(&[])]), &policy()).unwrap_err().to_string();
        assert!(error.contains("aten::") && !error.contains("INTERNAL"), "{error}");
    }
}
