//! The last part of a process before its program (step 7): the same for process 1 and for exec.
//!
//! The seccomp filter comes last, so that it needs to allow nothing of what we do but the execution. Where that takes
//! CAP_SYS_ADMIN, it is kept until then; execve(2) computes the program's capabilities from the bounding, inheritable and
//! ambient sets only, which are final by then.

use super::terminal::Standard;
use super::{passwd, program, schedule};
use crate::failure::{OrFail, failure, stage, system};
use crate::plan::{Capabilities, ProcessPlan};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Uid, openat2};
use rustix::io::Errno;
use rustix::process::Signal;
use rustix::thread::{CapabilitySet, CapabilitySets, Gid};
use sampan_spec::journal::Failure;
use sampan_sys::process::{close_on_exec_from, execute as execve, leave, reset_signals};
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What to finish.
pub(crate) struct Finish<'a> {
    pub(crate) process: &'a ProcessPlan,
    pub(crate) sysctls: &'a [(String, String)],
    /// The host's `/proc`: the container may have mounted something else over its own.
    pub(crate) proc: BorrowedFd<'a>,
    pub(crate) standard: &'a Standard,
    /// Where the parent listens.
    pub(crate) socket: BorrowedFd<'a>,
}

/// Executes the program. Returns only if that failed.
pub(crate) fn execute(finish: &Finish<'_>) -> Failure {
    match prepare(finish) {
        Ok((path, env)) => {
            if let Err(failure) = load_seccomp(finish.process) {
                return failure;
            }
            let error = execve(&path, &finish.process.args, &env);
            program::refused(&path, &error)
        }
        Err(failure) => failure,
    }
}

fn prepare(finish: &Finish<'_>) -> Result<(CString, Vec<CString>), Failure> {
    let process = finish.process;
    for (name, value) in finish.sysctls {
        set_sysctl(finish.proc, name, value)?;
    }
    set_oom_score(finish.proc, process)?;
    if let Some(profile) = &process.apparmor {
        set_apparmor(finish.proc, profile)?;
    }
    for (resource, limit) in &process.rlimits {
        rustix::process::setrlimit(*resource, *limit)
            .or_fail(stage::PROCESS, || format!("error setting rlimit {resource:?}"))?;
    }
    schedule::set(process)?;
    join_keyring(process)?;
    take_streams(finish.standard, process.uid)?;
    let entered = enter(process);
    become_user(process)?;
    entered.or_else(|_| enter(process)).map_err(|e| cwd_failure(process, e))?;
    check_cwd(process)?;
    let env = environment(process);
    let [name, ..] = &process.args[..] else { return Err(failure(stage::EXEC, "process.args is empty")) };
    let path = program::find(name, &env)?;
    last_attributes(process)?;
    if process.die_with_parent {
        follow_parent(finish.socket)?;
    }
    Ok((path, env))
}

/// `net.ipv4.ip_forward` and `net/ipv4/ip_forward` are the same.
fn set_sysctl(proc: BorrowedFd<'_>, name: &str, value: &str) -> Result<(), Failure> {
    let path = if name.contains('/') { name.to_owned() } else { name.replace('.', "/") };
    write(proc, &format!("sys/{path}"), value)
        .or_fail(stage::SYSCTL, || format!("write sysctl {name} = {value:?}"))
}

fn set_oom_score(proc: BorrowedFd<'_>, process: &ProcessPlan) -> Result<(), Failure> {
    const FILE: &str = "self/oom_score_adj";
    let Some(wanted) = process.oom_score_adj else { return Ok(()) };
    let failed = || format!("set oom_score_adj to {wanted}");
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(proc, FILE, flags, Mode::empty()).or_fail(stage::PROCESS, failed)?;
    let mut now = [0; 16];
    let n = rustix::io::read(&file, &mut now).or_fail(stage::PROCESS, failed)?;
    if String::from_utf8_lossy(&now[..n]).trim().parse() == Ok(wanted) {
        return Ok(());
    }
    write(proc, FILE, &wanted.to_string()).or_fail(stage::PROCESS, failed)
}

