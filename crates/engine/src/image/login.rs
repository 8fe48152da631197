//! `login`: asks a registry whether it believes a user. The client keeps the credentials, the engine does not.

use super::Credentials;
use crate::blocking::blocking;
use crate::engine::Engine;
use crate::{Error, Result};
use sampan_registry::login;

/// Shows the registry `domain` who a user is. Gives what he is to show instead of his password, if the registry says so.
///
/// # Errors
/// When it does not believe him, or does not answer.
pub async fn login(engine: &Engine, domain: String, credentials: Credentials) -> Result<Option<String>> {
    let config = engine.options().registries.clone();
    let account =
        blocking(move || login::account(&config, &domain, credentials).map_err(Error::from)).await?;
    Ok(login::login(&account).await?)
}
