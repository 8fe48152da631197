//! Process 1 of a container with `--init`: runs the container's program, passes signals on to it, waits for orphans, and
//! ends with the program's exit code.

use crate::child::{find_program, refused};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use sampan_sys::process::{Namespaces, clone, execute, reset_signals};
use sampan_sys::signals;
use std::ffi::{CString, OsString};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;

/// Signals that tell of a fault of our own, or that the C library keeps for itself.
const NOT_OURS: [i32; 9] = [4, 5, 6, 7, 8, 11, 31, 32, 33];
const LAST: i32 = 64;
/// Our own exit code when there is no way to go on.
const FAILED: i32 = 1;

/// Runs the program that `args` name, and returns its exit code. The calling program must have one thread.
pub fn run(args: impl Iterator<Item = OsString>) -> i32 {
    let args = args.map(|arg| CString::new(arg.into_vec()).unwrap_or_default()).collect::<Vec<_>>();
    supervise(&args).unwrap_or_else(|error| {
        say(&error.to_string());
        FAILED
    })
}

fn say(text: &str) {
    // There is nowhere else to tell it.
    let _ = writeln!(io::stderr(), "docker-init: {text}");
}

fn supervise(args: &[CString]) -> io::Result<i32> {
    let ours: Vec<i32> = (1..=LAST).filter(|number| !NOT_OURS.contains(number)).collect();
    let arrived = signals::descriptor(&ours)?;
    let child = clone(Namespaces::empty(), None, &[], || become_program(args))?;
    let pid = Pid::from_raw(child.pid).ok_or(io::ErrorKind::NotFound)?;
    loop {
        wait_for_signal(&arrived)?;
        while let Some(number) = signals::next(&arrived)? {
            if number != Signal::CHILD.as_raw() {
                pass_on(pid, number, &child.pidfd);
            }
        }
        if let Some(status) = reap(pid)? {
            return Ok(code(status));
        }
    }
}

fn wait_for_signal(arrived: &OwnedFd) -> io::Result<()> {
    match poll(&mut [PollFd::new(arrived, PollFlags::IN)], None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Those that a terminal sends to whoever is in the background are meant for us alone.
fn pass_on(pid: Pid, number: i32, program: &OwnedFd) {
    let terminal = [Signal::TTIN.as_raw(), Signal::TTOU.as_raw()];
    if !terminal.contains(&number) && sampan_sys::process::signal(program, number).is_err() {
        say(&format!("signal {number} does not reach process {}", pid.as_raw_nonzero()));
    }
}

/// Takes all that have ended; gives the program's end if it is among them.
fn reap(program: Pid) -> io::Result<Option<WaitStatus>> {
    let mut ended = None;
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == program => ended = Some(status),
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(ended),
            Err(error) => return Err(error.into()),
        }
    }
}

fn code(status: WaitStatus) -> i32 {
    let signal = || status.terminating_signal().map(|number| 128 + number);
    status.exit_status().or_else(signal).unwrap_or(FAILED)
}

/// The child: in the terminal's foreground, with signals as a new program expects them.
fn become_program(args: &[CString]) -> i32 {
    // Without a terminal there is no foreground.
    let _ = rustix::process::setpgid(None, None)
        .and_then(|()| rustix::termios::tcsetpgrp(rustix::stdio::stdin(), rustix::process::getpgrp()));
    reset_signals();
    let env = std::env::vars_os().map(|(mut name, value)| {
        name.push("=");
        name.push(value);
        CString::new(name.into_vec()).unwrap_or_default()
    });
    let env = env.collect::<Vec<_>>();
    let Some(name) = args.first() else {
        say("there is no program to run");
        return FAILED;
    };
    let failure = match find_program(name, &env) {
        Ok(path) => refused(&path, &execute(&path, args, &env)),
        Err(failure) => failure,
    };
    say(&failure.message);
    failure.exit_code()
}
