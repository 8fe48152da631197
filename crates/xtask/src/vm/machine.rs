//! One boot of a virtual machine, until the script in it has ended.

use super::image::Image;
use super::qemu::Qemu;
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Precedes the script's exit status in its output (ASCII "record separator").
const MARK: u8 = 0x1e;
/// The script's wish that the power be cut (ASCII "group separator").
const CUT: u8 = 0x1d;
/// How much of the console is shown when something went wrong, in bytes.
const CONSOLE_SHOWN: usize = 4000;
const BOARD: &str = "q35,usb=off,vmport=off,sata=off,smbus=off,hpet=off";
const KERNEL_LINE: &str = "console=ttyS0 quiet loglevel=4 systemd.show_status=0 panic=1 tsc=reliable mitigations=off net.ifnames=0 rw";

/// A machine that can be booted.
pub(crate) struct Machine<'a> {
    /// The emulator.
    pub qemu: Qemu,
    /// What is booted.
    pub image: &'a Image,
    /// The disk labelled `share`.
    pub share: &'a Path,
    /// Where what is written to its root goes.
    pub disk: Disk,
}

/// Where what a machine writes to its root goes.
pub(crate) enum Disk {
    /// It is thrown away at the end.
    Thrown,
    /// To this copy of the image's root. What the guest has not flushed is lost at the end, as in a power cut.
    Kept(PathBuf),
}

/// How a run of the script ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With this exit status.
    Status(i32),
    /// It wants the power to be cut soon.
    Cut,
}

impl Machine<'_> {
    /// Boots, passes on what the script prints, and returns how it ended. If it wants the power to be cut, that is done after
    /// `grace`. The console's output goes to a file.
    ///
    /// # Errors
    /// When the machine goes down before the script ends, or `limit` is over: with the end of the console's output.
    pub(crate) fn run(&self, console: &Path, limit: Duration, grace: Duration) -> Result<End> {
        let mut guest = Guest(self.command(console).spawn().context("cannot run QEMU")?);
        let output = guest.0.stdout.take().context("QEMU has no output")?;
        let (sender, received) = channel();
        let reader = thread::spawn(move || read(output, &sender));
        let end = pass_on(&received, limit);
        if matches!(end, Ok(End::Cut)) {
            thread::sleep(grace);
        }
        drop(guest);
        drop(reader.join());
        end.with_context(|| format!("the end of the console:\n{}", end_of(console)))
    }

    fn command(&self, console: &Path) -> Command {
        let mut command = self.qemu.command();
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-M", BOARD]);
        command.args(["-accel", "tcg,thread=multi", "-cpu", "max,la57=off,svm=off", "-smp", "2", "-m", "2G"]);
        command.arg("-kernel").arg(&self.image.kernel).arg("-initrd").arg(&self.image.initrd);
        command.args(["-append", KERNEL_LINE]);
        command.arg("-chardev").arg(format!("file,id=console,path={}", console.display()));
        command.args(["-chardev", "stdio,id=script,signal=off"]);
        command.args(["-serial", "chardev:console", "-serial", "chardev:script"]);
        match &self.disk {
            Disk::Thrown => disk(&mut command, "root", &self.image.root, "snapshot=on,cache=unsafe"),
            Disk::Kept(copy) => disk(&mut command, "root", copy, "cache=writeback"),
        }
        disk(&mut command, "share", self.share, "readonly=on");
        command.args(["-netdev", "user,id=net,restrict=on", "-device", "virtio-net-pci,netdev=net,romfile="]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }
}

fn disk(command: &mut Command, id: &str, file: &Path, options: &str) {
    command.arg("-drive").arg(format!("if=none,id={id},format=raw,file={},{options}", file.display()));
    command.arg("-device").arg(format!("virtio-blk-pci,drive={id}"));
}

/// Ends with this value.
struct Guest(Child);

impl Drop for Guest {
    fn drop(&mut self) {
        if let Err(error) = self.0.kill().and_then(|()| self.0.wait()) {
            eprintln!("cannot end QEMU: {error}");
        }
    }
}

fn read(output: ChildStdout, sender: &Sender<u8>) {
    for byte in BufReader::new(output).bytes().map_while(Result::ok) {
        if sender.send(byte).is_err() {
            return;
        }
    }
}

/// Prints the script's output up to a mark, and reads what is behind it.
fn pass_on(output: &Receiver<u8>, limit: Duration) -> Result<End> {
    let deadline = Instant::now() + limit;
    let mut status = None::<String>;
    loop {
        let byte = match output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(byte) => byte,
            Err(RecvTimeoutError::Timeout) => bail!("the script did not end within {} s", limit.as_secs()),
            Err(RecvTimeoutError::Disconnected) => bail!("the machine went down before the script's end"),
        };
        match (&mut status, byte) {
            (None, MARK) => status = Some(String::new()),
            (None, CUT) => return Ok(End::Cut),
            (None, _) => std::io::stdout().write_all(&[byte])?,
            (Some(digits), b'\n') => {
                let status = digits.trim().parse().context("the script's status is no number")?;
                return Ok(End::Status(status));
            }
            (Some(digits), _) => digits.push(char::from(byte)),
        }
    }
}

fn end_of(console: &Path) -> String {
    let text = fs::read(console).unwrap_or_default();
    String::from_utf8_lossy(&text[text.len().saturating_sub(CONSOLE_SHOWN)..]).replace('\r', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end_of_script(output: &[u8]) -> Result<End> {
        let (sender, received) = channel();
        output.iter().for_each(|byte| sender.send(*byte).unwrap());
        drop(sender);
        pass_on(&received, Duration::from_secs(5))
    }

    #[test]
    fn the_status_is_behind_the_mark() {
        assert_eq!(end_of_script(b"\x1e0\n").unwrap(), End::Status(0));
        assert_eq!(end_of_script(b"hello\n\x1e17\n").unwrap(), End::Status(17));
        assert_eq!(end_of_script(b"now\x1dand on").unwrap(), End::Cut);
        assert!(end_of_script(b"hello\n").is_err());
        assert!(end_of_script(b"\x1e1").is_err());
    }
}
