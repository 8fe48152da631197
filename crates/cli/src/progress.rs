//! What the engine tells while it pulls, loads or imports an image: bars on a terminal, else lines.

use crate::error::Error;
use crate::print;
use crate::terminal;
use sampan_api::JsonLines;
use sampan_api::body::Progress;
use sampan_api::human::progress_bar;

/// Where it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On standard output.
    Output,
    /// On standard error: standard output is for something else.
    Errors,
    /// Nowhere.
    Nowhere,
}

/// Shows messages as they come.
///
/// # Errors
/// When the engine reports one, or the connection breaks.
pub(crate) async fn show(mut lines: JsonLines<Progress>, place: Place) -> Result<(), Error> {
    let columns = match place {
        Place::Output => terminal::output_columns(),
        Place::Errors => terminal::error_columns(),
        Place::Nowhere => None,
    };
    let mut screen = Screen { columns, ids: Vec::new() };
    while let Some(message) = lines.next().await? {
        let detail = message.error_detail.as_ref().map(|detail| detail.message.clone());
        if let Some(error) = detail.filter(|text| !text.is_empty()).or(message.error.clone()) {
            return Err(Error::Stream(error));
        }
        let text = screen.text(&message);
        match place {
            Place::Output => print::text(&text),
            Place::Errors => print::error_text(&text),
            Place::Nowhere => {}
        }
    }
    Ok(())
}

/// What is on the terminal: a line for each thing that gets on, until something else is said.
struct Screen {
    /// The terminal's columns, if it is one.
    columns: Option<usize>,
    ids: Vec<String>,
}

impl Screen {
    /// What to write for a message.
    fn text(&mut self, message: &Progress) -> String {
        let status = message.status.as_deref().unwrap_or_default();
        let id = message.id.as_deref().unwrap_or_default();
        let prefix = if id.is_empty() { String::new() } else { format!("{id}: ") };
        let (Some(detail), false) = (&message.progress_detail, id.is_empty()) else {
            self.ids.clear();
            return match &message.stream {
                Some(text) => format!("{prefix}{text}"),
                None => format!("{prefix}{status}\n"),
            };
        };
        let Some(columns) = self.columns else {
            let draws = detail.current.is_some() || detail.total.is_some();
            return if draws { String::new() } else { format!("{prefix}{status}\n") };
        };
        let (new, up) = self.line_of(id);
        let bar = progress_bar(detail, columns);
        let new = if new { "\n" } else { "" };
        // Up, clear the line, down again (ECMA-48: CUU, EL, CUD).
        format!("{new}\x1b[{up}A\x1b[2K\r{prefix}{status} {bar}\r\x1b[{up}B")
    }

    /// Whether a thing gets a line of its own only now, and how far above the last line that is.
    fn line_of(&mut self, id: &str) -> (bool, usize) {
        if let Some(at) = self.ids.iter().position(|known| known == id) {
            return (false, self.ids.len() - at);
        }
        self.ids.push(id.to_owned());
        (true, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sampan_api::body::ProgressDetail;

    fn message(id: &str, status: &str, detail: Option<(i64, i64)>) -> Progress {
        let numbers = |(current, total)| ProgressDetail { current: Some(current), total: Some(total) };
        Progress {
            id: Some(id.to_owned()).filter(|id| !id.is_empty()),
            status: Some(status.to_owned()),
            progress_detail: Some(detail.map(numbers).unwrap_or_default())
                .filter(|_| !id.is_empty() && status != "Pulling"),
            ..Progress::default()
        }
    }

    fn pull() -> Vec<Progress> {
        vec![
            message("1", "Pulling", None),
            message("aa", "Pulling fs layer", None),
            message("bb", "Pulling fs layer", None),
            message("aa", "Downloading", Some((1000, 2000))),
            message("bb", "Pull complete", None),
            message("", "Digest: x", None),
            message("cc", "Waiting", None),
        ]
    }

    /// What a terminal shows, line by line.
    fn screen(text: &str) -> Vec<String> {
        let (mut lines, mut row) = (vec![String::new()], 0_usize);
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some(sequence) = rest.strip_prefix("\x1b[") {
                let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                let number: usize = sequence[..end].parse().unwrap();
                match &sequence[end..=end] {
                    "A" => row -= number,
                    "B" => row += number,
                    "K" => lines[row].clear(),
                    other => panic!("{other}"),
                }
                rest = &sequence[end + 1..];
                continue;
            }
            match c {
                '\n' => {
                    row += 1;
                    if row == lines.len() {
                        lines.push(String::new());
                    }
                }
                '\r' => {}
                c => lines[row].push(c),
            }
            rest = &rest[c.len_utf8()..];
        }
        lines
    }

    #[test]
    fn a_terminal_shows_a_line_for_each_layer() {
        let mut state = Screen { columns: Some(80), ids: Vec::new() };
        let text: String = pull().iter().map(|message| state.text(message)).collect();
        let want = [
            "1: Pulling",
            "aa: Downloading      1kB/2kB",
            "bb: Pull complete ",
            "Digest: x",
            "cc: Waiting ",
            "",
        ];
        assert_eq!(screen(&text), want);
    }

    #[test]
    fn elsewhere_are_lines_without_bars() {
        let mut state = Screen { columns: None, ids: Vec::new() };
        let text: String = pull().iter().map(|message| state.text(message)).collect();
        let want = "1: Pulling\naa: Pulling fs layer\nbb: Pulling fs layer\nbb: Pull complete\nDigest: x\ncc: Waiting\n";
        assert_eq!(text, want);
    }
}
