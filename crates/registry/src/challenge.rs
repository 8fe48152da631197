//! How a server wants to be convinced: the header `WWW-Authenticate` (RFC 9110, section 11.6.1).

/// One challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// In lower case.
    pub(crate) scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// A parameter's value; its name is in lower case.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// All challenges of one header, as far as it can be understood.
pub(crate) fn parse(header: &str) -> Vec<Challenge> {
    let mut rest = Cursor(header);
    let mut challenges = Vec::new();
    loop {
        rest.skip(|b| matches!(b, b' ' | b'\t' | b','));
        let Some(scheme) = rest.token() else { return challenges };
        let scheme = scheme.to_ascii_lowercase();
        challenges.push(Challenge { scheme, parameters: rest.parameters() });
    }
}

/// What is left to read.
#[derive(Clone, Copy)]
struct Cursor<'h>(&'h str);

impl<'h> Cursor<'h> {
    /// `name=value, name="value"`, up to the next challenge. A token68 (`Negotiate abc==`) is passed over.
    fn parameters(&mut self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        loop {
            let before = *self;
            self.skip(|b| matches!(b, b' ' | b'\t' | b','));
            let Some((name, value)) = self.parameter() else {
                *self = before;
                if all.is_empty() {
                    self.skip(|b| !matches!(b, b','));
                }
                return all;
            };
            all.push((name.to_ascii_lowercase(), value));
        }
    }

    fn parameter(&mut self) -> Option<(&'h str, String)> {
        let name = self.token()?;
        self.skip(is_space);
        self.byte(b'=')?;
        self.skip(is_space);
        let value = if self.0.starts_with('"') { self.quoted()? } else { self.token()?.to_owned() };
        Some((name, value))
    }

    fn token(&mut self) -> Option<&'h str> {
        let token = self.skip(is_token);
        (!token.is_empty()).then_some(token)
    }

    fn quoted(&mut self) -> Option<String> {
        let mut value = String::new();
        let mut chars = self.0.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.0 = &self.0[at + 1..];
                    return Some(value);
                }
                '\\' => value.push(chars.next()?.1),
                other => value.push(other),
            }
        }
        None
    }

    fn byte(&mut self, byte: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(char::from(byte))?;
        Some(())
    }

    /// Passes over and returns what fits. `fits` must say the same of all bytes beyond ASCII.
    fn skip(&mut self, fits: fn(u8) -> bool) -> &'h str {
        let end = self.0.bytes().position(|b| !fits(b));
        let (passed, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        passed
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(header: &str) -> String {
        let one = |c: &Challenge| {
            let parameters: Vec<String> = c.parameters.iter().map(|(n, v)| format!(" {n}=<{v}>")).collect();
            format!("{}{}", c.scheme, parameters.concat())
        };
        parse(header).iter().map(one).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn challenges() {
        for (header, want) in [
            (
                r#"Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull,push""#,
                "bearer realm=<https://auth.example/token> service=<registry> scope=<repository:a/b:pull,push>",
            ),
            (r#"Basic realm="Registry Realm""#, "basic realm=<Registry Realm>"),
            (r#"Basic Realm = x , Bearer realm=y,a="b\"c""#, r#"basic realm=<x>; bearer realm=<y> a=<b"c>"#),
            ("Negotiate, Basic realm=x", "negotiate; basic realm=<x>"),
            ("Negotiate abc==, Basic realm=x", "negotiate; basic realm=<x>"),
            (r#"Basic realm="open"#, "basic"),
            ("", ""),
            (",, ,", ""),
            ("é", ""),
        ] {
            assert_eq!(shown(header), want, "{header}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            all in prop::collection::vec(
                ("[a-z]{1,8}", prop::collection::vec(("[a-z]{1,8}", "[ -~é]{0,12}"), 1..4)),
                0..4,
            ),
        ) {
            let parameter = |(name, value): &(String, String)| {
                format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
            };
            let one = |(scheme, parameters): &(String, Vec<(String, String)>)| {
                format!("{scheme} {}", parameters.iter().map(parameter).collect::<Vec<_>>().join(", "))
            };
            let header = all.iter().map(one).collect::<Vec<_>>().join(", ");
            let want: Vec<Challenge> =
                all.into_iter().map(|(scheme, parameters)| Challenge { scheme, parameters }).collect();
            prop_assert_eq!(parse(&header), want);
        }

        #[test]
        fn any_header_ends(header in "[ -~é]{0,80}") {
            parse(&header);
        }

        #[test]
        fn anything_like_a_header_ends(header in "[Ba=\"\\\\, é]{0,40}") {
            parse(&header);
        }
    }
}