/// The profile under which the program is executed (apparmor(7)).
fn set_apparmor(proc: BorrowedFd<'_>, profile: &str) -> Result<(), Failure> {
    let value = format!("exec {profile}");
    let own = write(proc, "self/attr/apparmor/exec", &value);
    let set = if own == Err(Errno::NOENT) { write(proc, "self/attr/exec", &value) } else { own };
    set.or_fail(stage::PROCESS, || format!("apply apparmor profile {profile:?}"))
}

pub(super) fn write(proc: BorrowedFd<'_>, path: &str, value: &str) -> rustix::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let file = openat2(proc, path, flags, Mode::empty(), resolve)?;
    rustix::io::write(&file, value.as_bytes())?;
    Ok(())
}

/// Kernels without keys, or with all used up for this user, need none.
fn join_keyring(process: &ProcessPlan) -> Result<(), Failure> {
    let Some(name) = &process.keyring else { return Ok(()) };
    match sampan_sys::host::new_session_keyring(name) {
        Err(e) if e.kind() == std::io::ErrorKind::Unsupported => Ok(()),
        joined => joined.or_fail(stage::PROCESS, || "join a session keyring"),
    }
}

/// Puts the streams in their places and gives them to the user, so that `/dev/stdout` can be opened.
fn take_streams(standard: &Standard, uid: u32) -> Result<(), Failure> {
    let failed = || "set up the standard streams";
    for stream in &standard.streams {
        give_to(stream, uid).or_fail(stage::TERMINAL, failed)?;
    }
    if standard.is_terminal {
        rustix::process::ioctl_tiocsctty(&standard.streams[0])
            .or_fail(stage::TERMINAL, || "set the controlling terminal")?;
    }
    standard.place().or_fail(stage::TERMINAL, failed)
}

fn give_to(stream: &OwnedFd, uid: u32) -> rustix::io::Result<()> {
    let status = rustix::fs::fstat(stream)?;
    let kind = FileType::from_raw_mode(status.st_mode);
    let terminal = kind == FileType::CharacterDevice && rustix::termios::isatty(stream);
    if status.st_uid == uid || !(terminal || kind == FileType::Fifo) {
        return Ok(());
    }
    match rustix::fs::fchown(stream, Some(Uid::from_raw(uid)), None) {
        Err(Errno::PERM | Errno::INVAL | Errno::ROFS) => Ok(()),
        given => given,
    }
}

fn enter(process: &ProcessPlan) -> rustix::io::Result<()> {
    rustix::process::chdir(&process.cwd)
}

fn cwd_failure(process: &ProcessPlan, error: Errno) -> Failure {
    let what = format!("chdir to cwd ({:?}) set in config.json failed", process.cwd.to_string_lossy());
    system(stage::CWD, what, error)
}

/// A working directory outside the root would be a way out of the container (CVE-2024-21626).
fn check_cwd(process: &ProcessPlan) -> Result<(), Failure> {
    match rustix::process::getcwd(Vec::new()) {
        Ok(path) if path.to_bytes().starts_with(b"/") => Ok(()),
        Ok(_) => Err(failure(stage::CWD, "the working directory is outside of the container's root")),
        Err(e) => Err(cwd_failure(process, e)),
    }
}

/// Capabilities and user (user_namespaces(7), capabilities(7)).
fn become_user(process: &ProcessPlan) -> Result<(), Failure> {
    let capabilities = &process.capabilities;
    let failed = || "set the user";
    drop_bounding(capabilities)?;
    rustix::thread::set_keep_capabilities(true).or_fail(stage::PROCESS, failed)?;
    let groups: Vec<Gid> = process.groups.iter().map(|g| Gid::from_raw(*g)).collect();
    rustix::thread::set_thread_groups(&groups).or_fail(stage::PROCESS, || "setgroups")?;
    let gid = Gid::from_raw(process.gid);
    rustix::thread::set_thread_res_gid(gid, gid, gid).or_fail(stage::PROCESS, || "setgid")?;
    let uid = Uid::from_raw(process.uid);
    rustix::thread::set_thread_res_uid(uid, uid, uid).or_fail(stage::PROCESS, || "setuid")?;
    rustix::thread::set_keep_capabilities(false).or_fail(stage::PROCESS, failed)?;
    let extra = if process.seccomp.is_some() && !process.no_new_privileges {
        CapabilitySet::SYS_ADMIN
    } else {
        CapabilitySet::empty()
    };
    set_capabilities(capabilities, extra)
}

