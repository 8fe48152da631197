//! `--format`: Go templates over JSON documents, with Docker's functions.

use crate::format::json::Json;
use crate::format::text::quote;
use gotmpl::{MissingKey, Template, TemplateError, Value};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A template of the user's, ready to be applied.
pub(crate) struct Format {
    text: String,
}

/// A `--format` cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormatError {
    #[error("template parsing error: {0}")]
    Parse(String),
    #[error("template parsing error: {0}")]
    Execute(String),
}

impl Format {
    /// Checks `text`; `json` is short for the whole document.
    pub(crate) fn new(text: &str) -> Result<Self, FormatError> {
        let text = if text == "json" { "{{json .}}" } else { text }.replace("\\t", "\t").replace("\\n", "\n");
        template(&text, HashMap::new()).map_err(|error| FormatError::Parse(parse_text(&error)))?;
        Ok(Self { text })
    }

    /// Applies it to a document.
    pub(crate) fn apply(&self, document: &Json) -> Result<String, FormatError> {
        let failed = |error: TemplateError| FormatError::Execute(execute_text(&error, &self.text));
        let mut originals = HashMap::new();
        remember(document, &mut originals);
        template(&self.text, originals).map_err(failed)?.execute_to_string(&value(document)).map_err(failed)
    }
}

/// The parsed template. `originals` gives JSON texts with sorted members their order back.
fn template(text: &str, originals: HashMap<String, String>) -> Result<Template, TemplateError> {
    let one = |args: &[Value]| args.first().map(ToString::to_string).unwrap_or_default();
    let map = move |f: fn(String) -> String| move |args: &[Value]| Ok(Value::String(f(one(args)).into()));
    Template::new("")
        .missing_key(MissingKey::Error)
        .func("json", move |args| {
            let sorted = args.first().map(json).unwrap_or_default();
            Ok(Value::String(originals.get(&sorted).cloned().unwrap_or(sorted).into()))
        })
        .func("lower", map(|text| text.to_lowercase()))
        .func("upper", map(|text| text.to_uppercase()))
        .func("title", map(title))
        .func("split", |args| {
            let [text, separator] = strings(args);
            Ok(Value::List(text.split(&separator).map(|part| Value::String(part.into())).collect()))
        })
        .func("join", |args| {
            let [_, separator] = strings(args);
            let Some(Value::List(items)) = args.first() else { return Ok(Value::String("".into())) };
            let items: Vec<_> = items.iter().map(ToString::to_string).collect();
            Ok(Value::String(items.join(&separator).into()))
        })
        .func("pad", |args| {
            let [text, ..] = strings::<1>(args);
            if text.is_empty() {
                return Ok(Value::String("".into()));
            }
            let count = |i: usize| args.get(i).and_then(Value::as_int).unwrap_or(0).clamp(0, 1000) as usize;
            Ok(Value::String(format!("{}{text}{}", " ".repeat(count(1)), " ".repeat(count(2))).into()))
        })
        .func("truncate", |args| {
            let [text, ..] = strings::<1>(args);
            let length = args.get(1).and_then(Value::as_int).unwrap_or(0).max(0) as usize;
            Ok(Value::String(text.chars().take(length).collect::<String>().into()))
        })
        .parse(text)
}

/// A mistake in a template in Go's words.
fn parse_text(error: &TemplateError) -> String {
    match error {
        TemplateError::Parse { line, message, .. } | TemplateError::Lex { line, message, .. } => {
            format!("template: :{line}: {message}")
        }
        TemplateError::UndefinedFunction(name) => format!("template: :1: function {name:?} not defined"),
        other => other.to_string(),
    }
}

/// What went wrong with a template, in Go's words where a field is missing.
fn execute_text(error: &TemplateError, template: &str) -> String {
    let TemplateError::MissingKey { key } = error else { return parse_text(error) };
    let unknown = format!("map has no entry for key {key:?}");
    let field = format!(".{key}");
    let in_action = |at: &usize| template[..*at].rfind("{{") > template[..*at].rfind("}}");
    let Some(at) = template.match_indices(&field).map(|(at, _)| at).find(in_action) else { return unknown };
    let in_chain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '$');
    let start = template[..at].trim_end_matches(in_chain).len();
    let chain = &template[start..];
    let chain = &chain[..chain.find(|c| !in_chain(c)).unwrap_or(chain.len())];
    // Go names the place of the second field of a chain, if there is one.
    let second = chain.char_indices().skip(1).find(|(_, letter)| *letter == '.');
    let place = start + second.map_or(0, |(second, _)| second);
    let line_start = template[..place].rfind('\n').map_or(0, |i| i + 1);
    let line = template[..place].matches('\n').count() + 1;
    format!("template: :{line}:{}: executing \"\" at <{chain}>: {unknown}", place - line_start)
}

fn strings<const N: usize>(args: &[Value]) -> [String; N] {
    std::array::from_fn(|i| args.get(i).map(ToString::to_string).unwrap_or_default())
}

