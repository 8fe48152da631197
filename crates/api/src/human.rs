//! Times as Docker words them for people.

/// A duration in whole seconds: `Less than a second`, `3 seconds`, `About an hour`, `2 weeks`.
pub fn duration(seconds: u64) -> String {
    let (minutes, hours) = (seconds / 60, (seconds + 1800) / 3600);
    match (seconds, minutes, hours) {
        (0, ..) => "Less than a second".into(),
        (1, ..) => "1 second".into(),
        (..60, ..) => format!("{seconds} seconds"),
        (_, 1, _) => "About a minute".into(),
        (_, ..60, _) => format!("{minutes} minutes"),
        (.., 1) => "About an hour".into(),
        (.., ..48) => format!("{hours} hours"),
        (.., ..336) => format!("{} days", hours / 24),
        (.., ..1440) => format!("{} weeks", hours / 24 / 7),
        (.., ..17520) => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", seconds / 3600 / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn durations_are_worded() {
        const HOUR: u64 = 3600;
        const DAY: u64 = 24 * HOUR;
        for (seconds, want) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (45, "45 seconds"),
            (60, "About a minute"),
            (119, "About a minute"),
            (180, "3 minutes"),
            (3599, "59 minutes"),
            (HOUR, "About an hour"),
            (2 * HOUR, "2 hours"),
            (47 * HOUR, "47 hours"),
            (3 * DAY, "3 days"),
            (15 * DAY, "2 weeks"),
            (90 * DAY, "3 months"),
            (800 * DAY, "2 years"),
        ] {
            assert_eq!(super::duration(seconds), want, "{seconds}");
        }
    }
}