fn drop_bounding(wanted: &Capabilities) -> Result<(), Failure> {
    for bit in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        match rustix::thread::capability_is_in_bounding_set(one) {
            Err(_) => return Ok(()), // the kernel knows no more of them
            Ok(true) if !wanted.bounding.contains(one) => {
                rustix::thread::remove_capability_from_bounding_set(one)
                    .or_fail(stage::PROCESS, || "drop a capability from the bounding set")?;
            }
            Ok(true) => {}
            Ok(false) if wanted.bounding.contains(one) => {
                let name = one.iter_names().next().map_or("", |(name, _)| name);
                return Err(failure(
                    stage::PROCESS,
                    format!("capability CAP_{name} is not permitted on this host"),
                ));
            }
            Ok(false) => {}
        }
    }
    Ok(())
}

fn set_capabilities(wanted: &Capabilities, extra: CapabilitySet) -> Result<(), Failure> {
    let own = rustix::thread::capabilities(None).or_fail(stage::PROCESS, || "capget")?.permitted;
    let missing = (wanted.permitted | wanted.effective).difference(own);
    if !missing.is_empty() {
        return Err(failure(
            stage::PROCESS,
            format!("capabilities {missing:?} are not permitted on this host"),
        ));
    }
    let sets = CapabilitySets {
        effective: wanted.effective | extra,
        permitted: wanted.permitted | extra,
        inheritable: wanted.inheritable,
    };
    rustix::thread::set_capabilities(None, sets).or_fail(stage::PROCESS, || "capset")?;
    rustix::thread::clear_ambient_capability_set().or_fail(stage::PROCESS, || "clear the ambient set")?;
    for one in wanted.ambient.iter() {
        rustix::thread::configure_capability_in_ambient_set(one, true)
            .or_fail(stage::PROCESS, || format!("raise {one:?} in the ambient set"))?;
    }
    Ok(())
}

fn environment(process: &ProcessPlan) -> Vec<CString> {
    let mut env = process.env.clone();
    if !env.iter().any(|v| v.to_bytes().strip_prefix(b"HOME=").is_some_and(|home| !home.is_empty())) {
        env.retain(|v| !v.to_bytes().starts_with(b"HOME="));
        env.push(passwd::home_variable(process.uid));
    }
    env
}

fn last_attributes(process: &ProcessPlan) -> Result<(), Failure> {
    if process.no_new_privileges {
        rustix::thread::set_no_new_privs(true).or_fail(stage::PROCESS, || "set no_new_privs")?;
    }
    rustix::process::umask(Mode::from_raw_mode(process.umask & 0o777));
    reset_signals();
    close_on_exec_from(3 + process.preserve_fds).or_fail(stage::PROCESS, || "close_range")
}

/// SIGKILL when the parent ends. It may have ended before that was asked for: then the socket has no other end.
fn follow_parent(socket: BorrowedFd<'_>) -> Result<(), Failure> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .or_fail(stage::PROCESS, || "set the parent death signal")?;
    let mut fds = [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).or_fail(stage::SYNC, || "poll")?;
    if fds[0].revents().contains(PollFlags::HUP) {
        leave(1);
    }
    Ok(())
}

fn load_seccomp(process: &ProcessPlan) -> Result<(), Failure> {
    match &process.seccomp {
        None => Ok(()),
        Some(program) => sampan_sys::seccomp::load(&program.code, program.flags)
            .or_fail(stage::SECCOMP, || "load the seccomp filter"),
    }
}
