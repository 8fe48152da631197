//! What prunes say at their end.

use crate::print;
use sampan_spec::long_size;

/// What a prune has removed.
pub(super) struct Pruned {
    /// A heading and a line for each thing; empty if there was none.
    pub(super) text: String,
    /// The room that it took, in bytes.
    pub(super) bytes: u64,
}

impl Pruned {
    /// `Deleted Volumes:` and the like is the heading.
    pub(super) fn new(heading: &str, lines: &[String], bytes: u64) -> Self {
        let text =
            if lines.is_empty() { String::new() } else { format!("{heading}\n{}\n", lines.join("\n")) };
        Self { text, bytes }
    }

    /// Prints the things.
    pub(super) fn print_things(&self) {
        if !self.text.is_empty() {
            print::line(&self.text);
        }
    }

    /// Prints the things, and the room that is free again.
    pub(super) fn print(&self) {
        self.print_things();
        print_total(self.bytes);
    }
}

/// Prints the room that is free again.
pub(super) fn print_total(bytes: u64) {
    print::line(&format!("Total reclaimed space: {}", long_size(bytes)));
}
