//! Whiteouts: entries of a layer that stand for what is gone (OCI image specification, "layer.md: Whiteouts").

/// What an entry's name takes away from the layers below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whiteout<'a> {
    /// `.wh.<name>`: this name beside it.
    File(&'a [u8]),
    /// `.wh..wh..opq`: everything in the folder that it is in.
    Opaque,
    /// `.wh..wh.*`: notes that AUFS left, which mean nothing.
    Meta,
}

const PREFIX: &[u8] = b".wh.";
const META: &[u8] = b".wh..wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// What the last part of an entry's name takes away. `Err` if it would be the folder itself or the one above.
pub fn whiteout(base: &[u8]) -> Result<Option<Whiteout<'_>>, &'static str> {
    if base == OPAQUE {
        return Ok(Some(Whiteout::Opaque));
    }
    if base.starts_with(META) {
        return Ok(Some(Whiteout::Meta));
    }
    match base.strip_prefix(PREFIX) {
        None => Ok(None),
        Some(b"" | b"." | b"..") => Err("it is a whiteout of nothing that could be there"),
        Some(name) => Ok(Some(Whiteout::File(name))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_take_away() {
        assert_eq!(whiteout(b"a"), Ok(None));
        assert_eq!(whiteout(b".wh.a"), Ok(Some(Whiteout::File(b"a"))));
        assert_eq!(whiteout(b".wh..hidden"), Ok(Some(Whiteout::File(b".hidden"))));
        assert_eq!(whiteout(b".wh..wh..opq"), Ok(Some(Whiteout::Opaque)));
        assert_eq!(whiteout(b".wh..wh.plnk"), Ok(Some(Whiteout::Meta)));
        for bad in [&b".wh."[..], b".wh..", b".wh..."] {
            assert!(whiteout(bad).is_err());
        }
    }
}
