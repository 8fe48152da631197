//! Where the last lines begin, found from the end.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

const BLOCK: u64 = 64 << 10;

/// Where the last `lines` lines of a file begin that is `size` bytes long, and how many there are: fewer if the file has
/// fewer. What stands behind the last newline is not counted.
pub(super) fn offset_of_last(file: &File, size: u64, lines: u64) -> io::Result<(u64, u64)> {
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
            assert_eq!(offset_of_last(&file, text.len() as u64, lines).unwrap(), want, "{lines}");
        }
        assert_eq!(offset_of_last(&tempfile::tempfile().unwrap(), 0, 5).unwrap(), (0, 0));
    }
}
