//! Options' values, as Go reads them.

use sampan_spec::{ParseSizeError, parse_decimal_size};

/// `strconv.ParseBool`.
pub(super) fn truth(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
    }
}

/// `strconv.Atoi`.
pub(super) fn number(text: &str) -> Result<i64, String> {
    let fail = |why| format!("strconv.Atoi: parsing {text:?}: {why}");
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(fail("invalid syntax"));
    }
    text.parse().map_err(|_| fail("value out of range"))
}

/// `units.FromHumanSize`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    parse_decimal_size(text).map_err(|error: ParseSizeError| error.to_string())
}
