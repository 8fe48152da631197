//! Where the image comes from.

use crate::error::Error;
use crate::progress::Place;

/// What to do about the image before the container is made.
#[derive(clap::Args, Debug)]
pub(crate) struct Pull {
    /// Set platform if server is multi-platform capable
    #[arg(long, value_name = "string")]
    pub platform: Option<String>,
    /// Pull image before running ("always", "missing", "never")
    #[arg(long, value_name = "string", default_value = "missing")]
    pull: String,
    /// Suppress the pull output
    #[arg(short, long)]
    quiet: bool,
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Each time.
    Always,
    /// If it is not here.
    Missing,
    /// Not at all.
    Never,
}

impl Pull {
    /// When the image is pulled.
    pub(crate) fn when(&self) -> Result<When, Error> {
        match self.pull.as_str() {
            "always" => Ok(When::Always),
            "missing" | "" => Ok(When::Missing),
            "never" => Ok(When::Never),
            other => Err(Error::Invalid(format!(
                "invalid pull option: '{other}': must be one of \"always\", \"missing\" or \"never\""
            ))),
        }
    }

    /// Standard output is for the container.
    pub(crate) fn place(&self) -> Place {
        if self.quiet { Place::Nowhere } else { Place::Errors }
    }
}
