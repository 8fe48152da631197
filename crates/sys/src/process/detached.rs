//! A program of its own session, started from a threaded process.
//!
//! Between clone3 and execveat the child calls nothing but system calls (signal-safety(7)): another thread may have
//! held any lock at that moment.

use super::child::{Namespaces, pointers, raw_clone};
use super::open_files::before_raise;
use crate::cgroup::Door;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// The exit code of a child that could not execute the program; nobody sees it but who waits for it.
const FAILED: i32 = 127;

/// Starts the program `exe` in a session of its own, with the descriptors `fds` (source, number there) and no other
/// above 2, signals as by default, the limit of open files that this program was started with, inside the cgroups behind
/// `door`. Returns its pid and pidfd once it executes.
///
/// # Errors
/// Those of clone3(2), or of the step that failed in the child: entering the cgroup, dup2(2), execveat(2).
pub fn spawn_detached(
    exe: BorrowedFd<'_>,
    argv: &[CString],
    env: &[CString],
    fds: &[(OwnedFd, i32)],
    door: Option<&Door>,
) -> io::Result<(i32, OwnedFd)> {
    let (report, child_end) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let (argv, env) = (pointers(argv), pointers(env));
    let sources: Vec<RawFd> = fds.iter().map(|(source, _)| source.as_raw_fd()).collect();
    let mut start = Start {
        exe: exe.as_raw_fd(),
        argv: &argv,
        env: &env,
        targets: fds,
        sources,
        doors: door.map(Door::raw_files).unwrap_or_default(),
        report: child_end.as_raw_fd(),
        open_files: before_raise(),
    };
    let mut pidfd: libc::c_int = -1;
    let pid = raw_clone(Namespaces::empty(), door.and_then(Door::unified), &mut pidfd)?;
    if pid == 0 {
        start.run();
    }
    // SAFETY: with CLONE_PIDFD the kernel has stored a new descriptor that nobody else knows.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    drop(child_end);
    let mut errno = Vec::new();
    File::from(report).read_to_end(&mut errno)?;
    match errno.first() {
        None => Ok((pid, pidfd)),
        Some(errno) => {
            super::wait(&pidfd)?;
            Err(io::Error::from_raw_os_error(i32::from(*errno)))
        }
    }
}

/// All that the child needs, allocated before it exists.
struct Start<'a> {
    exe: RawFd,
    argv: &'a [*const libc::c_char],
    env: &'a [*const libc::c_char],
    targets: &'a [(OwnedFd, i32)],
    sources: Vec<RawFd>,
    doors: Vec<RawFd>,
    report: RawFd,
    open_files: Option<libc::rlimit>,
}

impl Start<'_> {
    /// The child's whole life up to its program.
    fn run(&mut self) -> ! {
        let errno = self.try_run();
        let byte = u8::try_from(errno).unwrap_or(u8::MAX);
        // SAFETY: one byte of a live variable; then the end.
        unsafe {
            libc::write(self.report, (&raw const byte).cast(), 1);
            libc::_exit(FAILED)
        }
    }

    /// Returns the error number of the step that failed.
    fn try_run(&mut self) -> i32 {
        super::reset_signals();
        for door in &self.doors {
            // SAFETY: "0" is one byte.
            if unsafe { libc::write(*door, c"0".as_ptr().cast(), 1) } < 0 {
                return errno();
            }
        }
        // SAFETY: setsid(2) has no preconditions; a new process leads no group, so it cannot fail.
        unsafe { libc::setsid() };
        if self.place_descriptors().is_none() {
            return errno();
        }
        if let Some(limit) = &self.open_files {
            // SAFETY: a live structure. A limit that was in force is allowed; what is open above it stays open.
            unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, limit) };
        }
        // SAFETY: both arrays end with a null pointer; the empty path with AT_EMPTY_PATH means the descriptor itself.
        unsafe {
            libc::syscall(
                libc::SYS_execveat,
                self.exe,
                c"".as_ptr(),
                self.argv.as_ptr(),
                self.env.as_ptr(),
                libc::AT_EMPTY_PATH,
            );
        }
        errno()
    }

    /// Moves everything out of the targets' way, then onto the targets. All the rest closes itself at execution.
    fn place_descriptors(&mut self) -> Option<()> {
        let above = self.targets.iter().map(|(_, target)| *target).max().unwrap_or(2).max(2) + 1;
        super::close_on_exec_from(3).ok()?;
        self.exe = copy_above(self.exe, above)?;
        self.report = copy_above(self.report, above)?;
        for source in &mut self.sources {
            *source = copy_above(*source, above)?;
        }
        for (source, (_, target)) in self.sources.iter().zip(self.targets) {
            // SAFETY: the target numbers belong to this process alone, and nothing of ours is below `above` any more.
            if unsafe { libc::dup2(*source, *target) } < 0 {
                return None;
            }
        }
        Some(())
    }
}

