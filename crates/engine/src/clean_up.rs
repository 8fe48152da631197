//! What an engine has made on its host and leaves there between its runs: the bridge, the firewall's table, and the
//! folders of its control groups. What lies in the data-root is not touched.

use crate::engine::DEFAULT_BRIDGE;
use crate::host::Host;
use crate::runtime::cgroup;
use crate::{Error, Result};
use sampan_sys::cgroup::{Cgroup, Layout};

/// Takes it away. The caller holds the data-root's lock, so that no daemon needs it. Blocks.
///
/// # Errors
/// When containers still run, or something cannot be removed.
pub fn clean_up(bridge: &str) -> Result<()> {
    let own_name = (bridge != DEFAULT_BRIDGE).then_some(bridge);
    let layout = Layout::detect().map_err(cgroup("look for control groups"))?;
    let group = Cgroup::at(&layout, &Host::detect(own_name).cgroups)
        .map_err(cgroup("look for the containers' control group"))?;
    if group.pids().is_ok_and(|pids| !pids.is_empty()) {
        return Err(Error::StillRunning);
    }
    group.remove().map_err(cgroup("remove the containers' control group"))?;
    Ok(sampan_network::clear(bridge)?)
}
