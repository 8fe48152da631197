//! Whether a registry believes somebody. Nothing is kept of it: whoever asks keeps what he is to show next time.

use crate::authorization;
use crate::endpoint::Config;
use crate::error::Error;
use crate::redirect::follow;
use crate::registry::{Credentials, Place, places};
use crate::request;
use http::StatusCode;

/// Somebody at a registry.
pub struct Account {
    domain: String,
    places: Vec<Place>,
    credentials: Credentials,
}

/// Nobody is asked yet; certificates are read from files.
///
/// # Errors
/// [`Error::Certificates`].
pub fn account(config: &Config, domain: &str, credentials: Credentials) -> Result<Account, Error> {
    let mut places = places(config, domain)?;
    places.retain(|place| !place.endpoint.mirror);
    Ok(Account { domain: domain.to_owned(), places, credentials })
}

/// Shows the registry who one is. Gives what is to be shown instead of the password from now on, if its token server says
/// so. The next address is asked only where nobody answers: a password does not go about in search of a believer.
///
/// # Errors
/// [`Error::Unauthorized`] or [`Error::LoginRefused`] if it does not believe it; that of the last address if none answers.
pub async fn login(account: &Account) -> Result<Option<String>, Error> {
    let mut failure = Error::Nowhere { domain: account.domain.clone() };
    for place in &account.places {
        match authorization::greet(place).await {
            Ok(()) => return at_place(place, &account.credentials).await,
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn at_place(place: &Place, credentials: &Credentials) -> Result<Option<String>, Error> {
    let (header, identity) =
        authorization::prove(place, credentials).await.map_err(|error| disbelief(place, error))?;
    let arrived = follow(&place.transport, &place.root(), &request::headers(), header.as_ref()).await?;
    match arrived.response.status() {
        status if status.is_success() => Ok(identity),
        status => Err(Error::LoginRefused { url: place.root(), status }),
    }
}

/// A token server's refusal, as one of the registry.
fn disbelief(place: &Place, error: Error) -> Error {
    match error {
        Error::Refused { status: StatusCode::UNAUTHORIZED, problems } => {
            let text = problems.to_string();
            let reason = text.strip_prefix("unauthorized: ").unwrap_or(&text).to_owned();
            Error::Unauthorized { url: place.root(), reason }
        }
        other => other,
    }
}
