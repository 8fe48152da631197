//! `list`: the containers whose state is below the root.

use super::args::{Flag, Parsed, flag, value};
use super::state::{Folder, State, Status};
use super::{CliError, Context};
use serde_json::json;

pub(super) const FLAGS: &[Flag] =
    &[value("format", Some('f'), "table or json"), flag("quiet", Some('q'), "print ids only")];

/// `list [--format table|json] [--quiet]`.
pub(super) fn list(mut context: Context<'_>, args: &Parsed) -> Result<i32, CliError> {
    let mut all = Vec::new();
    for (id, folder) in Folder::all(&context)? {
        // One that is being made, or that was removed meanwhile, has no state.
        let Ok(state) = folder.read(&id) else { continue };
        let status = folder.status(&state)?;
        all.push((state, status));
    }
    let text = match args.text("format").unwrap_or("table") {
        _ if args.has("quiet") => all.iter().map(|(state, _)| format!("{}\n", state.id)).collect(),
        "json" => format!("{}\n", json!(all.iter().map(as_json).collect::<Vec<_>>())),
        "table" => table(&all),
        _ => return Err(CliError::Usage("invalid format option".into())),
    };
    context.say(&text).map(|()| 0)
}

fn pid((state, status): &(State, Status)) -> i32 {
    if *status == Status::Stopped { 0 } else { state.pid }
}

fn as_json(container: &(State, Status)) -> serde_json::Value {
    let (state, status) = container;
    json!({
        "ociVersion": sampan_spec::oci::VERSION,
        "id": state.id,
        "pid": pid(container),
        "status": status.name(),
        "bundle": state.bundle,
        "rootfs": state.config.root.as_ref().map(|r| state.bundle.join(&r.path)),
        "created": state.created,
        "owner": "root",
    })
}

fn table(all: &[(State, Status)]) -> String {
    let heads = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned);
    let row = |container: &(State, Status)| {
        let (state, status) = container;
        let bundle = state.bundle.display().to_string();
        let (id, created) = (state.id.clone(), state.created.to_string());
        [id, pid(container).to_string(), status.name().into(), bundle, created, "root".into()]
    };
    let rows: Vec<_> = std::iter::once(heads).chain(all.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0).max(9) + 3;
    let widths: Vec<usize> = (0..5).map(width).collect();
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}{}\n", cells.collect::<String>(), row[5])
    };
    rows.iter().map(line).collect()
}
