//! `update`: other limits for a container that is there.

use super::args::Parsed;
use super::container::find;
use super::create::read_json;
use super::state::Status;
use super::{CliError, Context};
use sampan_spec::oci::{LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxPids, LinuxResources};
use std::io::Read;
use std::path::{Path, PathBuf};

/// `update [--resources FILE|-] [--memory BYTES ...] ID`.
pub(super) fn update(context: Context<'_>, args: &Parsed) -> Result<i32, CliError> {
    let (folder, state) = find(&context, args.id()?)?;
    let status = folder.status(&state)?;
    if status == Status::Stopped {
        return Err(CliError::WrongState { verb: "update", status: status.name() });
    }
    let resources = match args.text("resources") {
        Some("-") => from_stdin()?,
        Some(path) => read_json(Path::new(path))?,
        None => from_options(args)?,
    };
    let updated = crate::update(&state.cgroup()?, &resources);
    updated.map(|()| 0).map_err(|failure| CliError::Usage(failure.message))
}

fn from_stdin() -> Result<LinuxResources, CliError> {
    let mut json = Vec::new();
    let read = std::io::stdin().read_to_end(&mut json);
    read.map_err(|source| CliError::System { what: "read resources", source })?;
    let path = PathBuf::from("-");
    serde_json::from_slice(&json).map_err(|source| CliError::Json { what: "read", path, source })
}

fn from_options(args: &Parsed) -> Result<LinuxResources, CliError> {
    let text = |name| args.text(name).map(str::to_owned);
    let weight = args
        .number("blkio-weight")?
        .map(|weight| LinuxBlockIo { weight: Some(weight), ..Default::default() });
    Ok(LinuxResources {
        block_io: weight,
        cpu: Some(LinuxCpu {
            shares: args.number("cpu-share")?,
            quota: args.number("cpu-quota")?,
            burst: args.number("cpu-burst")?,
            period: args.number("cpu-period")?,
            realtime_runtime: args.number("cpu-rt-runtime")?,
            realtime_period: args.number("cpu-rt-period")?,
            cpus: text("cpuset-cpus"),
            mems: text("cpuset-mems"),
            idle: args.number("cpu-idle")?,
        }),
        memory: Some(LinuxMemory {
            limit: args.number("memory")?,
            reservation: args.number("memory-reservation")?,
            swap: args.number("memory-swap")?,
            ..LinuxMemory::default()
        }),
        pids: args.number("pids-limit")?.map(|limit| LinuxPids { limit: Some(limit) }),
        ..LinuxResources::default()
    })
}
