//! `sampan volume create`.

use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::options::env;
use crate::print;
use crate::verb::Verb;
use sampan_api::body::VolumeCreate;
use std::collections::BTreeMap;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Create {
    volume: Option<String>,
    /// Specify volume driver name
    #[arg(short, long, value_name = "string", default_value = "local")]
    driver: String,
    /// Set metadata for a volume
    #[arg(long, value_name = "list")]
    label: Vec<String>,
    /// Specify volume name
    #[arg(long, value_name = "string", hide = true)]
    name: Option<String>,
    /// Set driver specific options
    #[arg(short, long, value_name = "map")]
    opt: Vec<String>,
}

impl Verb for Create {
    const NAME: &'static str = "create";
    const ABOUT: &'static str = "Create a volume";
    const USAGE: &'static str = "[OPTIONS] [VOLUME]";
    const COUNT: Count = Count::AtMost(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        if self.name.is_some() && self.volume.is_some() {
            return Err(Error::Refused(
                "conflicting options: cannot specify a volume-name through both --name and as a positional arg",
            ));
        }
        let some = |list: &[String]| -> Result<Option<BTreeMap<String, String>>, Error> {
            let map: BTreeMap<_, _> = env::labels(&[], list)?.into_iter().collect();
            Ok((!map.is_empty()).then_some(map))
        };
        let body = VolumeCreate {
            name: self.volume.or(self.name).unwrap_or_default(),
            driver: self.driver,
            driver_opts: some(&self.opt)?,
            labels: some(&self.label)?,
            ..VolumeCreate::default()
        };
        let client = context.client()?;
        let volume = context.block_on(async { Ok(client.volume_create(&body).await?) })?;
        print::line(&volume.name);
        Ok(0)
    }
}
