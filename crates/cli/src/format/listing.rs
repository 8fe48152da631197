//! Lists of things: as a table, by a template of the user's, or as JSON.

use crate::error::Error;
use crate::format::json::Json;
use crate::format::table;
use crate::format::template::Format;
use crate::print;

/// A column that a template can name, with its heading.
pub(crate) type Column = (&'static str, &'static str);

/// Rows of text under named columns.
pub(crate) struct Listing {
    pub columns: &'static [Column],
    /// A cell for each column.
    pub rows: Vec<Vec<String>>,
}

impl Listing {
    /// Prints the rows by `format`: empty or `table` is `default`, a template with tabs; `table TEMPLATE` has headings, too.
    pub(crate) fn print(&self, format: &str, default: &str) -> Result<(), Error> {
        print::text(&self.text(format, default)?);
        Ok(())
    }

    /// What [`Listing::print`] prints.
    pub(crate) fn text(&self, format: &str, default: &str) -> Result<String, Error> {
        let format = format.trim();
        let template = match format.strip_prefix("table") {
            None if format.is_empty() => default,
            Some("") => default,
            Some(template) => template.trim_start(),
            None => return self.lines(format),
        };
        let format = parse(template)?;
        let headings = self.columns.iter().map(|(_, heading)| (*heading).to_owned()).collect::<Vec<_>>();
        let mut text = String::new();
        for row in [&headings].into_iter().chain(&self.rows) {
            text += &format.apply(&self.document(row))?;
            text.push('\n');
        }
        let mut table = Vec::new();
        table::write(&mut table, &text)?;
        Ok(String::from_utf8_lossy(&table).into_owned())
    }

    /// The rows as a list of documents.
    pub(crate) fn json(&self) -> Json {
        Json::Array(self.rows.iter().map(|row| self.document(row)).collect())
    }

    fn lines(&self, format: &str) -> Result<String, Error> {
        let template = parse(format)?;
        let mut lines = String::new();
        for row in &self.rows {
            let text = template.apply(&self.document(row))?;
            // Go's JSON can stand in a web page.
            let escaped = || text.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e");
            lines += &if format == "json" { escaped() } else { text };
            lines.push('\n');
        }
        Ok(lines)
    }

    fn document(&self, row: &[String]) -> Json {
        let cells = self.columns.iter().zip(row);
        Json::Object(
            cells.map(|((name, _), cell)| ((*name).to_owned(), Json::String(cell.clone()))).collect(),
        )
    }
}

/// A list's malformed template is an error like any other to Docker: it has no exit code of its own.
fn parse(template: &str) -> Result<Format, Error> {
    Format::new(template).map_err(|error| Error::Invalid(error.to_string()))
}
