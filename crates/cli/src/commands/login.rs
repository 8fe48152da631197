//! `sampan login`.

use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::verb::Verb;
use crate::{credentials, print, terminal};
use sampan_api::body::RegistryAuth;
use std::io::{BufRead, Read};

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Login {
    server: Option<String>,
    /// Password or Personal Access Token (PAT)
    #[arg(short, long, value_name = "string")]
    password: Option<String>,
    /// Take the Password or Personal Access Token (PAT) from stdin
    #[arg(long)]
    password_stdin: bool,
    /// Username
    #[arg(short, long, value_name = "string")]
    username: Option<String>,
}

const NO_TERMINAL: Error = Error::Refused("Error: Cannot perform an interactive login from a non TTY device");

impl Verb for Login {
    const NAME: &'static str = "login";
    const ABOUT: &'static str =
        "Authenticate to a registry.\nDefaults to Docker Hub if no server is specified.";
    const USAGE: &'static str = "[OPTIONS] [SERVER]";
    const COUNT: Count = Count::AtMost(1);

    fn run(mut self, context: &Context) -> Result<u8, Error> {
        self.check()?;
        if self.password_stdin {
            self.password = Some(from_input()?);
        }
        let server = credentials::server(self.server.as_deref()).to_owned();
        if let Some(known) = self.known(&server) {
            match login(context, known) {
                Ok(()) => return Ok(0),
                Err(error) => print::error(&format!("Login did not succeed, error: {error}")),
            }
        }
        login(context, self.asked(server)?)?;
        Ok(0)
    }
}

impl Login {
    fn check(&self) -> Result<(), Error> {
        let is_empty = |value: &Option<String>| value.as_deref() == Some("");
        let wrong = [
            (
                self.password_stdin && self.password.is_some(),
                "conflicting options: cannot specify both --password and --password-stdin",
            ),
            (
                self.password_stdin && self.username.as_deref().unwrap_or_default().is_empty(),
                "the --password-stdin option requires --username to be set",
            ),
            (is_empty(&self.username), "username is empty"),
            (is_empty(&self.password), "password is empty"),
        ];
        if let Some((_, text)) = wrong.iter().find(|(is_so, _)| *is_so) {
            return Err(Error::Refused(text));
        }
        if self.password.is_some() {
            print::error("WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
        }
        Ok(())
    }

    /// What is kept for the server, where the user says nothing else.
    fn known(&self, server: &str) -> Option<RegistryAuth> {
        if self.username.is_some() || self.password.is_some() {
            return None;
        }
        let known = credentials::known(server);
        if known.password.is_empty() && known.identitytoken.is_empty() {
            return None;
        }
        print::error(&format!("Authenticating with existing credentials... [Username: {}]", known.username));
        print::error(
            "\n Info -> To login with a different account, run 'docker logout' followed by 'docker login'\n\n",
        );
        Some(known)
    }

    /// What the user said, and what he is asked for.
    fn asked(self, serveraddress: String) -> Result<RegistryAuth, Error> {
        let password = self.password.filter(|password| !password.is_empty());
        if (self.username.is_none() || password.is_none()) && !terminal::input_is_terminal() {
            return Err(NO_TERMINAL);
        }
        let username = self.username.map_or_else(ask_name, Ok)?;
        let password = password.map_or_else(ask_password, Ok)?;
        Ok(RegistryAuth { username, password, serveraddress, ..RegistryAuth::default() })
    }
}

/// Has the daemon ask the registry, and keeps what it believes.
fn login(context: &Context, mut auth: RegistryAuth) -> Result<(), Error> {
    let client = context.client()?;
    let answer = context.block_on(async { Ok(client.login(&auth).await?) })?;
    if !answer.identity_token.is_empty() {
        auth.password.clear();
        auth.identitytoken = answer.identity_token;
    }
    if let Some(path) = credentials::keep(&auth)? {
        print::error(&format!(
            "\nWARNING! Your credentials are stored unencrypted in '{}'.\nConfigure a credential helper to remove this \
             warning. See\nhttps://docs.docker.com/go/credential-store/\n",
            path.display()
        ));
    }
    print::line(&answer.status);
    Ok(())
}

/// Standard input without the end of its line.
fn from_input() -> Result<String, Error> {
    let mut text = String::new();
    std::io::stdin().lock().read_to_string(&mut text)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

fn ask_name() -> Result<String, Error> {
    print::text("Username: ");
    let mut name = String::new();
    std::io::stdin().lock().read_line(&mut name)?;
    given(name.trim().to_owned(), "Error: Non-null Username Required")
}

fn ask_password() -> Result<String, Error> {
    print::text("Password: ");
    let typed = terminal::hidden_line()?;
    print::line("");
    given(typed, "Error: Password Required")
}

fn given(text: String, or_else: &'static str) -> Result<String, Error> {
    if text.is_empty() { Err(Error::Refused(or_else)) } else { Ok(text) }
}
