//! How the container's health is probed.

use crate::error::Error;
use crate::options::numbers::integer;
use sampan_api::body::{ContainerConfig, Healthcheck};
use sampan_spec::parse_duration;

/// The check, and its times in nanoseconds.
#[derive(clap::Args, Debug)]
pub(super) struct Health {
    /// Command to run to check health
    #[arg(long, value_name = "string")]
    health_cmd: Option<String>,
    /// Time between running the check (ms|s|m|h) (default 0s)
    #[arg(long, value_name = "duration", value_parser = parse_duration, allow_hyphen_values = true)]
    health_interval: Option<i64>,
    /// Consecutive failures needed to report unhealthy
    #[arg(long, value_name = "int", value_parser = integer, allow_hyphen_values = true)]
    health_retries: Option<i64>,
    /// Time between running the check during the start period (ms|s|m|h) (default 0s)
    #[arg(long, value_name = "duration", value_parser = parse_duration, allow_hyphen_values = true)]
    health_start_interval: Option<i64>,
    /// Start period for the container to initialize before starting health-retries countdown (ms|s|m|h) (default 0s)
    #[arg(long, value_name = "duration", value_parser = parse_duration, allow_hyphen_values = true)]
    health_start_period: Option<i64>,
    /// Maximum time to allow one check to run (ms|s|m|h) (default 0s)
    #[arg(long, value_name = "duration", value_parser = parse_duration, allow_hyphen_values = true)]
    health_timeout: Option<i64>,
    /// Disable any container-specified HEALTHCHECK
    #[arg(long)]
    no_healthcheck: bool,
}

impl Health {
    pub(super) fn fill(&self, config: &mut ContainerConfig) -> Result<(), Error> {
        let check = self.check()?;
        let asked = check != Healthcheck::default();
        if self.no_healthcheck && asked {
            return Err(Error::Refused("--no-healthcheck conflicts with --health-* options"));
        }
        let none = Healthcheck { test: Some(vec!["NONE".into()]), ..Healthcheck::default() };
        config.healthcheck = if self.no_healthcheck { Some(none) } else { Some(check).filter(|_| asked) };
        Ok(())
    }

    /// What is 0 or empty is as good as not given.
    fn check(&self) -> Result<Healthcheck, Error> {
        let number = |value: Option<i64>| value.filter(|value| *value != 0);
        let command = self.health_cmd.clone().filter(|command| !command.is_empty());
        let check = Healthcheck {
            test: command.map(|command| vec!["CMD-SHELL".into(), command]),
            interval: number(self.health_interval),
            timeout: number(self.health_timeout),
            start_period: number(self.health_start_period),
            start_interval: number(self.health_start_interval),
            retries: number(self.health_retries),
        };
        if self.no_healthcheck {
            return Ok(check);
        }
        let values = [
            (check.interval, "--health-interval cannot be negative"),
            (check.timeout, "--health-timeout cannot be negative"),
            (check.retries, "--health-retries cannot be negative"),
            (check.start_period, "--health-start-period cannot be negative"),
            (check.start_interval, "--health-start-interval cannot be negative"),
        ];
        match values.iter().find(|(value, _)| value.is_some_and(|value| value < 0)) {
            Some((_, text)) => Err(Error::Refused(text)),
            None => Ok(check),
        }
    }
}
