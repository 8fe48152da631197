//! The kernel's messages: cutting them out of what was received, acknowledgements and refusals.

use super::attribute::{text, u16_at, u32_at};
use super::{Attributes, Error, F_ACK_TLVS, HEADER};
use rustix::io::Errno;

/// The messages in what one receive returned.
pub(super) struct Answers<'a>(pub(super) &'a [u8]);

pub(super) struct Answer<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) body: &'a [u8],
}

impl<'a> Iterator for Answers<'a> {
    type Item = Result<Answer<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let answer = Answer::read(self.0);
        match &answer {
            Some((_, rest)) => self.0 = rest,
            None => self.0 = &[],
        }
        Some(answer.map(|(answer, _)| answer).ok_or(Error::Malformed))
    }
}

impl<'a> Answer<'a> {
    fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let length = u32_at(bytes, 0)? as usize;
        let body = bytes.get(HEADER..length)?;
        let kind = u16_at(bytes, 4)?;
        let flags = u16_at(bytes, 6)?;
        let sequence = u32_at(bytes, 8)?;
        let rest = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((Self { kind, flags, sequence, body }, rest))
    }

    /// Reads a `struct nlmsgerr` with its attributes.
    pub(super) fn acknowledged(&self, request: Option<usize>) -> Result<(), Error> {
        let code = u32_at(self.body, 0).ok_or(Error::Malformed)?.cast_signed();
        if code == 0 {
            return Ok(());
        }
        let note = (self.flags & F_ACK_TLVS != 0).then(|| self.note()).flatten();
        Err(Error::Refused { request, errno: errno(code)?, note })
    }

    /// The end of a dump carries an error number too.
    pub(super) fn done(&self) -> Result<(), Error> {
        match u32_at(self.body, 0).map(u32::cast_signed) {
            Some(code) if code < 0 => {
                Err(Error::Refused { request: Some(0), errno: errno(code)?, note: None })
            }
            _ => Ok(()),
        }
    }

    fn note(&self) -> Option<String> {
        const MESSAGE: u16 = 1;
        let attributes = Attributes(self.body.get(4 + HEADER..)?);
        attributes.find(MESSAGE).and_then(text).map(str::to_owned)
    }
}

/// The kernel's error numbers are negative, and no smaller than this.
const ERRNO_MIN: i32 = -4095;

fn errno(code: i32) -> Result<Errno, Error> {
    let valid = (ERRNO_MIN..0).contains(&code);
    if valid { Ok(Errno::from_raw_os_error(-code)) } else { Err(Error::Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_error_number_is_malformed() {
        for (code, want) in [(-2, Some(Errno::NOENT)), (1, None), (-4096, None), (i32::MIN, None)] {
            let answer = Answer { kind: 0, flags: 0, sequence: 0, body: &code.to_ne_bytes() };
            assert_eq!(answer.acknowledged(None).unwrap_err().errno(), want, "{code}");
            assert_eq!(answer.done().err().and_then(|e| e.errno()), want, "{code}");
        }
    }
}
