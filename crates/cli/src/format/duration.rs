//! How long ago something was.

use jiff::Timestamp;
use sampan_api::human;

/// `2 seconds ago`; `N/A` for a time that is not known.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    if then <= Timestamp::UNIX_EPOCH {
        return "N/A".to_owned();
    }
    let seconds = u64::try_from(now.duration_since(then).as_secs()).unwrap_or(0);
    format!("{} ago", human::duration(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_then_to_now() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        assert_eq!(ago(Timestamp::from_second(999_998).unwrap(), now), "2 seconds ago");
        assert_eq!(ago(Timestamp::from_second(1_000_005).unwrap(), now), "Less than a second ago");
        assert_eq!(ago(Timestamp::UNIX_EPOCH, now), "N/A");
    }
}
