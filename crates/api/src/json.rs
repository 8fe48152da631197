//! JSON as Go's encoding reads it: `null` leaves a field as it was, unknown fields are ignored. An entry of a map stays
//! though its value is `null` (`"80/tcp": null` is a port without a place on the host).

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Reads a document of which every `null` counts as missing.
///
/// # Errors
/// When it is no JSON, or a field has another type.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    let mut value = serde_json::from_slice(bytes)?;
    drop_nulls(&mut value);
    serde_json::from_value(value)
}

/// Removes fields that are `null`, at every depth.
pub fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let kept = std::mem::take(members)
                .into_iter()
                .filter(|(name, member)| !member.is_null() || !is_field(name));
            *members = kept.collect::<Map<_, _>>();
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Fields are words that begin with a letter; entries of maps are ports, paths, networks, labels.
fn is_field(name: &str) -> bool {
    name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// What Go's decoder says of a document that is no JSON, as Docker's users know it.
pub fn syntax_error(error: &serde_json::Error, document: &[u8]) -> String {
    if error.is_eof() {
        return "unexpected EOF".into();
    }
    let Some(byte) = offending_byte(error, document) else { return error.to_string() };
    let text = error.to_string();
    let place = PLACES.iter().find(|(ours, _)| text.starts_with(ours)).map(|(_, gos)| gos);
    place.map_or(text, |place| format!("invalid character {:?} {place}", char::from(byte)))
}

/// How the two parsers name the place of a wrong character.
const PLACES: [(&str, &str); 6] = [
    ("key must be a string", "looking for beginning of object key string"),
    ("expected value", "looking for beginning of value"),
    ("expected ident", "in literal"),
    ("expected `,` or `}`", "after object key:value pair"),
    ("expected `,` or `]`", "after array element"),
    ("expected `:`", "after object key"),
];

fn offending_byte(error: &serde_json::Error, document: &[u8]) -> Option<u8> {
    let line = document.split(|b| *b == b'\n').nth(error.line().checked_sub(1)?)?;
    line.get(error.column().checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn null_is_missing() {
        let read: BTreeMap<String, BTreeMap<String, u8>> =
            read(br#"{"a":null,"b":{"c":null,"d":1}}"#).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), r#"{"b":{"d":1}}"#);
        let mut ports = serde_json::json!({"Ports": {"80/tcp": null}, "Env": null});
        drop_nulls(&mut ports);
        assert_eq!(ports.to_string(), r#"{"Ports":{"80/tcp":null}}"#);
    }

    #[test]
    fn syntax_errors_are_gos() {
        let check = |document: &str, text: &str| {
            let error = serde_json::from_str::<Value>(document).unwrap_err();
            assert_eq!(syntax_error(&error, document.as_bytes()), text, "{document}");
        };
        check("{nope", "invalid character 'n' looking for beginning of object key string");
        check("x", "invalid character 'x' looking for beginning of value");
        check("{\"a\" 1}", "invalid character '1' after object key");
        check("{\"a\":1 2}", "invalid character '2' after object key:value pair");
        check("[1 2]", "invalid character '2' after array element");
        check("{\"a\":", "unexpected EOF");
    }

    proptest! {
        #[test]
        fn any_document_has_an_error_or_none(document in "[\\[\\]{}:,\"a1ä\n tnul-]{0,20}") {
            if let Err(error) = serde_json::from_str::<Value>(&document) {
                prop_assert!(!syntax_error(&error, document.as_bytes()).is_empty());
            }
        }
    }
}
