//! What the container may do.

use sampan_api::body::HostConfig;

/// Privileges.
#[derive(clap::Args, Debug)]
pub(super) struct Security {
    /// Add Linux capabilities
    #[arg(long, value_name = "list")]
    cap_add: Vec<String>,
    /// Drop Linux capabilities
    #[arg(long, value_name = "list")]
    cap_drop: Vec<String>,
    /// Mount the container's root filesystem as read only
    #[arg(long)]
    read_only: bool,
}

impl Security {
    pub(super) fn fill(&self, host: &mut HostConfig) {
        host.cap_add = some(&self.cap_add);
        host.cap_drop = some(&self.cap_drop);
        host.readonly_rootfs = self.read_only;
    }
}

fn some(list: &[String]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.to_vec())
}
