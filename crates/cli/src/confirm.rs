//! Asking before something goes for good.

use crate::error::Error;
use crate::print;
use std::io::BufRead;

/// Whether the user answers with yes.
///
/// # Errors
/// When standard input cannot be read.
pub(crate) fn confirmed(question: &str) -> Result<bool, Error> {
    print::text(&format!("{question} [y/N] "));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}
