//! What the container may do, and what it shares.

use crate::error::Error;
use crate::options::devices::{device, device_rule};
use crate::options::security::security_options;
use crate::options::sysctls::sysctl;
use sampan_api::body::HostConfig;

/// Privileges, devices and name spaces.
#[derive(clap::Args, Debug)]
pub(super) struct Security {
    /// Add Linux capabilities
    #[arg(long, value_name = "list")]
    cap_add: Vec<String>,
    /// Drop Linux capabilities
    #[arg(long, value_name = "list")]
    cap_drop: Vec<String>,
    /// Optional parent cgroup for the container
    #[arg(long, value_name = "string")]
    cgroup_parent: Option<String>,
    /// Cgroup namespace to use (host|private)
    #[arg(
        long,
        value_name = "string",
        long_help = "Cgroup namespace to use (host|private)\n\
                     'host':    Run the container in the Docker host's cgroup namespace\n\
                     'private': Run the container in its own private cgroup namespace\n\
                     '':        Use the cgroup namespace as configured by the\n           \
                     default-cgroupns-mode option on the daemon (default)"
    )]
    cgroupns: Option<String>,
    /// Add a host device to the container
    #[arg(long, value_name = "list")]
    device: Vec<String>,
    /// Add a rule to the cgroup allowed devices list
    #[arg(long, value_name = "list", value_parser = device_rule)]
    device_cgroup_rule: Vec<String>,
    /// Add additional groups to join
    #[arg(long, value_name = "list")]
    group_add: Vec<String>,
    /// IPC mode to use
    #[arg(long, value_name = "string")]
    ipc: Option<String>,
    /// Container isolation technology
    #[arg(long, value_name = "string")]
    isolation: Option<String>,
    /// PID namespace to use
    #[arg(long, value_name = "string")]
    pid: Option<String>,
    /// Give extended privileges to this container
    #[arg(long)]
    privileged: bool,
    /// Mount the container's root filesystem as read only
    #[arg(long)]
    read_only: bool,
    /// Runtime to use for this container
    #[arg(long, value_name = "string")]
    runtime: Option<String>,
    /// Security Options
    #[arg(long, value_name = "list")]
    security_opt: Vec<String>,
    /// Sysctl options
    #[arg(long, value_name = "map", value_parser = sysctl)]
    sysctl: Vec<(String, String)>,
    /// User namespace to use
    #[arg(long, value_name = "string")]
    userns: Option<String>,
    /// UTS namespace to use
    #[arg(long, value_name = "string")]
    uts: Option<String>,
}

impl Security {
    pub(super) fn fill(&self, host: &mut HostConfig) -> Result<(), Error> {
        self.check_modes()?;
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        host.cap_add = some(&self.cap_add);
        host.cap_drop = some(&self.cap_drop);
        host.cgroup_parent = text(&self.cgroup_parent);
        host.cgroupns_mode = text(&self.cgroupns);
        host.devices = Some(self.device.iter().map(|text| device(text)).collect::<Result<_, _>>()?);
        host.device_cgroup_rules = some(&self.device_cgroup_rule);
        host.group_add = some(&self.group_add);
        host.ipc_mode = text(&self.ipc);
        host.isolation = text(&self.isolation);
        host.pid_mode = text(&self.pid);
        host.privileged = self.privileged;
        host.readonly_rootfs = self.read_only;
        host.runtime = text(&self.runtime);
        host.sysctls = (!self.sysctl.is_empty()).then(|| self.sysctl.iter().cloned().collect());
        host.userns_mode = text(&self.userns);
        host.uts_mode = text(&self.uts);
        let (options, unconfined) = security_options(&self.security_opt)?;
        host.security_opt = some(&options);
        if unconfined {
            host.masked_paths = Some(Vec::new());
            host.readonly_paths = Some(Vec::new());
        }
        Ok(())
    }

    fn check_modes(&self) -> Result<(), Error> {
        let is = |mode: &Option<String>, known: &[&str], peer: bool| {
            let mode = mode.as_deref().unwrap_or_default();
            let names_one = mode.strip_prefix("container:").is_some_and(|name| !name.is_empty());
            mode.is_empty() || known.contains(&mode) || (peer && names_one)
        };
        for (good, text) in [
            (is(&self.pid, &["host"], true), "--pid: invalid PID mode"),
            (is(&self.uts, &["host"], false), "--uts: invalid UTS mode"),
            (is(&self.userns, &["host"], false), "--userns: invalid USER mode"),
            (is(&self.cgroupns, &["host", "private"], false), "--cgroupns: invalid CGROUP mode"),
        ] {
            if !good {
                return Err(Error::Refused(text));
            }
        }
        Ok(())
    }
}

fn some(list: &[String]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.to_vec())
}
