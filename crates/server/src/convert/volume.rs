//! Volumes as they are shown, and the filters that choose among them.

use crate::error::Error;
use sampan_api::filters::FilterError;
use sampan_api::{Filters, body};
use sampan_engine::volume::{CreateRequest, DRIVER, Pruned, Snapshot};

/// The filters of a list.
pub(crate) const FILTERS: [&str; 4] = ["dangling", "driver", "label", "name"];
/// The filters of a prune.
pub(crate) const PRUNE_FILTERS: [&str; 3] = ["all", "label", "label!"];

/// The body of `POST /volumes/create`.
///
/// # Errors
/// When it asks for a volume of a swarm.
pub(crate) fn create(body: body::VolumeCreate) -> Result<CreateRequest, Error> {
    if body.cluster_volume_spec.is_some() {
        return Err(Error::unsupported("ClusterVolumeSpec"));
    }
    Ok(CreateRequest {
        name: (!body.name.is_empty()).then_some(body.name),
        driver: body.driver,
        options: body.driver_opts,
        labels: body.labels,
    })
}

/// A volume as Docker shows it.
pub(crate) fn volume(snapshot: &Snapshot) -> body::Volume {
    let volume = &snapshot.volume;
    body::Volume {
        created_at: volume.created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        driver: DRIVER.into(),
        labels: volume.labels.clone(),
        mountpoint: snapshot.mountpoint.display().to_string(),
        name: volume.name.clone(),
        options: volume.options.clone(),
        scope: "local".into(),
        usage_data: None,
    }
}

/// Chooses from all volumes.
///
/// # Errors
/// When a filter's value makes no sense.
pub(crate) fn choose(all: Vec<Snapshot>, filters: &Filters) -> Result<Vec<Snapshot>, Error> {
    let dangling = filters.truth("dangling").map_err(as_list)?;
    let any = |name: &str, fits: &dyn Fn(&String) -> bool| {
        let values = filters.get(name);
        values.is_empty() || values.iter().any(fits)
    };
    let fits = |snapshot: &Snapshot| {
        let volume = &snapshot.volume;
        let labels = volume.labels.clone().unwrap_or_default();
        dangling.is_none_or(|dangling| dangling == snapshot.users.is_empty())
            && any("name", &|name| volume.name.contains(name.as_str()))
            && any("driver", &|driver| driver == DRIVER)
            && filters.labels_fit("label", &labels)
    };
    Ok(all.into_iter().filter(fits).collect())
}

/// Docker shows the values here as a list.
fn as_list(error: FilterError) -> FilterError {
    match error {
        FilterError::Value { name, value } => FilterError::Value { name, value: format!("[{value}]") },
        other => other,
    }
}

/// Which volumes a prune removes: those without a name, unless `all` is set; before API 1.42, all.
///
/// # Errors
/// When a filter's value makes no sense.
pub(crate) fn prunable(filters: Filters, all: bool) -> Result<impl Fn(&Snapshot) -> bool + Send, Error> {
    let all = match filters.get("all") {
        [] => all,
        [value] => truth(value)?,
        _ => return Err(Error::Invalid("invalid filter 'all': only one value is expected".into())),
    };
    Ok(move |snapshot: &Snapshot| {
        let labels = snapshot.volume.labels.clone().unwrap_or_default();
        let unwanted = filters.get("label!");
        (all || snapshot.volume.is_anonymous())
            && filters.labels_fit("label", &labels)
            && (unwanted.is_empty() || !filters.labels_fit("label!", &labels))
    })
}

fn truth(text: &str) -> Result<bool, Error> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(Error::Invalid(format!(
            "invalid filter 'all': strconv.ParseBool: parsing {text:?}: invalid syntax"
        ))),
    }
}

/// The answer to a prune.
pub(crate) fn pruned(pruned: Pruned) -> body::VolumesPruned {
    body::VolumesPruned { volumes_deleted: pruned.names, space_reclaimed: pruned.bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sampan_engine::volume::{ANONYMOUS, Map, Volume};
    use sampan_spec::{ContainerId, Timestamp};
    use std::sync::Arc;

    fn sample(name: &str, labels: &[(&str, &str)], users: usize) -> Snapshot {
        let labels: Map = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let volume = Volume {
            name: name.into(),
            created: Timestamp::new(1_000_000, 500).unwrap(),
            labels: (!labels.is_empty()).then_some(labels),
            options: None,
            owner: None,
        };
        Snapshot {
            volume: Arc::new(volume),
            mountpoint: format!("/volumes/{name}/_data").into(),
            users: vec![ContainerId::from_bytes([1; 32]); users],
        }
    }

    fn all() -> Vec<Snapshot> {
        vec![
            sample("data", &[("a", "b"), ("c", "")], 0),
            sample("database", &[], 1),
            sample("nameless", &[(ANONYMOUS, "")], 0),
        ]
    }

    #[test]
    fn a_volume_is_shown_in_dockers_words() {
        let shown = serde_json::to_value(volume(&all()[1])).unwrap();
        assert_eq!(
            shown,
            serde_json::json!({
                "CreatedAt": "1970-01-12T13:46:40Z", "Driver": "local", "Labels": null,
                "Mountpoint": "/volumes/database/_data", "Name": "database", "Options": null, "Scope": "local",
            })
        );
    }

    #[test]
    fn filters_choose() {
        let chosen = |filters: &str| {
            let chosen = choose(all(), &Filters::parse(filters).unwrap())?;
            Ok::<_, Error>(chosen.iter().map(|s| s.volume.name.clone()).collect::<Vec<_>>().join(" "))
        };
        for (filters, want) in [
            ("", "data database nameless"),
            (r#"{"name":["data"]}"#, "data database"),
            (r#"{"name":["base","less"]}"#, "database nameless"),
            (r#"{"dangling":["true"]}"#, "data nameless"),
            (r#"{"dangling":["0"]}"#, "database"),
            (r#"{"label":["a=b","c"]}"#, "data"),
            (r#"{"driver":["local"]}"#, "data database nameless"),
            (r#"{"driver":["x"]}"#, ""),
        ] {
            assert_eq!(chosen(filters).unwrap(), want, "{filters}");
        }
        let error = chosen(r#"{"dangling":["maybe"]}"#).unwrap_err();
        assert_eq!(error.to_string(), "invalid filter 'dangling=[maybe]'");
    }

    #[test]
    fn a_prune_takes_the_nameless_unless_it_is_told_otherwise() {
        let taken = |filters: &str, old: bool| {
            let wanted = prunable(Filters::parse(filters).unwrap(), old)?;
            let all = all();
            Ok::<_, Error>(
                all.iter().filter(|s| wanted(s)).map(|s| s.volume.name.clone()).collect::<Vec<_>>().join(" "),
            )
        };
        for (filters, old, want) in [
            ("", false, "nameless"),
            ("", true, "data database nameless"),
            (r#"{"all":["1"]}"#, false, "data database nameless"),
            (r#"{"all":["false"]}"#, true, "nameless"),
            (r#"{"all":["1"],"label":["a"]}"#, false, "data"),
            (r#"{"all":["1"],"label!":["a"]}"#, false, "database nameless"),
        ] {
            assert_eq!(taken(filters, old).unwrap(), want, "{filters} {old}");
        }
        assert_eq!(
            taken(r#"{"all":["zz"]}"#, false).unwrap_err().to_string(),
            "invalid filter 'all': strconv.ParseBool: parsing \"zz\": invalid syntax"
        );
    }
}
