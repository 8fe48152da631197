//! `sampan inspect`, and `inspect` of one kind of things.

use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::format::json::Json;
use crate::format::template::Format;
use crate::print;
use crate::verb::Verb;
use sampan_api::query::{Query, escape};
use sampan_api::{Body, Client, Method};
use tokio::io::AsyncReadExt;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Inspect {
    names: Vec<String>,
    #[arg(short, long, value_name = "string", help = super::FORMAT_HELP)]
    format: Option<String>,
    /// Display total file sizes if the type is container
    #[arg(short, long)]
    size: bool,
    /// Only inspect objects of the given type
    #[arg(long, value_name = "string")]
    r#type: Option<String>,
}

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct ContainerInspect {
    names: Vec<String>,
    #[arg(short, long, value_name = "string", help = super::FORMAT_HELP)]
    format: Option<String>,
    /// Display total file sizes
    #[arg(short, long)]
    size: bool,
}

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct ImageInspect {
    names: Vec<String>,
    #[arg(short, long, value_name = "string", help = super::FORMAT_HELP)]
    format: Option<String>,
}

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct VolumeInspect {
    names: Vec<String>,
    #[arg(short, long, value_name = "string", help = super::FORMAT_HELP)]
    format: Option<String>,
}

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct NetworkInspect {
    names: Vec<String>,
    #[arg(short, long, value_name = "string", help = super::FORMAT_HELP)]
    format: Option<String>,
    /// Verbose output for diagnostics
    #[arg(short, long)]
    verbose: bool,
}

impl Verb for Inspect {
    const NAME: &'static str = "inspect";
    const ABOUT: &'static str = "Return low-level information on Docker objects";
    const USAGE: &'static str = "[OPTIONS] NAME|ID [NAME|ID...]";
    const COUNT: Count = Count::AtLeast(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let kinds = match self.r#type.as_deref() {
            None => &[Kind::Container, Kind::Image, Kind::Network { verbose: false }, Kind::Volume][..],
            Some("container") => &[Kind::Container],
            Some("image") => &[Kind::Image],
            Some("network") => &[Kind::Network { verbose: false }],
            Some("volume") => &[Kind::Volume],
            Some("") => {
                return Err(Error::Refused(
                    "type is empty: must be one of \"container\", \"image\", \"network\", \"volume\"",
                ));
            }
            Some(other) => {
                return Err(Error::Invalid(format!(
                    "unknown type: {other:?}: must be one of \"container\", \"image\", \"network\", \"volume\""
                )));
            }
        };
        Request { names: self.names, format: self.format, size: self.size, kinds }.run(context)
    }
}

impl Verb for ContainerInspect {
    const NAME: &'static str = "inspect";
    const ABOUT: &'static str = "Display detailed information on one or more containers";
    const USAGE: &'static str = "[OPTIONS] CONTAINER [CONTAINER...]";
    const COUNT: Count = Count::AtLeast(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let kinds = &[Kind::Container];
        Request { names: self.names, format: self.format, size: self.size, kinds }.run(context)
    }
}

impl Verb for ImageInspect {
    const NAME: &'static str = "inspect";
    const ABOUT: &'static str = "Display detailed information on one or more images";
    const USAGE: &'static str = "[OPTIONS] IMAGE [IMAGE...]";
    const COUNT: Count = Count::AtLeast(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let kinds = &[Kind::Image];
        Request { names: self.names, format: self.format, size: false, kinds }.run(context)
    }
}

impl Verb for VolumeInspect {
    const NAME: &'static str = "inspect";
    const ABOUT: &'static str = "Display detailed information on one or more volumes";
    const USAGE: &'static str = "[OPTIONS] VOLUME [VOLUME...]";
    const COUNT: Count = Count::AtLeast(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let kinds = &[Kind::Volume];
        Request { names: self.names, format: self.format, size: false, kinds }.run(context)
    }
}

impl Verb for NetworkInspect {
    const NAME: &'static str = "inspect";
    const ABOUT: &'static str = "Display detailed information on one or more networks";
    const USAGE: &'static str = "[OPTIONS] NETWORK [NETWORK...]";
    const COUNT: Count = Count::AtLeast(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let kinds = &[Kind::Network { verbose: self.verbose }];
        Request { names: self.names, format: self.format, size: false, kinds }.run(context)
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Container,
    Image,
    Network { verbose: bool },
    Volume,
}

struct Request<'k> {
    names: Vec<String>,
    format: Option<String>,
    size: bool,
    /// Tried in this order.
    kinds: &'k [Kind],
}

impl Request<'_> {
    fn run(self, context: &Context) -> Result<u8, Error> {
        let format = self.format.as_deref().filter(|text| !text.is_empty());
        let format = format.map(Format::new).transpose()?;
        let client = context.client()?;
        let found = context.block_on(async {
            let mut found = Vec::new();
            for name in &self.names {
                found.push(self.find(client, name).await);
            }
            Ok(found)
        })?;
        let (documents, errors): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
        let documents: Vec<Json> = documents.into_iter().flatten().collect();
        match format {
            None => print::line(&Json::Array(documents).indented()),
            Some(format) => {
                for document in &documents {
                    // Docker's line is there even if nothing stands in it.
                    let text = format.apply(document);
                    print::line(text.as_deref().unwrap_or_default());
                    text?;
                }
            }
        }
        let errors: Vec<_> =
            errors.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
        if errors.is_empty() { Ok(0) } else { Err(Error::Some(errors.join("\n"))) }
    }

    async fn find(&self, client: &Client, name: &str) -> Result<Json, Error> {
        let (escaped, size) = (escape(name).to_string(), Query::default().with_flag("size", self.size));
        for (i, kind) in self.kinds.iter().enumerate() {
            let path = match kind {
                Kind::Container if name.is_empty() => return Err(sampan_api::Error::NoName.into()),
                Kind::Container => format!("/containers/{escaped}/json{}", size.to_suffix()),
                Kind::Image => format!("/images/{escaped}/json"),
                Kind::Network { verbose } => {
                    let query = Query::default().with_flag("verbose", *verbose);
                    format!("/networks/{escaped}{}", query.to_suffix())
                }
                Kind::Volume => format!("/volumes/{escaped}"),
            };
            match get(client, &path).await {
                Err(error) if error.is_status(404) && i + 1 < self.kinds.len() => {}
                Err(error) if error.is_status(404) && self.kinds.len() > 1 => {
                    return Err(Error::NoSuchObject(name.to_owned()));
                }
                result => return result,
            }
        }
        Err(Error::NoSuchObject(name.to_owned()))
    }
}

/// An answer as the engine wrote it.
pub(super) async fn get(client: &Client, path: &str) -> Result<Json, Error> {
    let mut bytes = Vec::new();
    client.bytes(Method::GET, path, Body::Empty).await?.read_to_end(&mut bytes).await?;
    Ok(Json::parse(&bytes)?)
}
