//! The verbs: what each is called with, and its function.

use super::args::{Flag, Parsed, describe, flag, value};
use super::{CliError, Context, container, create, events, exec, features, list, ps, spec, update};

/// A verb.
pub(super) struct Verb {
    pub(super) name: &'static str,
    /// The words behind the options.
    words: &'static str,
    help: &'static str,
    pub(super) flags: &'static [Flag],
    pub(super) run: fn(Context<'_>, &Parsed) -> Result<i32, CliError>,
}

const BUNDLE: Flag =
    value("bundle", Some('b'), "path to the bundle's folder, defaults to the current directory");
const CONSOLE: Flag =
    value("console-socket", None, "path to a unix socket that receives the master of the terminal");
const PIDFD: Flag = value("pidfd-socket", None, "path to a unix socket that receives the process's pidfd");
const PID_FILE: Flag = value("pid-file", None, "file to write the process's pid to");
const PRESERVE: Flag = value("preserve-fds", None, "pass this many descriptors on, beside the standard ones");
const NO_PIVOT: Flag = flag("no-pivot", None, "change the root by chroot(2), where / is a ramdisk");
const NO_KEYRING: Flag = flag("no-new-keyring", None, "leave the process in the caller's session keyring");
const DETACH: Flag = flag("detach", Some('d'), "do not wait for the process");
const NO_SUBREAPER: Flag = flag("no-subreaper", None, "accepted: this program reaps its own child only");
const FORMAT: Flag = value("format", Some('f'), "table or json");

const CREATE: &[Flag] = &[BUNDLE, CONSOLE, PIDFD, PID_FILE, NO_PIVOT, NO_KEYRING, PRESERVE];
const RUN: &[Flag] = &[
    BUNDLE,
    CONSOLE,
    PIDFD,
    DETACH,
    flag("keep", None, "leave the container's state when it ends"),
    PID_FILE,
    NO_SUBREAPER,
    NO_PIVOT,
    NO_KEYRING,
    PRESERVE,
];
const EXEC: &[Flag] = &[
    CONSOLE,
    PIDFD,
    value("cwd", None, "directory in the container"),
    value("env", Some('e'), "set a variable"),
    flag("tty", Some('t'), "give it a terminal"),
    value("user", Some('u'), "uid[:gid]"),
    value("additional-gids", Some('g'), "one more group"),
    value("process", Some('p'), "path to a process.json"),
    DETACH,
    PID_FILE,
    value("process-label", None, "SELinux label"),
    value("apparmor", None, "AppArmor profile"),
    flag("no-new-privs", None, "set no_new_privs"),
    value("cap", Some('c'), "add a capability"),
    PRESERVE,
    value("cgroup", None, "cgroup below the container's, [controller:]path"),
    flag("ignore-paused", None, "go on in a container that is paused"),
    NO_SUBREAPER,
];
const UPDATE: &[Flag] = &[
    value("resources", Some('r'), "file with resources in JSON, - for standard input"),
    value("blkio-weight", None, "weight of disk access, 10 to 1000"),
    value("cpu-period", None, "period of the processor quota in microseconds"),
    value("cpu-quota", None, "processor time in each period in microseconds"),
    value("cpu-burst", None, "processor time that may be saved up in microseconds"),
    value("cpu-share", None, "weight of processor time"),
    value("cpu-rt-period", None, "period of real-time scheduling in microseconds"),
    value("cpu-rt-runtime", None, "real-time scheduling in each period in microseconds"),
    value("cpuset-cpus", None, "processors"),
    value("cpuset-mems", None, "memory nodes"),
    value("cpu-idle", None, "1: only when nothing else runs"),
    value("memory", None, "bytes of memory"),
    value("memory-reservation", None, "bytes of memory to shrink to, or not to reclaim"),
    value("memory-swap", None, "bytes of memory and swap, -1 is unlimited"),
    value("pids-limit", None, "number of tasks"),
];
const EVENTS: &[Flag] = &[
    flag("stats", None, "print the statistics once"),
    value("interval", None, "time between two statistics: 5s, 500ms, 1m (default: 5s)"),
];
const SPEC: &[Flag] =
    &[BUNDLE, flag("rootless", None, "write a configuration for a user without privileges")];

/// All verbs, in the order in which help shows them.
pub(super) const ALL: &[Verb] = &[
    verb("create", "ID", "make a container that waits for start", CREATE, create::create),
    verb("delete", "ID", "remove what is left of a container", container::DELETE, container::delete),
    verb("events", "ID", "tell statistics and want of memory", EVENTS, events::events),
    verb("exec", "ID COMMAND [ARGUMENT...]", "execute a process in a container", EXEC, exec::exec),
    verb("features", "", "tell what this runtime can do, in JSON", &[], features::features),
    verb("kill", "ID [SIGNAL]", "send a signal, SIGTERM without one", container::KILL, container::kill),
    verb("list", "", "list the containers below the root", list::FLAGS, list::list),
    verb("pause", "ID", "stop all processes of a container", &[], container::pause),
    verb("ps", "ID [OPTION OF PS...]", "list the processes of a container", &[FORMAT], ps::ps),
    verb("resume", "ID", "let all processes go on", &[], container::resume),
    verb("run", "ID", "create and start a container", RUN, create::run),
    verb("spec", "", "write a configuration to start from", SPEC, spec::spec),
    verb("start", "ID", "let a container execute its program", &[], container::start),
    verb("state", "ID", "print a container's state", &[], container::state),
    verb("update", "ID", "change a container's limits", UPDATE, update::update),
    verb("checkpoint", "ID", "not supported", &[], container::unsupported),
    verb("restore", "ID", "not supported", &[], container::unsupported),
];

const fn verb(
    name: &'static str,
    words: &'static str,
    help: &'static str,
    flags: &'static [Flag],
    run: fn(Context<'_>, &Parsed) -> Result<i32, CliError>,
) -> Verb {
    Verb { name, words, help, flags, run }
}

impl Verb {
    /// The verb of a name.
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|verb| verb.name == name)
    }

    /// What `--help` prints.
    pub(super) fn usage(&self) -> String {
        format!(
            "usage: sampan-runtime {} [OPTION...] {}\n\n{}\n\noptions:\n{}",
            self.name,
            self.words,
            self.help,
            describe(self.flags)
        )
    }
}

/// What the program prints without a verb.
pub(super) fn usage(global: &[Flag]) -> String {
    let verbs: String = ALL.iter().map(|verb| format!("   {:11} {}\n", verb.name, verb.help)).collect();
    format!(
        "usage: sampan-runtime [OPTION...] COMMAND ...\n\ncommands:\n{verbs}\noptions:\n{}",
        describe(global)
    )
}
