//! A user in front of a process: its streams, the terminal, signals and sizes, until one of them ends it.

use crate::error::{CODE_PIPE, Error};
use crate::signals;
use crate::streams::{self, End, Options};
use crate::terminal::{self, RawMode};
use sampan_api::{Client, Hijacked};
use sampan_spec::Signal;
use std::future::Future;
use std::io::ErrorKind;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedReceiver;

/// Whose streams they are.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Container(String),
    Exec(String),
}

/// A signal that ends this program as far as it may end: 128 and its number.
const SIGNAL_BASE: i32 = 128;

/// An attached process.
pub(crate) struct Session {
    client: Arc<Client>,
    target: Target,
    copying: streams::Copying,
    signals: Option<UnboundedReceiver<Signal>>,
    proxy: bool,
    follow_size: bool,
    raw: Option<RawMode>,
}

impl Session {
    /// Starts copying on an attached connection, and puts the terminal into raw mode if the process has one, too.
    /// `signals`: those to pass on; without them the ones that would end us end the session.
    pub(crate) fn begin(
        client: &Arc<Client>,
        target: Target,
        stream: Hijacked,
        options: Options,
        signals: Option<UnboundedReceiver<Signal>>,
    ) -> Result<Self, Error> {
        let raw = if options.stdin && options.tty { RawMode::enter()? } else { None };
        let proxy = signals.is_some();
        let signals = match signals {
            None if raw.is_some() => Some(signals::fatal()?),
            signals => signals,
        };
        let follow_size = options.tty && terminal::output_is_terminal();
        let (socket, early) = stream.into_socket()?;
        let copying = streams::start(socket, early.into(), options)?;
        Ok(Self { client: Arc::clone(client), target, copying, signals, proxy, follow_size, raw })
    }

    /// Serves the user until the output ends or the keys that detach are typed. Gives back the signals to pass on.
    pub(crate) async fn run(self) -> Result<(End, Option<UnboundedReceiver<Signal>>), Error> {
        let Self { client, target, copying, mut signals, proxy, follow_size, raw } = self;
        let mut sizes = if follow_size { Some(signals::window_change()?) } else { None };
        if follow_size {
            resize(&client, &target);
        }
        let end = copying.end();
        tokio::pin!(end);
        let result = loop {
            tokio::select! {
                end = &mut end => break Ok(end),
                Some(signal) = next(&mut signals) => match &target {
                    Target::Container(id) if proxy => pass_on(&client, id, signal),
                    _ => break Err(Error::Silent((SIGNAL_BASE + signal.number()) as u8)),
                },
                Some(()) = changed(&mut sizes) => resize(&client, &target),
            }
        };
        // Whatever is printed next is for a terminal in its normal mode.
        drop(raw);
        match result? {
            // Without signals to pass on, SIGPIPE would have ended us.
            End::Output(Err(error)) if !proxy && error.kind() == ErrorKind::BrokenPipe => {
                Err(Error::Silent(CODE_PIPE))
            }
            End::Output(Err(error)) => Err(error.into()),
            end => Ok((end, signals.filter(|_| proxy))),
        }
    }
}

/// Waits for `work` and goes on passing signals on meanwhile.
pub(crate) async fn passing_signals<T>(
    client: &Arc<Client>,
    id: &str,
    signals: Option<UnboundedReceiver<Signal>>,
    work: impl Future<Output = T>,
) -> T {
    let mut signals = signals;
    tokio::pin!(work);
    loop {
        tokio::select! {
            value = &mut work => return value,
            Some(signal) = next(&mut signals) => pass_on(client, id, signal),
        }
    }
}

async fn next(signals: &mut Option<UnboundedReceiver<Signal>>) -> Option<Signal> {
    signals.as_mut()?.recv().await
}

async fn changed(sizes: &mut Option<tokio::signal::unix::Signal>) -> Option<()> {
    sizes.as_mut()?.recv().await
}

/// Sends a signal to the container; one that has just ended does not mind.
fn pass_on(client: &Arc<Client>, id: &str, signal: Signal) {
    let (client, id) = (Arc::clone(client), id.to_owned());
    tokio::spawn(async move { client.container_kill(&id, Some(&signal.to_string())).await });
}

/// Gives the process's terminal the size of ours; one that has just ended does not mind.
fn resize(client: &Arc<Client>, target: &Target) {
    let Some((rows, columns)) = terminal::size() else { return };
    let (client, target) = (Arc::clone(client), target.clone());
    tokio::spawn(async move {
        match target {
            Target::Container(id) => client.container_resize(&id, rows, columns).await,
            Target::Exec(id) => client.exec_resize(&id, rows, columns).await,
        }
    });
}

/// Gives a container's terminal another size than ours for a moment, so that a program that draws its screen or a prompt
/// does so again.
pub(crate) async fn redraw(client: &Client, id: &str) {
    if !terminal::output_is_terminal() {
        return;
    }
    let (rows, columns) = terminal::size().unwrap_or_default();
    // A container that has just ended does not mind.
    let _ = client.container_resize(id, rows.saturating_add(1), columns.saturating_add(1)).await;
}
