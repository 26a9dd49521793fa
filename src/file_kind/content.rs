//! As much of a file's content as it takes to recognise it.

use super::pickle::{self, Pickled};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use zip::ZipArchive;

const HEAD: u64 = 1 << 16;
const TAIL: i64 = 64;
/// The length of a pickle that is read; pickles name their content long before that.
const PICKLE: u64 = 1 << 22;
/// The number of a message's fields that are read.
const FIELDS: usize = 64;

/// What was read of a file.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// Its length in bytes.
    pub length: u64,
    /// Its first bytes.
    pub head: Vec<u8>,
    /// Its last ones.
    pub tail: Vec<u8>,
    /// The names in it, if it is a complete zip archive, without the folder that contains all of them.
    pub entries: Option<Vec<String>>,
    /// The content of its pickle: the file itself, or `data.pkl` within the archive.
    pub pickled: Option<Pickled>,
    /// The numbers and types of its first fields, if it looks like a message of protocol buffers.
    pub fields: Vec<(u64, u8)>,
}

impl Content {
    /// Reads a file.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        Read::by_ref(&mut file).take(HEAD).read_to_end(&mut head)?;
        file.seek(SeekFrom::End(-TAIL.min(i64::try_from(length).unwrap_or(TAIL))))?;
        file.read_to_end(&mut tail)?;
        let mut content = Self { length, head, tail, ..Self::default() };
        if content.starts(b"PK\x03\x04") {
            content.unzip(file);
        } else if content.starts(b"\x80")
            && content.head.get(1).is_some_and(|protocol| (2..6).contains(protocol))
        {
            file.rewind()?;
            content.pickled = Some(pickle::read(&bytes(file)?));
        } else {
            content.fields = fields(&mut BufReader::new(file), length).unwrap_or_default();
        }
        Ok(content)
    }

    fn unzip(&mut self, file: File) {
        let Ok(mut archive) = ZipArchive::new(BufReader::new(file)) else { return };
        let names: Vec<String> = archive.file_names().map(str::to_owned).collect();
        let folder = names.first().and_then(|name| name.split_inclusive('/').next()).unwrap_or_default();
        let folder = if folder.ends_with('/') && names.iter().all(|name| name.starts_with(folder)) {
            folder
        } else {
            ""
        };
        if let Ok(data) = archive.by_name(&format!("{folder}data.pkl")) {
            self.pickled = bytes(data).ok().map(|bytes| pickle::read(&bytes));
        }
        self.entries =
            Some(names.iter().filter_map(|name| name.strip_prefix(folder)).map(str::to_owned).collect());
    }

    /// Whether it starts with these bytes.
    pub fn starts(&self, magic: &[u8]) -> bool {
        self.head.starts_with(magic)
    }

    /// Whether these bytes are at the offset.
    pub fn at(&self, offset: usize, magic: &[u8]) -> bool {
        self.head.get(offset..).is_some_and(|rest| rest.starts_with(magic))
    }

    /// Whether it is an archive with an entry of this name, or in this folder.
    pub fn holds(&self, name: &str) -> bool {
        let fits = |entry: &String| if name.ends_with('/') { entry.starts_with(name) } else { entry == name };
        self.entries.iter().flatten().any(fits)
    }

    /// The number of leading fields that have this field number and are strings, bytes or messages.
    pub fn leading(&self, number: u64) -> usize {
        self.fields.iter().take_while(|field| **field == (number, 2)).count()
    }

    /// Its first bytes as text, if they are text.
    pub fn text(&self) -> Option<&str> {
        let text = match std::str::from_utf8(&self.head) {
            Ok(text) => text,
            // The last character may be cut off.
            Err(error) if error.valid_up_to() + 4 > self.head.len() => {
                std::str::from_utf8(self.head.get(..error.valid_up_to())?).ok()?
            }
            Err(_) => return None,
        };
        text.chars().all(|c| !c.is_control() || c.is_whitespace()).then_some(text)
    }
}

fn bytes(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(PICKLE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The first fields of a message; `None` if it is not one.
fn fields(file: &mut (impl Read + Seek), length: u64) -> Option<Vec<(u64, u8)>> {
    let mut fields = Vec::new();
    let mut place = file.seek(SeekFrom::Start(0)).ok()?;
    while place < length && fields.len() < FIELDS {
        let key = varint(file)?;
        let (number, kind) = (key >> 3, (key & 7) as u8);
        let skipped = match kind {
            0 => varint(file).map(|_| 0)?,
            1 => 8,
            2 => varint(file)?,
            5 => 4,
            _ => return None,
        };
        place = file.stream_position().ok()?.checked_add(skipped).filter(|place| *place <= length)?;
        file.seek(SeekFrom::Start(place)).ok()?;
        fields.push((Some(number).filter(|number| *number > 0)?, kind));
    }
    Some(fields)
}

/// An integer of variable length.
pub(super) fn varint(file: &mut impl Read) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let mut byte = [0];
        file.read_exact(&mut byte).ok()?;
        number |= u64::from(byte[0] & 127) << shift;
        if byte[0] < 128 {
            return Some(number);
        }
    }
    None
}
