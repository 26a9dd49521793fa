//! Checks that an archive is complete and undamaged.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;
use zip::ZipArchive;

const BUFFER: usize = 1 << 16;

/// Reads every record and compares its length and checksum with the archive's directory; the error says what is wrong.
///
/// libtorch compares no checksums: it would run with damaged weights, and take damaged numbers for sizes to allocate.
pub(crate) fn check(path: &Path) -> Result<(), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut archive =
        ZipArchive::new(BufReader::with_capacity(BUFFER, file)).map_err(|error| error.to_string())?;
    for index in 0..archive.len() {
        let mut record =
            archive.by_index(index).map_err(|error| format!("record {index} of the archive: {error}"))?;
        let length = record.size();
        let read = io::copy(&mut record, &mut io::sink());
        let wrong = match read {
            Ok(read) if read == length => continue,
            Ok(read) => format!("{read} bytes instead of {length}"),
            Err(error) => error.to_string(),
        };
        return Err(format!("its record {} is damaged: {wrong}", record.name()));
    }
    Ok(())
}
