//! Pulls: Docker's parameters, its header with credentials, and its lines of progress.

use crate::error::Error;
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use sampan_api::body::{Progress, ProgressDetail, RegistryAuth};
use sampan_api::human::progress_bar;
use sampan_engine::image::{Credentials, LayerState, Progress as Event, PullRequest, Pulled};
use sampan_spec::{Digest, Reference};

/// The reference that `fromImage` and `tag` make; `tag` may be a digest.
///
/// # Errors
/// When they make none, or ask for all tags of a repository.
pub(crate) fn reference(image: &str, tag: &str) -> Result<Reference, Error> {
    let parsed: Reference = image.parse()?;
    let has_own = image.contains('@') || image.rsplit_once(':').is_some_and(|(_, tag)| !tag.contains('/'));
    if tag.is_empty() {
        return match has_own {
            true => Ok(parsed),
            false => Err(Error::unsupported("pulling all tags of a repository")),
        };
    }
    match tag.parse::<Digest>() {
        Ok(digest) => Ok(Reference { name: parsed.name, tag: None, digest: Some(digest) }),
        Err(_) => Ok(Reference { name: parsed.name, tag: Some(tag.parse()?), digest: None }),
    }
}

/// What the header says of who asks. One that makes no sense says nothing, as with Docker.
pub(crate) fn credentials(headers: &HeaderMap) -> Credentials {
    let header = headers.get("X-Registry-Auth").map(|value| value.as_bytes()).unwrap_or_default();
    let decoded = ANY_PADDING.decode(header).unwrap_or_default();
    of(serde_json::from_slice(&decoded).unwrap_or_default())
}

/// Who that is.
pub(crate) fn of(auth: RegistryAuth) -> Credentials {
    let both = ANY_PADDING_STANDARD.decode(&auth.auth).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let both = both.as_deref().and_then(|both| both.split_once(':'));
    match (auth.registrytoken, auth.identitytoken, auth.username, both) {
        (token, ..) if !token.is_empty() => Credentials::Token(token),
        (_, token, ..) if !token.is_empty() => Credentials::Identity(token),
        (.., username, _) if !username.is_empty() => Credentials::Basic { username, password: auth.password },
        (.., Some((username, password))) => {
            Credentials::Basic { username: username.to_owned(), password: password.to_owned() }
        }
        _ => Credentials::Anonymous,
    }
}

const PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, PADDING);
const ANY_PADDING_STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, PADDING);

/// What is drawn for programs that draw no bars themselves is for wide terminals.
const COLUMNS: usize = 200;

/// The lines for something that happened.
pub(crate) fn lines(event: &Event) -> Vec<Progress> {
    match event {
        Event::Found { name, target } => {
            vec![Progress { progress_detail: None, ..line(&format!("Pulling from {}", name.path()), target) }]
        }
        Event::Layer { layer, state } => of_layer(layer.short(), *state),
    }
}

fn of_layer(id: &str, state: LayerState) -> Vec<Progress> {
    match state {
        LayerState::Exists => vec![line("Already exists", id)],
        LayerState::Queued => vec![line("Pulling fs layer", id)],
        LayerState::Waiting => vec![line("Waiting", id)],
        LayerState::Downloading { done, total } => vec![bar("Downloading", id, done, total)],
        LayerState::Retrying(wait) => {
            let seconds = wait.as_millis().div_ceil(1000);
            let plural = if seconds == 1 { "" } else { "s" };
            vec![line(&format!("Retrying in {seconds} second{plural}"), id)]
        }
        LayerState::Downloaded => vec![line("Verifying Checksum", id), line("Download complete", id)],
        LayerState::Extracting { done, total } => vec![bar("Extracting", id, done, total)],
        LayerState::Done => vec![line("Pull complete", id)],
    }
}

/// The lines at the end.
pub(crate) fn last_lines(request: &PullRequest, pulled: &Pulled) -> Vec<Progress> {
    let text = |text: String| Progress { status: Some(text), ..Progress::default() };
    let what = if pulled.is_new { "Downloaded newer image" } else { "Image is up to date" };
    let reference = request.reference.familiar();
    let mut all =
        vec![text(format!("Digest: {}", pulled.digest)), text(format!("Status: {what} for {reference}"))];
    if let Some(asked) = request.platform.as_ref().filter(|asked| pulled.platform.fitness(asked) != Some(0)) {
        all.push(text(format!(
            "WARNING: image with reference {reference} was found but its platform ({}) does not match the specified \
             platform ({asked})",
            pulled.platform
        )));
    }
    all
}

