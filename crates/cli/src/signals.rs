//! The signals that this program gets while a container's streams are attached.

use sampan_spec::Signal;
use std::io;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Signals that cannot be caught, that say something about this program alone, or about its terminal's size.
const OWN: [i32; 10] = [
    4,  // ILL
    7,  // BUS
    8,  // FPE
    9,  // KILL
    11, // SEGV
    13, // PIPE
    17, // CHLD
    19, // STOP
    23, // URG
    28, // WINCH
];
const LAST: i32 = 31;

/// Those that end a program.
const FATAL: [i32; 4] = [1, 2, 3, 15];

/// Catches every signal that can be passed on to a container.
pub(crate) fn all() -> io::Result<mpsc::UnboundedReceiver<Signal>> {
    catch((1..=LAST).filter(|number| !OWN.contains(number)))
}

/// Catches the signals that would end this program with the terminal in raw mode.
pub(crate) fn fatal() -> io::Result<mpsc::UnboundedReceiver<Signal>> {
    catch(FATAL.into_iter())
}

/// The terminal's size has changed.
pub(crate) fn window_change() -> io::Result<tokio::signal::unix::Signal> {
    signal(SignalKind::window_change())
}

fn catch(numbers: impl Iterator<Item = i32>) -> io::Result<mpsc::UnboundedReceiver<Signal>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    for number in numbers {
        let Ok(name) = Signal::try_from(number) else { continue };
        let mut caught = signal(SignalKind::from_raw(number))?;
        let sender = sender.clone();
        tokio::spawn(async move { while caught.recv().await.is_some() && sender.send(name).is_ok() {} });
    }
    Ok(receiver)
}
