//! What lines bear besides their text: labels, variables, and a tag made from a template.

use crate::container::Container;
use gotmpl::{MissingKey, Template, TemplateError, Value};
use regex_lite::Regex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The attributes that a container's options ask for.
pub(super) fn attributes(container: &Container) -> Result<BTreeMap<String, String>, String> {
    let options = &container.config.host.log.options;
    let option = |name: &str| options.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let labels = &container.config.labels;
    let variables: BTreeMap<String, String> = container
        .config
        .env
        .iter()
        .filter_map(|variable| variable.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut found = chosen(labels, option("labels"), option("labels-regex"))?;
    // Docker reads no expression where there are no variables.
    if !variables.is_empty() {
        found.extend(chosen(&variables, option("env"), option("env-regex"))?);
    }
    if let Some(template) = option("tag") {
        found.insert("tag".to_owned(), tag(template, container)?);
    }
    found.retain(|name, value| name != "tag" || option("tag").is_none() || !value.is_empty());
    Ok(found)
}

/// Those named, separated by commas, and those whose name matches.
fn chosen(
    all: &BTreeMap<String, String>,
    names: Option<&str>,
    expression: Option<&str>,
) -> Result<BTreeMap<String, String>, String> {
    let expression = expression.map(compile).transpose()?;
    let names: Vec<&str> = names.map_or(Vec::new(), |names| names.split(',').collect());
    let wanted = |name: &str| {
        names.contains(&name) || expression.as_ref().is_some_and(|expression| expression.is_match(name))
    };
    Ok(all.iter().filter(|(name, _)| wanted(name)).map(|(k, v)| (k.clone(), v.clone())).collect())
}

fn compile(expression: &str) -> Result<Regex, String> {
    Regex::new(expression).map_err(|error| format!("error parsing regexp: {error}: `{expression}`"))
}

/// Docker's `log-tag` template.
fn tag(template: &str, container: &Container) -> Result<String, String> {
    let failed = |error: TemplateError| match error {
        TemplateError::MissingKey { key } => {
            let at = template.find(&format!(".{key}")).unwrap_or_default();
            format!(
                "template: log-tag:1:{at}: executing \"log-tag\" at <.{key}>: can't evaluate field {key} in type *logger.Info"
            )
        }
        TemplateError::Parse { message, .. } | TemplateError::Lex { message, .. } => {
            format!("template: log-tag:1: {message}")
        }
        TemplateError::UndefinedFunction(name) => {
            format!("template: log-tag:1: function {name:?} not defined")
        }
        other => format!("template: log-tag: {other}"),
    };
    let text = |f: fn(&str) -> String| {
        move |args: &[Value]| {
            Ok(Value::String(f(&args.first().map(ToString::to_string).unwrap_or_default()).into()))
        }
    };
    Template::new("log-tag")
        .missing_key(MissingKey::Error)
        .func("lower", text(str::to_lowercase))
        .func("upper", text(str::to_uppercase))
        .parse(template)
        .and_then(|parsed| parsed.execute_to_string(&info(container)))
        .map_err(failed)
}

/// What a tag may be made of.
fn info(container: &Container) -> Value {
    let (id, image) = (container.id.as_str(), container.image.to_string());
    let config = &container.config;
    let pairs = |map: &BTreeMap<String, String>| {
        map.iter().map(|(key, value)| (Arc::from(key.as_str()), text(value))).collect::<BTreeMap<_, _>>()
    };
    let command = config.command();
    let members = [
        ("ID", text(container.id.short())),
        ("FullID", text(id)),
        ("Name", text(&container.name)),
        ("ImageID", text(image.get(..12).unwrap_or_default())),
        ("ImageFullID", text(&image)),
        ("ImageName", text(&config.image)),
        ("Command", text(&command.join(" "))),
        ("DaemonName", text("docker")),
        ("ContainerID", text(id)),
        ("ContainerName", text(&format!("/{}", container.name))),
        ("ContainerImageID", text(&image)),
        ("ContainerImageName", text(&config.image)),
        ("ContainerEntrypoint", text(command.first().map_or("", String::as_str))),
        ("ContainerArgs", Value::List(command.iter().skip(1).map(|word| text(word)).collect())),
        ("ContainerEnv", Value::List(config.env.iter().map(|variable| text(variable)).collect())),
        ("ContainerLabels", Value::Map(Arc::new(pairs(&config.labels)))),
    ];
    Value::Map(Arc::new(members.map(|(name, value)| (Arc::from(name), value)).into()))
}

fn text(text: &str) -> Value {
    Value::String(text.into())
}
