//! Health checks: what user and image ask for, and what that means for the monitor, which does it.

use super::Config;
use crate::{Error, Result};
use sampan_image::Healthcheck;
use sampan_spec::bundle::HealthCheck;
use sampan_spec::oci::Process;

const MILLISECOND: i64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
/// Docker's numbers, where neither user nor image says more.
const INTERVAL: u64 = 30 * SECOND;
const TIMEOUT: u64 = 30 * SECOND;
const START_INTERVAL: u64 = 5 * SECOND;
const RETRIES: u32 = 3;

/// The user's check, with the image's where the user said nothing.
pub(super) fn merge(own: Option<Healthcheck>, of_image: Option<&Healthcheck>) -> Option<Healthcheck> {
    let (Some(own), Some(image)) = (&own, of_image) else { return own.or_else(|| of_image.cloned()) };
    let or = |own: i64, of_image: i64| if own == 0 { of_image } else { own };
    let test = if own.test.is_empty() { &image.test } else { &own.test };
    Some(Healthcheck {
        test: test.clone(),
        interval: or(own.interval, image.interval),
        timeout: or(own.timeout, image.timeout),
        start_period: or(own.start_period, image.start_period),
        start_interval: or(own.start_interval, image.start_interval),
        retries: or(own.retries, image.retries),
    })
}

/// Refuses times and numbers that can never be right, in Docker's words.
pub(super) fn validate(check: &Healthcheck) -> Result<()> {
    let invalid = |text: String| Err(Error::InvalidParameter(text));
    let times = [
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
    ];
    if let Some((name, _)) = times.iter().find(|(_, time)| *time != 0 && *time < MILLISECOND) {
        return invalid(format!("{name} in Healthcheck cannot be less than 1ms"));
    }
    if check.retries < 0 {
        return invalid("Retries in Healthcheck cannot be negative".into());
    }
    Ok(())
}

/// The program and arguments of a probe; `None`: there is nothing to probe. As with Docker the shell is the container's, not
/// the image's.
pub(crate) fn command(config: &Config) -> Option<Vec<String>> {
    let (kind, words) = config.health.as_ref()?.test.split_first()?;
    let shell = || config.shell.clone().filter(|shell| !shell.is_empty()).unwrap_or_else(default_shell);
    match kind.as_str() {
        "CMD" => Some(words.to_vec()),
        "CMD-SHELL" => Some([shell(), words.to_vec()].concat()),
        _ => None,
    }
}

fn default_shell() -> Vec<String> {
    vec!["/bin/sh".to_owned(), "-c".to_owned()]
}

/// What the monitor is to do, with the process of a probe.
pub(super) fn plan(check: &Healthcheck, process: Process) -> HealthCheck {
    let time = |asked: i64, default| u64::try_from(asked).ok().filter(|time| *time > 0).unwrap_or(default);
    HealthCheck {
        process: Box::new(process),
        interval: time(check.interval, INTERVAL),
        timeout: time(check.timeout, TIMEOUT),
        start_period: time(check.start_period, 0),
        start_interval: time(check.start_interval, START_INTERVAL),
        retries: if check.retries > 0 { u32::try_from(check.retries).unwrap_or(u32::MAX) } else { RETRIES },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    fn check(test: &[&str], interval: i64, retries: i64) -> Healthcheck {
        Healthcheck { test: words(test), interval, retries, ..Healthcheck::default() }
    }

    #[test]
    fn the_image_fills_in_field_by_field() {
        let image = check(&["CMD", "x"], 7, 2);
        for (own, want) in [
            (None, image.clone()),
            (Some(check(&[], 0, 9)), check(&["CMD", "x"], 7, 9)),
            (Some(check(&["CMD-SHELL", "y"], 5, 0)), check(&["CMD-SHELL", "y"], 5, 2)),
            (Some(check(&["NONE"], 0, 0)), check(&["NONE"], 7, 2)),
        ] {
            assert_eq!(merge(own.clone(), Some(&image)), Some(want), "{own:?}");
            assert_eq!(merge(own.clone(), None), own);
        }
    }

    #[test]
    fn commands() {
        for (test, shell, want) in [
            (&["CMD", "a", "b"][..], &[][..], Some(&["a", "b"][..])),
            (&["CMD-SHELL", "a b"], &[], Some(&["/bin/sh", "-c", "a b"])),
            (&["CMD-SHELL", "a b"], &["/bin/ash", "-ec"], Some(&["/bin/ash", "-ec", "a b"])),
            (&["CMD"], &[], Some(&[])),
            (&["NONE"], &[], None),
            (&["OTHER", "x"], &[], None),
            (&[], &[], None),
        ] {
            let (health, shell) = (Some(check(test, 0, 0)), Some(words(shell)));
            let config = Config { health, shell, ..Config::default() };
            assert_eq!(command(&config), want.map(words), "{test:?}");
        }
        assert_eq!(command(&Config::default()), None);
    }

    #[test]
    fn what_is_not_said_is_dockers() {
        let plan = plan(&check(&["CMD", "a"], 5_000_000, 0), Process::default());
        assert_eq!((plan.interval, plan.timeout, plan.retries), (5_000_000, 30 * SECOND, 3));
        assert_eq!((plan.start_period, plan.start_interval), (0, 5 * SECOND));
    }

    #[test]
    fn more_retries_than_anybody_counts_are_not_few() {
        let retries = |asked| plan(&check(&["CMD", "a"], 0, asked), Process::default()).retries;
        assert_eq!([1, 1 << 32, i64::MAX].map(retries), [1, u32::MAX, u32::MAX]);
    }

    #[test]
    fn what_can_never_be_right() {
        let refused = |check: &Healthcheck| validate(check).err().map(|error| error.to_string());
        assert_eq!(refused(&check(&[], 0, 0)), None);
        assert_eq!(refused(&check(&[], MILLISECOND, 1)), None);
        for (check, want) in [
            (check(&[], 5, 0), "Interval in Healthcheck cannot be less than 1ms"),
            (check(&[], -5, 0), "Interval in Healthcheck cannot be less than 1ms"),
            (
                Healthcheck { timeout: 1, ..check(&[], 0, 0) },
                "Timeout in Healthcheck cannot be less than 1ms",
            ),
            (check(&[], 0, -1), "Retries in Healthcheck cannot be negative"),
        ] {
            assert_eq!(refused(&check).as_deref(), Some(want), "{check:?}");
        }
    }
}
