//! JSON documents that keep the order of their members, as the engine sent them.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt::{self, Write as _};

/// A JSON value with its members in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

const INDENT: &str = "    ";

impl Json {
    /// Reads a document.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// On one line, without spaces.
    pub(crate) fn compact(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, None);
        out
    }

    /// A member a line, indented by four spaces.
    pub(crate) fn indented(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, Some(0));
        out
    }

    fn write(&self, out: &mut String, depth: Option<usize>) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(number) => _ = write!(out, "{number}"),
            Self::String(text) => string(out, text),
            Self::Array(items) => {
                let write = |item: &Self, out: &mut String, depth| item.write(out, depth);
                list(out, ['[', ']'], depth, items, write);
            }
            Self::Object(members) => list(out, ['{', '}'], depth, members, |(name, value), out, depth| {
                string(out, name);
                out.push_str(if depth.is_some() { ": " } else { ":" });
                value.write(out, depth);
            }),
        }
    }
}

fn list<T>(
    out: &mut String,
    [open, close]: [char; 2],
    depth: Option<usize>,
    items: &[T],
    write: impl Fn(&T, &mut String, Option<usize>),
) {
    let inner = depth.map(|depth| depth + 1);
    let new_line = |out: &mut String, depth: Option<usize>| {
        if let Some(depth) = depth {
            out.push('\n');
            out.push_str(&INDENT.repeat(depth));
        }
    };
    out.push(open);
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        new_line(out, inner);
        write(item, out, inner);
    }
    if !items.is_empty() {
        new_line(out, depth);
    }
    out.push(close);
}

fn string(out: &mut String, text: &str) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(serde_json::Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept() {
        let text = r#"{"b":1,"a":[true,null,{}],"c":[],"d":"x\"<","e":-1.5}"#;
        let json = Json::parse(text.as_bytes()).unwrap();
        assert_eq!(json.compact(), text);
        assert_eq!(
            json.indented(),
            "{\n    \"b\": 1,\n    \"a\": [\n        true,\n        null,\n        {}\n    ],\n    \"c\": [],\n    \
             \"d\": \"x\\\"<\",\n    \"e\": -1.5\n}"
        );
    }
}
