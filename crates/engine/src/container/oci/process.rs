//! Process 1 and exec processes: arguments, variables, user, capabilities.

use super::{Context, Found, has_init, rlimits};
use crate::container::user::User;
use crate::container::{Container, capability, security};
use sampan_spec::oci::{self, Capability, ConsoleSize, LinuxCapabilities, Process, Spec};
use std::collections::HashSet;

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub(super) fn process(spec: &mut Spec, context: &Context<'_>) {
    let config = &context.container.config;
    let (rows, columns) = config.host.console_size;
    let request = ProcessRequest {
        args: if has_init(context.container) { with_init(config.command()) } else { config.command() },
        env: with_home(environment(context.container, &context.found.links), &context.found.user),
        cwd: &config.working_dir,
        user: &context.found.user,
        terminal: config.tty,
        size: (rows > 0 && columns > 0).then_some((rows, columns)),
    };
    let mut process = build_process(&request, context.container);
    if config.host.oom_score_adj != 0 {
        process.oom_score_adj = Some(config.host.oom_score_adj);
    }
    spec.process = Some(process);
}

/// A process beside process 1, as the same user.
pub(super) fn beside(args: Vec<String>, container: &Container, found: &Found) -> Process {
    let user = &found.user;
    let env = with_home(environment(container, &found.links), user);
    let cwd = &container.config.working_dir;
    build_process(&ProcessRequest { args, env, cwd, user, terminal: false, size: None }, container)
}

/// The place of the program for `--init` in the container, as with Docker.
pub(super) const INIT: &str = "/sbin/docker-init";

fn with_init(command: Vec<String>) -> Vec<String> {
    [INIT.to_owned(), "--".to_owned()].into_iter().chain(command).collect()
}

/// A process for process 1 or an exec.
pub(crate) struct ProcessRequest<'a> {
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<String>,
    pub(crate) cwd: &'a str,
    pub(crate) user: &'a User,
    pub(crate) terminal: bool,
    pub(crate) size: Option<(u16, u16)>,
}

pub(crate) fn build_process(request: &ProcessRequest<'_>, container: &Container) -> Process {
    let security = security::of(&container.config.host);
    let User { uid, gid, groups, .. } = request.user;
    let user =
        oci::User { uid: *uid, gid: *gid, additional_gids: Some(groups.clone()), ..Default::default() };
    Process {
        terminal: Some(request.terminal),
        console_size: request.size.map(console_size),
        user,
        args: Some(request.args.clone()),
        env: Some(request.env.clone()),
        cwd: if request.cwd.is_empty() { "/" } else { request.cwd }.into(),
        capabilities: Some(sets(&capabilities(container))),
        no_new_privileges: Some(security.no_new_privileges),
        rlimits: Some(rlimits::rlimits(&container.config.host.ulimits)),
        apparmor_profile: security.apparmor.filter(|_| security::has_apparmor()),
        ..Process::default()
    }
}

fn console_size((rows, columns): (u16, u16)) -> ConsoleSize {
    ConsoleSize { height: rows.into(), width: columns.into() }
}

fn sets(capabilities: &HashSet<Capability>) -> LinuxCapabilities {
    let mut all: Vec<Capability> = capabilities.iter().copied().collect();
    all.sort_unstable();
    let names: Vec<String> = all.into_iter().map(|one| one.name().to_owned()).collect();
    LinuxCapabilities {
        bounding: Some(names.clone()),
        effective: Some(names.clone()),
        permitted: Some(names),
        ..LinuxCapabilities::default()
    }
}

/// A container's capabilities. Its names were checked when it was created.
pub(crate) fn capabilities(container: &Container) -> HashSet<Capability> {
    let host = &container.config.host;
    if host.privileged {
        return capability::all();
    }
    capability::resolve(&host.cap_add, &host.cap_drop).unwrap_or_default()
}

/// Docker's own variables, those about linked containers, then the container's, which may replace or remove them.
pub(crate) fn environment(container: &Container, links: &[String]) -> Vec<String> {
    let config = &container.config;
    let mut own = vec![PATH.to_owned(), format!("HOSTNAME={}", container.hostname())];
    if config.tty {
        own.push("TERM=xterm".into());
    }
    own.extend_from_slice(links);
    replace_variables(own, &config.env)
}

/// The user's home folder, unless the user says otherwise.
pub(crate) fn with_home(mut env: Vec<String>, user: &User) -> Vec<String> {
    if !env.iter().any(|variable| variable.starts_with("HOME=")) {
        env.push(format!("HOME={}", user.home));
    }
    env
}

/// `base` with the variables of `changes` set in place or appended; a name without `=` takes its variable away.
pub(crate) fn replace_variables(mut base: Vec<String>, changes: &[String]) -> Vec<String> {
    let name = |variable: &str| variable.split('=').next().unwrap_or_default().to_owned();
    for change in changes {
        let known = base.iter().position(|variable| name(variable) == name(change));
        match (known, change.contains('=')) {
            (Some(at), true) => base[at].clone_from(change),
            (Some(at), false) => drop(base.remove(at)),
            (None, true) => base.push(change.clone()),
            (None, false) => {}
        }
    }
    base
}
