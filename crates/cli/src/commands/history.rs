//! `sampan history`.

use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::format::duration::ago;
use crate::format::listing::{Column, Listing};
use crate::format::text::short_id;
use crate::print;
use crate::verb::Verb;
use jiff::Timestamp;
use sampan_api::body::ImageHistory;
use sampan_spec::format_size;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct History {
    image: String,
    #[arg(long, value_name = "string", help = super::LIST_FORMAT_HELP)]
    format: Option<String>,
    /// Print sizes and dates in human readable format
    #[arg(short = 'H', long, value_name = "bool", default_value = "true", action = clap::ArgAction::Set)]
    human: bool,
    /// Don't truncate output
    #[arg(long)]
    no_trunc: bool,
    /// Only show image IDs
    #[arg(short, long)]
    quiet: bool,
}

impl Verb for History {
    const NAME: &'static str = "history";
    const ABOUT: &'static str = "Show the history of an image";
    const USAGE: &'static str = "[OPTIONS] IMAGE";
    const ALIASES: &'static [&'static str] = &["image history", "history"];
    const COUNT: Count = Count::Exactly(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let client = context.client()?;
        let steps = context.block_on(async { Ok(client.image_history(&self.image).await?) })?;
        let now = Timestamp::now();
        let rows: Vec<_> = steps.iter().map(|step| self.row(step, now)).collect();
        let format = self.format.as_deref().unwrap_or_default();
        if self.quiet && format.is_empty() {
            rows.iter().for_each(|row| print::line(&row[ID]));
            return Ok(0);
        }
        let table = if self.human { TABLE } else { PLAIN_TABLE };
        Listing { columns: COLUMNS, rows }.print(format, table)?;
        Ok(0)
    }
}

const TABLE: &str = "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";
const PLAIN_TABLE: &str = "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";

const COLUMNS: &[Column] = &[
    ("Comment", "COMMENT"),
    ("CreatedAt", "CREATED AT"),
    ("CreatedBy", "CREATED BY"),
    ("CreatedSince", "CREATED"),
    ("ID", "IMAGE"),
    ("Size", "SIZE"),
];
const ID: usize = 4;
/// So much of a step's text is shown.
const CREATED_BY_MAX: usize = 45;

impl History {
    /// The cells of [`COLUMNS`].
    fn row(&self, step: &ImageHistory, now: Timestamp) -> Vec<String> {
        let created = Timestamp::from_second(step.created).unwrap_or_default();
        let bytes = u64::try_from(step.size).unwrap_or(0);
        let created_by = step.created_by.replace('\t', " ");
        vec![
            step.comment.clone(),
            created.to_string(),
            if self.no_trunc { created_by } else { ellipsis(&created_by) },
            ago(created, now),
            if self.no_trunc { step.id.clone() } else { short_id(&step.id).to_owned() },
            if self.human { format_size(bytes) } else { bytes.to_string() },
        ]
    }
}

fn ellipsis(text: &str) -> String {
    if text.chars().count() <= CREATED_BY_MAX {
        return text.to_owned();
    }
    text.chars().take(CREATED_BY_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells() {
        let step = ImageHistory {
            id: format!("sha256:{}", "ab".repeat(32)),
            created: 1_000_000,
            created_by: format!("RUN\t{}", "x".repeat(60)),
            size: 52_428_864,
            comment: "c".into(),
            ..ImageHistory::default()
        };
        let now = Timestamp::from_second(1_000_007).unwrap();
        let verb =
            |human, no_trunc| History { image: String::new(), format: None, human, no_trunc, quiet: false };
        let short = format!("RUN {}…", "x".repeat(40));
        assert_eq!(
            verb(true, false).row(&step, now),
            ["c", "1970-01-12T13:46:40Z", &short, "7 seconds ago", "abababababab", "52.4MB"]
        );
        let whole = verb(false, true).row(&ImageHistory { id: "<missing>".into(), ..step }, now);
        assert_eq!((whole[2].len(), whole[ID].as_str(), whole[5].as_str()), (64, "<missing>", "52428864"));
    }
}
