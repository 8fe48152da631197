//! The daemon and its host.

use crate::answer::{Outcome, json, text};
use crate::convert;
use crate::convert::inspect::RUNTIME;
use crate::error::Error;
use crate::request::{Call, typed};
use http::StatusCode;
use sampan_api::ApiVersion;
use sampan_api::body::{Component, LoginAnswer, RegistryAuth, Version};
use sampan_engine::image;
use sampan_spec::Platform;
use serde_json::Value;

/// Sampan's own.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// `GET /_ping`.
pub(crate) fn ping() -> Outcome {
    let mut outcome = text(StatusCode::OK, "OK");
    if let Outcome::Answer(response) = &mut outcome {
        let headers = response.headers_mut();
        headers
            .insert("cache-control", http::HeaderValue::from_static("no-cache, no-store, must-revalidate"));
        headers.insert("pragma", http::HeaderValue::from_static("no-cache"));
        headers.insert("swarm", http::HeaderValue::from_static("inactive"));
    }
    outcome
}

/// `GET /version`.
pub(crate) fn version() -> Outcome {
    let host = Platform::host();
    let kernel = kernel();
    let details = [
        ("ApiVersion", ApiVersion::MAX.to_string()),
        ("Arch", host.architecture.clone()),
        // Clients look for these, and Sampan's builds do not know them.
        ("BuildTime", String::new()),
        ("Experimental", "false".into()),
        ("GitCommit", String::new()),
        ("GoVersion", String::new()),
        ("KernelVersion", kernel.clone()),
        ("MinAPIVersion", ApiVersion::MIN.to_string()),
        ("Os", host.os.clone()),
    ];
    let engine = Component {
        name: "Engine".into(),
        version: VERSION.into(),
        details: details.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    };
    let runtime = Component { name: RUNTIME.into(), version: VERSION.into(), ..Component::default() };
    json(
        StatusCode::OK,
        &Version {
            platform: sampan_api::body::Platform { name: "Sampan".into() },
            components: vec![engine, runtime],
            version: VERSION.into(),
            api_version: ApiVersion::MAX.to_string(),
            min_api_version: ApiVersion::MIN.to_string(),
            os: host.os,
            arch: host.architecture,
            kernel_version: kernel,
            ..Version::default()
        },
    )
}

/// `GET /info`.
pub(crate) async fn info(call: &Call) -> Result<Outcome, Error> {
    let info = convert::info::info(call).await;
    let mut document = serde_json::to_value(&info).map_err(|error| Error::Json(error.to_string()))?;
    // Containers and images do not need a containerd: the field is there only where one is.
    if let Value::Object(members) = &mut document {
        members.remove("Containerd");
    }
    Ok(json(StatusCode::OK, &document))
}

/// `POST /auth`.
pub(crate) async fn login(mut call: Call) -> Result<Outcome, Error> {
    let auth: RegistryAuth = typed(call.json().await?)?;
    let domain = convert::registries::domain(&auth.serveraddress);
    let identity = image::login(call.engine(), domain, convert::pull::of(auth)).await?;
    let status = "Login Succeeded".into();
    Ok(json(StatusCode::OK, &LoginAnswer { identity_token: identity.unwrap_or_default(), status }))
}

/// `GET /plugins`. There is no way to install one.
pub(crate) fn plugins() -> Outcome {
    json(StatusCode::OK, &[(); 0])
}

/// How many processors this program may use.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The kernel's release.
pub(crate) fn kernel() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}
