//! One repository at the addresses where it may be had.

use crate::authorization::Access;
use crate::dial::Dialer;
use crate::endpoint::{Config, Endpoint, endpoints};
use crate::error::Error;
use crate::transport::Transport;
use sampan_spec::ImageName;
use std::fmt;
use std::sync::Mutex;

/// Who asks.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Nobody in particular.
    #[default]
    Anonymous,
    /// A user.
    Basic {
        /// His name.
        username: String,
        /// His password.
        password: String,
    },
    /// Who was given this by a token server (`docker login` with OAuth).
    Identity(String),
    /// Who has a token for the registry itself.
    Token(String),
}

impl fmt::Debug for Credentials {
    /// Says nothing that must not be in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Basic { .. } => "Basic",
            Self::Identity(_) => "Identity",
            Self::Token(_) => "Token",
        })
    }
}

/// One repository at the addresses where it may be had, with the connections and tokens that were needed so far. It is
/// meant for one pull.
pub struct Registry {
    pub(crate) name: ImageName,
    pub(crate) places: Vec<Place>,
    pub(crate) credentials: Credentials,
}

/// One address, and what was learned of it.
pub(crate) struct Place {
    pub(crate) endpoint: Endpoint,
    pub(crate) transport: Transport,
    pub(crate) access: Mutex<Access>,
}

/// Where the repository `name` may be had. Nobody is asked yet; certificates are read from files.
///
/// # Errors
/// [`Error::Certificates`].
pub fn open(config: &Config, name: &ImageName, credentials: Credentials) -> Result<Registry, Error> {
    Ok(Registry { name: name.clone(), places: places(config, name.domain())?, credentials })
}

/// The addresses of a registry. Certificates are read from files.
pub(crate) fn places(config: &Config, domain: &str) -> Result<Vec<Place>, Error> {
    let place = |endpoint: Endpoint| {
        let host = endpoint.base.split("://").last().unwrap_or_default();
        let transport = Transport::new(Dialer::new(), host, endpoint.careless)?;
        Ok(Place { transport, endpoint, access: Mutex::default() })
    };
    endpoints(config, domain).into_iter().map(place).collect()
}

impl Place {
    /// The address that tells whether it is a registry, and whom it believes.
    pub(crate) fn root(&self) -> String {
        format!("{}/v2/", self.endpoint.base)
    }

    /// The address of something of the repository: `manifests/latest`.
    pub(crate) fn url(&self, name: &ImageName, what: &str) -> String {
        format!("{}/v2/{}/{what}", self.endpoint.base, name.path())
    }
}

impl Registry {
    /// What a place is told of who asks. A mirror is told nothing.
    pub(crate) fn credentials(&self, place: &Place) -> &Credentials {
        if place.endpoint.mirror { &Credentials::Anonymous } else { &self.credentials }
    }
}