fn line(status: &str, id: &str) -> Progress {
    Progress {
        status: Some(status.to_owned()),
        id: Some(id.to_owned()),
        progress_detail: Some(ProgressDetail::default()),
        ..Progress::default()
    }
}

fn bar(status: &str, id: &str, done: u64, total: u64) -> Progress {
    let number = |bytes: u64| i64::try_from(bytes).ok();
    let detail = ProgressDetail { current: number(done), total: number(total) };
    Progress {
        progress: Some(progress_bar(&detail, COLUMNS)),
        progress_detail: Some(detail),
        ..line(status, id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    #[test]
    fn a_tag_may_be_a_digest() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for (image, tag, want) in [
            ("a", "1", Ok("docker.io/library/a:1".to_owned())),
            ("a:2", "1", Ok("docker.io/library/a:1".to_owned())),
            ("h:1/a", "1", Ok("h:1/a:1".to_owned())),
            ("a:2", "", Ok("docker.io/library/a:2".to_owned())),
            ("a", &digest, Ok(format!("docker.io/library/a@{digest}"))),
            ("a", "", Err("pulling all tags of a repository is not supported by this version of Sampan")),
            ("h:1/a", "", Err("pulling all tags of a repository is not supported by this version of Sampan")),
            ("A", "1", Err("invalid reference format: repository name (library/A) must be lowercase")),
        ] {
            let got = reference(image, tag).map(|r| r.to_string()).map_err(|e| e.to_string());
            assert_eq!(got.as_ref().map_err(String::as_str), want.as_ref().map_err(|e| *e), "{image} {tag}");
        }
    }

    #[test]
    fn credentials_come_in_several_forms() {
        let basic = |username: &str, password: &str| Credentials::Basic {
            username: username.to_owned(),
            password: password.to_owned(),
        };
        let both = BASE64_STANDARD.encode("u:p:q");
        for (json, want) in [
            (r#"{"username":"u","password":"p?>"}"#.to_owned(), basic("u", "p?>")),
            (format!(r#"{{"auth":"{both}"}}"#), basic("u", "p:q")),
            (r#"{"username":"u","identitytoken":"t"}"#.to_owned(), Credentials::Identity("t".into())),
            (r#"{"registrytoken":"t"}"#.to_owned(), Credentials::Token("t".into())),
            ("{}".to_owned(), Credentials::Anonymous),
            ("nonsense".to_owned(), Credentials::Anonymous),
        ] {
            for engine in [BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD] {
                let value = engine.encode(&json).parse().unwrap();
                let headers = HeaderMap::from_iter([("x-registry-auth".parse().unwrap(), value)]);
                assert!(credentials(&headers) == want, "{json}");
            }
        }
        assert!(credentials(&HeaderMap::new()) == Credentials::Anonymous);
    }

    proptest! {
        #[test]
        fn any_header_is_read(bytes in prop::collection::vec(32_u8..127, 0..80)) {
            let value = http::HeaderValue::from_bytes(&bytes).unwrap();
            credentials(&HeaderMap::from_iter([("x-registry-auth".parse().unwrap(), value)]));
        }
    }

    #[test]
    fn lines_are_dockers() {
        let shown = |event: &Event| serde_json::to_string(&lines(event)).unwrap();
        let name = "127.0.0.1:5000/a/b".parse().unwrap();
        assert_eq!(
            shown(&Event::Found { name, target: "1".into() }),
            r#"[{"status":"Pulling from a/b","id":"1"}]"#
        );
        let layer: Digest = format!("sha256:{}", "0a".repeat(32)).parse().unwrap();
        let layer = |state| shown(&Event::Layer { layer: layer.clone(), state });
        assert_eq!(
            layer(LayerState::Queued),
            r#"[{"status":"Pulling fs layer","progressDetail":{},"id":"0a0a0a0a0a0a"}]"#
        );
        assert_eq!(
            layer(LayerState::Downloading { done: 51_208, total: 51_208 }),
            format!(
                r#"[{{"status":"Downloading","progressDetail":{{"current":51208,"total":51208}},"progress":"[{}>]  51.21kB/51.21kB","id":"0a0a0a0a0a0a"}}]"#,
                "=".repeat(50)
            )
        );
    }
}
