//! Where the last records begin, found from the end where the file allows it.

use super::local;
use super::records::Records;
use sampan_spec::bundle::LogFormat;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

const BLOCK: u64 = 64 << 10;

/// Has a file begin with its last `wanted` records; gives how many there are, if fewer.
pub(super) fn skip_to_last(records: &mut Records, format: LogFormat, wanted: u64) -> io::Result<u64> {
    if !records.is_packed {
        let size = records.file.metadata()?.len();
        let found = match format {
            LogFormat::JsonFile => offset_of_last_lines(&records.file, size, wanted).map(Some)?,
            LogFormat::Local => offset_of_last_records(&records.file, size, wanted)?,
        };
        if let Some((offset, count)) = found {
            records.offset = offset;
            return Ok(count);
        }
    }
    // The name may be another file's by now.
    let same = format!("/proc/self/fd/{}", records.file.as_raw_fd());
    let all = Records::open(Path::new(&same), format, records.is_packed)?;
    let count = all.map_or(Ok(0), |mut all| all.count())?;
    records.skip = count.saturating_sub(wanted);
    Ok(count.min(wanted))
}

/// Where the last `lines` lines of a file begin that is `size` bytes long, and how many there are: fewer if the file has
/// fewer. What stands behind the last newline is not counted.
fn offset_of_last_lines(file: &File, size: u64, lines: u64) -> io::Result<(u64, u64)> {
    let mut block = vec![0; BLOCK.min(size) as usize];
    // The newline before the first wanted line is the one after `lines` others.
    let mut seen = 0;
    let mut end = size;
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let part = &mut block[..(end - start) as usize];
        file.read_exact_at(part, start)?;
        for at in memchr::memrchr_iter(b'\n', part) {
            if seen == lines {
                return Ok((start + at as u64 + 1, lines));
            }
            seen += 1;
        }
        end = start;
    }
    Ok((0, seen))
}

/// The same for records with their length behind them; `None` if the file does not end with one, or is damaged before.
fn offset_of_last_records(file: &File, size: u64, wanted: u64) -> io::Result<Option<(u64, u64)>> {
    let (mut end, mut seen) = (size, 0);
    while end > 0 && seen < wanted {
        match local::start_of_last(file, end)? {
            Some(start) => end = start,
            None => return Ok(None),
        }
        seen += 1;
    }
    Ok(Some((end, seen)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn lines_are_counted_from_the_end() {
        let long = "x".repeat(100_000);
        let text = format!("a\n\n{long}\nb\ntorn");
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let long = long.len() as u64;
        for (lines, want) in
            [(0, (long + 6, 0)), (1, (long + 4, 1)), (2, (3, 2)), (3, (2, 3)), (4, (0, 4)), (9, (0, 4))]
        {
            assert_eq!(offset_of_last_lines(&file, text.len() as u64, lines).unwrap(), want, "{lines}");
        }
        assert_eq!(offset_of_last_lines(&tempfile::tempfile().unwrap(), 0, 5).unwrap(), (0, 0));
    }
}