fn copy_above(fd: RawFd, above: i32) -> Option<RawFd> {
    // SAFETY: makes a new descriptor and touches no memory.
    let copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, above) };
    (copy >= 0).then_some(copy)
}

fn errno() -> i32 {
    // SAFETY: the location is this thread's own.
    unsafe { *libc::__errno_location() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Seek;
    use std::os::fd::AsFd;

    fn strings(words: &[&str]) -> Vec<CString> {
        words.iter().map(|w| CString::new(*w).unwrap()).collect()
    }

    fn output_of(script: &str, fds: Vec<(OwnedFd, i32)>) -> String {
        let shell = File::open("/bin/sh").unwrap();
        let mut out = tempfile::tempfile().unwrap();
        let mut all = vec![(out.try_clone().unwrap().into(), 1)];
        all.extend(fds);
        let argv = strings(&["sh", "-c", script]);
        let env = strings(&["PATH=/usr/bin:/bin", "A=b"]);
        let (_, pidfd) = spawn_detached(shell.as_fd(), &argv, &env, &all, None).unwrap();
        assert_eq!(super::super::wait(&pidfd).unwrap(), super::super::Ended::Code(0));
        let mut text = String::new();
        out.rewind().unwrap();
        out.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn it_has_its_own_session_and_environment() {
        let text = output_of("cut -d' ' -f1,6 /proc/$$/stat; echo $A", vec![]);
        let (ids, rest) = text.split_once('\n').unwrap();
        let (pid, session) = ids.split_once(' ').unwrap();
        assert_eq!(pid, session);
        assert_eq!(rest, "b\n");
    }

    #[test]
    fn descriptors_change_places() {
        let file = |text: &str| {
            let mut file = tempfile::tempfile().unwrap();
            io::Write::write_all(&mut file, text.as_bytes()).unwrap();
            OwnedFd::from(file)
        };
        let (a, b) = (file("a"), file("b"));
        let (to_a, to_b) = (b.as_raw_fd(), a.as_raw_fd());
        let script = format!("cat /proc/$$/fd/{to_a} /proc/$$/fd/{to_b}");
        assert_eq!(output_of(&script, vec![(a, to_a), (b, to_b)]), "ab");
    }

    #[test]
    fn only_the_given_descriptors_are_open() {
        // The shell's own words alone: for a pipe or a program it would open more.
        let script = "for fd in 0 1 2 3 4 5 6 7 8 9; do [ ! -e /proc/$$/fd/$fd ] || echo $fd; done";
        let text = output_of(script, vec![(File::open("/dev/null").unwrap().into(), 5)]);
        assert_eq!(text, "0\n1\n2\n5\n");
    }

    #[test]
    fn a_program_that_is_none_is_an_error() {
        let file = File::open("/etc/passwd").unwrap();
        let error = spawn_detached(file.as_fd(), &strings(&["x"]), &[], &[], None).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EACCES));
    }
}
