//! Columns of text.

use std::io::{self, Write};
use tabwriter::TabWriter;

/// Docker's ten, of which the padding is a part.
const COLUMN_MIN: usize = 10 - PADDING;
const PADDING: usize = 3;

/// `text`, in which tabs separate the columns, with columns of at least this width, padding included.
pub(crate) fn columns(text: &str, least: usize) -> io::Result<String> {
    let mut columns = TabWriter::new(Vec::new()).minwidth(least.saturating_sub(PADDING)).padding(PADDING);
    columns.write_all(text.as_bytes())?;
    let bytes = columns.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Writes `text`, in which tabs separate the columns.
pub(crate) fn write(to: impl Write, text: &str) -> io::Result<()> {
    let mut columns = TabWriter::new(to).minwidth(COLUMN_MIN).padding(PADDING);
    columns.write_all(text.as_bytes())?;
    columns.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_a_least_width() {
        let mut out = Vec::new();
        write(&mut out, "ID\tNAME OF IT\tLAST\na\tb\tc\n").unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "ID        NAME OF IT   LAST\na         b            c\n"
        );
    }
}
