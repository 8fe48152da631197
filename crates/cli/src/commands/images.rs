//! `sampan images`.

use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::format::duration::ago;
use crate::format::listing::{Column, Listing};
use crate::format::text::short_id;
use crate::options::filter::{Filter, filter, filters};
use crate::print;
use crate::verb::Verb;
use jiff::Timestamp;
use sampan_api::body::ImageSummary;
use sampan_spec::{format_size, long_size};

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Images {
    repository: Option<String>,
    /// Show all images (default hides intermediate images)
    #[arg(short, long)]
    all: bool,
    /// Show digests
    #[arg(long)]
    digests: bool,
    /// Filter output based on conditions provided
    #[arg(short, long, value_name = "filter", value_parser = filter)]
    filter: Vec<Filter>,
    #[arg(long, value_name = "string", help = super::LIST_FORMAT_HELP)]
    format: Option<String>,
    /// Don't truncate output
    #[arg(long)]
    no_trunc: bool,
    /// Only show image IDs
    #[arg(short, long)]
    quiet: bool,
}

impl Verb for Images {
    const NAME: &'static str = "images";
    const ABOUT: &'static str = "List images";
    const USAGE: &'static str = "[OPTIONS] [REPOSITORY[:TAG]]";
    const ALIASES: &'static [&'static str] = &["image ls", "image list", "images"];
    const COUNT: Count = Count::AtMost(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let mut filters = filters(&self.filter);
        if let Some(repository) = &self.repository {
            filters.add("reference", repository);
        }
        let client = context.client()?;
        let images = context.block_on(async { Ok(client.image_list(self.all, &filters).await?) })?;
        let now = Timestamp::now();
        let rows: Vec<_> = images.iter().flat_map(|image| rows(image, !self.no_trunc, now)).collect();
        let format = self.format.as_deref().unwrap_or_default();
        if self.quiet && format.is_empty() {
            rows.iter().for_each(|row| print::line(&row[ID]));
            return Ok(0);
        }
        let format = match (format, self.quiet, self.digests) {
            ("raw", true, _) => RAW_ID,
            ("raw", false, true) => RAW_WITH_DIGESTS,
            ("raw", false, false) => RAW,
            (template, ..) => template,
        };
        let table = if self.digests { WITH_DIGESTS } else { TABLE };
        Listing { columns: COLUMNS, rows }.print(format, table)?;
        Ok(0)
    }
}

const TABLE: &str = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";
const WITH_DIGESTS: &str = "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";

/// `--format raw`. What ends it keeps the empty line before it.
const RAW: &str = "repository: {{.Repository}}\ntag: {{.Tag}}\nimage_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n{{``}}";
const RAW_WITH_DIGESTS: &str = "repository: {{.Repository}}\ntag: {{.Tag}}\ndigest: {{.Digest}}\nimage_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n{{``}}";
const RAW_ID: &str = "image_id: {{.ID}}";

pub(super) const COLUMNS: &[Column] = &[
    ("Containers", "CONTAINERS"),
    ("CreatedAt", "CREATED AT"),
    ("CreatedSince", "CREATED"),
    ("Digest", "DIGEST"),
    ("ID", "IMAGE ID"),
    ("Repository", "REPOSITORY"),
    ("SharedSize", "SHARED SIZE"),
    ("Size", "SIZE"),
    ("Tag", "TAG"),
    ("UniqueSize", "UNIQUE SIZE"),
    ("VirtualSize", "VIRTUAL SIZE"),
];
const ID: usize = 4;
pub(super) const NONE: &str = "<none>";

/// The cells of [`COLUMNS`], once for each tag.
fn rows(image: &ImageSummary, short: bool, now: Timestamp) -> Vec<Vec<String>> {
    let tags: Vec<(&str, &str)> = image
        .repo_tags
        .iter()
        .flatten()
        .filter_map(|tag| tag.rsplit_once(':'))
        .filter(|(name, _)| *name != NONE)
        .collect();
    let digest_of = |repository: &str| {
        let split = image.repo_digests.iter().flatten().filter_map(|digest| digest.split_once('@'));
        split.clone().find(|(name, _)| *name == repository).map_or(NONE, |(_, digest)| digest).to_owned()
    };
    if tags.is_empty() {
        let digest = image.repo_digests.iter().flatten().next().and_then(|digest| digest.split_once('@'));
        let (repository, digest) = digest.unwrap_or((NONE, NONE));
        return vec![cells(image, [repository, NONE, digest], short, now)];
    }
    tags.iter().map(|(name, tag)| cells(image, [name, tag, &digest_of(name)], short, now)).collect()
}

/// The cells of [`COLUMNS`] for one name of an image.
pub(super) fn cells(
    image: &ImageSummary,
    [repository, tag, digest]: [&str; 3],
    short: bool,
    now: Timestamp,
) -> Vec<String> {
    let created = Timestamp::from_second(image.created).unwrap_or_default();
    let known = |value: i64, text: String| if value < 0 { "N/A".to_owned() } else { text };
    let size = u64::try_from(image.size).unwrap_or(0);
    let bytes = |size: i64| long_size(u64::try_from(size).unwrap_or(0));
    vec![
        known(image.containers, image.containers.to_string()),
        created.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string(),
        ago(created, now),
        digest.to_owned(),
        if short { short_id(&image.id).to_owned() } else { image.id.clone() },
        repository.to_owned(),
        known(image.shared_size, bytes(image.shared_size)),
        format_size(size),
        tag.to_owned(),
        known(image.shared_size, bytes(image.size - image.shared_size)),
        long_size(size),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_each_tag() {
        let image = ImageSummary {
            id: format!("sha256:{}", "ab".repeat(32)),
            repo_tags: Some(vec!["a:1".into(), "localhost:5000/b:2".into()]),
            repo_digests: Some(vec!["a@sha256:cd".into()]),
            created: 1_000_000,
            size: 4_261_550,
            shared_size: -1,
            containers: -1,
            ..ImageSummary::default()
        };
        let now = Timestamp::from_second(1_000_007).unwrap();
        let untagged = ImageSummary { repo_tags: None, repo_digests: None, ..image.clone() };
        let all: Vec<_> = rows(&image, true, now).into_iter().chain(rows(&untagged, false, now)).collect();
        insta::assert_snapshot!(all.iter().map(|row| row.join(" | ")).collect::<Vec<_>>().join("\n"));
    }
}
