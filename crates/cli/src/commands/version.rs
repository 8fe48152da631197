//! `sampan version`.

use super::inspect::get;
use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::format::json::Json;
use crate::format::template::Format;
use crate::print;
use crate::verb::Verb;
use sampan_api::ApiVersion;
use sampan_api::body::Version as Server;
use std::fmt::Write as _;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Version {
    #[arg(short, long, value_name = "string", help = super::FORMAT_HELP)]
    format: Option<String>,
}

impl Verb for Version {
    const NAME: &'static str = "version";
    const ABOUT: &'static str = "Show the Sampan version information";
    const USAGE: &'static str = "[OPTIONS]";
    const COUNT: Count = Count::None;

    fn run(self, context: &Context) -> Result<u8, Error> {
        let format = self.format.as_deref().filter(|text| !text.is_empty()).map(Format::new).transpose()?;
        let server = context.client().and_then(|client| context.block_on(get(client, "/version")));
        let api = context.client().map_or(ApiVersion::MAX, |client| client.version());
        if let Some(format) = format {
            print::line(&format.apply(&document(api, server.as_ref().ok()))?);
        } else {
            print::text(&client_text(api));
            if let Ok(server) = &server {
                let server: Server = sampan_api::json::read(server.compact().as_bytes())?;
                print::text(&server_text(&server));
            }
        }
        server.map(|_| 0)
    }
}

fn client_text(api: ApiVersion) -> String {
    format!(
        "Client:\n Version:           {}\n API version:       {api}\n OS/Arch:           {}\n Context:           default\n",
        env!("CARGO_PKG_VERSION"),
        platform()
    )
}

/// In the names that images use.
fn platform() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{}/{architecture}", std::env::consts::OS)
}

fn server_text(server: &Server) -> String {
    let mut text = match server.platform.name.as_str() {
        "" => "\nServer:\n Engine:\n".to_owned(),
        name => format!("\nServer: {name}\n Engine:\n"),
    };
    let mut line = |name: &str, value: &str| _ = writeln!(text, "  {:<17} {value}", format!("{name}:"));
    line("Version", &server.version);
    line("API version", &format!("{} (minimum version {})", server.api_version, server.min_api_version));
    let details = server.components.iter().find(|component| component.name == "Engine");
    let detail = |name| details.and_then(|engine| engine.details.get(name)).map_or("", String::as_str);
    let built = detail("BuildTime").to_owned();
    let optional =
        [("Go version", &server.go_version), ("Git commit", &server.git_commit), ("Built", &built)];
    optional.iter().filter(|(_, value)| !value.is_empty()).for_each(|(name, value)| line(name, value));
    line("OS/Arch", &format!("{}/{}", server.os, server.arch));
    line("Experimental", if detail("Experimental") == "true" { "true" } else { "false" });
    for component in server.components.iter().filter(|component| component.name != "Engine") {
        let _ = writeln!(text, " {}:\n  {:<17} {}", component.name, "Version:", component.version);
        if let Some(commit) = component.details.get("GitCommit") {
            let _ = writeln!(text, "  {:<17} {commit}", "GitCommit:");
        }
    }
    text
}

/// What templates see of the command line.
pub(super) fn client_members() -> Vec<(String, Json)> {
    let platform = platform();
    let (os, architecture) = platform.split_once('/').unwrap_or_default();
    let members = [
        ("Version", env!("CARGO_PKG_VERSION")),
        ("DefaultAPIVersion", &ApiVersion::MAX.to_string()),
        // Go programs have these.
        ("GitCommit", ""),
        ("GoVersion", ""),
        ("Os", os),
        ("Arch", architecture),
        ("BuildTime", ""),
        ("Context", "default"),
    ];
    members.map(|(name, value)| (name.to_owned(), Json::String(value.to_owned()))).into()
}

/// What templates see.
fn document(api: ApiVersion, server: Option<&Json>) -> Json {
    let mut client = client_members();
    client.insert(1, ("ApiVersion".to_owned(), Json::String(api.to_string())));
    let server = server.cloned().unwrap_or(Json::Null);
    Json::Object(vec![("Client".to_owned(), Json::Object(client)), ("Server".to_owned(), server)])
}
