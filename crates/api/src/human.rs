//! Times and progress as Docker words them for people.

use crate::body::ProgressDetail;
use sampan_spec::long_size;

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

/// A bar of progress as Docker draws it, on a terminal of so many columns: `[==>    ]  1.2MB/3MB`.
pub fn progress_bar(detail: &ProgressDetail, columns: usize) -> String {
    let (current, total) = (detail.current.unwrap_or(0), detail.total.unwrap_or(0));
    let size = |bytes: i64| long_size(bytes.max(0).cast_unsigned());
    if current <= 0 && total <= 0 {
        return String::new();
    }
    if total <= 0 {
        return format!("{:>8}", size(current));
    }
    let half = (current as f64 / total as f64 * 100.0) as usize / 2;
    let half = half.min(50);
    let drawn = if columns > WIDE {
        format!("[{}>{}] ", "=".repeat(half), " ".repeat(50 - half))
    } else {
        String::new()
    };
    let of = if current > total { String::new() } else { format!("/{}", size(total)) };
    format!("{drawn}{:>8}{of}", size(current))
}

/// On narrower terminals there is no room for a bar.
const WIDE: usize = 110;

#[cfg(test)]
mod tests {
    #[test]
    fn bars_are_drawn() {
        let bar = |current: i64, total: i64, columns| {
            super::progress_bar(
                &super::ProgressDetail { current: Some(current), total: Some(total) },
                columns,
            )
        };
        let drawn = |half: usize| format!("[{}>{}] ", "=".repeat(half), " ".repeat(50 - half));
        for (current, total, want) in [
            (3_679, 51_208, drawn(3) + " 3.679kB/51.21kB"),
            (51_208, 51_208, drawn(50) + " 51.21kB/51.21kB"),
            (342_016, 31_462_510, drawn(0) + "   342kB/31.46MB"),
            (22_282_240, 31_462_510, drawn(35) + " 22.28MB/31.46MB"),
            (5, 0, "      5B".to_owned()),
            (0, 0, String::new()),
        ] {
            assert_eq!(bar(current, total, 200), want, "{current} {total}");
        }
        assert_eq!(bar(1_000, 2_000, 80), "     1kB/2kB");
    }

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