fn title(text: String) -> String {
    let mut start = true;
    let mut capital = |c: char| {
        let at_start = std::mem::replace(&mut start, !c.is_alphanumeric());
        if at_start { c.to_uppercase().collect::<String>() } else { c.to_string() }
    };
    text.chars().map(&mut capital).collect()
}

/// The template's form of a document.
fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => number
            .as_i64()
            .map(Value::Int)
            .or_else(|| number.as_u64().map(Value::Uint))
            .unwrap_or_else(|| Value::Float(number.as_f64().unwrap_or_default())),
        Json::String(text) => Value::String(text.as_str().into()),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(members) => {
            let members = members.iter().map(|(name, member)| (Arc::from(name.as_str()), value(member)));
            Value::Map(Arc::new(members.collect::<BTreeMap<_, _>>()))
        }
    }
}

/// JSON of a template's value, with the members of objects sorted.
fn json(value: &Value) -> String {
    match value {
        Value::Nil => "null".to_owned(),
        Value::String(text) => serde_json::Value::from(&**text).to_string(),
        Value::List(items) => format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(",")),
        Value::Map(members) => {
            let member = |(name, value): (&Arc<str>, &Value)| format!("{}:{}", quote(name), json(value));
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
        }
        plain => plain.to_string(),
    }
}

/// Notes the original text of `json` and of everything in it, by the text with sorted members.
fn remember(document: &Json, originals: &mut HashMap<String, String>) {
    match document {
        Json::Object(members) => members.iter().for_each(|(_, member)| remember(member, originals)),
        Json::Array(items) => items.iter().for_each(|item| remember(item, originals)),
        _ => return,
    }
    originals.insert(json(&value(document)), document.compact());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DOCUMENT: &str = r#"{"Name":"/web","State":{"Status":"running","Pid":7,"OOMKilled":false},
        "Ports":["b","a"],"Labels":{"z":"1","a":"2"},"Size":1.5,"None":null}"#;

    fn check(format: &str, want: &str) {
        let document = Json::parse(DOCUMENT.as_bytes()).unwrap();
        let got = Format::new(format).and_then(|format| format.apply(&document));
        assert_eq!(got.unwrap_or_else(|error| error.to_string()), want, "{format}");
    }

    #[test]
    fn templates() {
        check("{{.Name}} {{.State.Pid}}", "/web 7");
        check("{{json .State}}", r#"{"Status":"running","Pid":7,"OOMKilled":false}"#);
        check("{{json .Labels}}", r#"{"z":"1","a":"2"}"#);
        check("{{json .Name}}{{json .None}}", r#""/web"null"#);
        check("{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}", "a=2;z=1;");
        check("{{index .Labels \"z\"}}{{index .Ports 0}}{{len .Ports}}", "1b2");
        check("{{join .Ports \",\"}} {{upper .Name}} {{title \"ab cd\"}}", "b,a /WEB Ab Cd");
        check("{{if .State.OOMKilled}}oom{{else}}ok{{end}}", "ok");
        check("{{truncate .Name 2}}|{{pad \"x\" 1 2}}|{{index (split \"a:b\" \":\") 1}}", "/w| x  |b");
        check("{{pad \"\" 1 2}}|", "|");
        check("{{printf \"%s-%d\" .Name .State.Pid}}", "/web-7");
    }

    #[test]
    fn mistakes() {
        let at = |place: &str, chain: &str| {
            let unknown = "map has no entry for key \"Nope\"";
            format!("template parsing error: template: :{place}: executing \"\" at <{chain}>: {unknown}")
        };
        check("{{.Nope}}", &at("1:2", ".Nope"));
        check("x{{.State.Nope.Foo}}", &at("1:9", ".State.Nope.Foo"));
        check("{{json .Nope}}", &at("1:7", ".Nope"));
        check("{{.Name", "template parsing error: template: :1: unclosed action");
        check("{{nope .}}", "template parsing error: template: :1: function \"nope\" not defined");
    }

    #[test]
    fn a_mistake_behind_other_letters() {
        let unknown = "map has no entry for key \"Nope\"";
        let want = format!("template parsing error: template: :1:9: executing \"\" at <.Nope>: {unknown}");
        check("ä.Nope{{.Nope}}", &want);
    }

    proptest! {
        #[test]
        fn garbage_is_refused_or_applied(
            pieces in prop::collection::vec(
                prop_oneof![
                    "[ä.a-zA-Z(){}\"$| 0-9-]{0,6}",
                    prop::sample::select(vec![
                        "{{", "}}", "{{.", "Name", ".State", ".Nope", "range", "end", "if", "index", "slice", "json .",
                        "truncate", "pad", "split", "join", "title", "printf", "\"ä\"", "-1", "$x :=", "-}}", "{{-",
                    ]).prop_map(str::to_owned),
                ],
                0..10,
            ),
        ) {
            let document = Json::parse(DOCUMENT.as_bytes()).unwrap();
            let _ = Format::new(&pieces.concat()).and_then(|format| format.apply(&document));
        }
    }
}
